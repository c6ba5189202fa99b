"""No record replaces another, however many are written in the same millisecond."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.deliver_explanation import build as delivering
from runtime.read_narrative import build as reading
from tests.factories import any_explanation
from tests.runtime.audit import entries, erase, hold
from tests.runtime.conftest import NARRATIVE
from triage.stored_story import KINDS
from triage.story import DELIVERY, ERASURE, HOLD, READING, ExplanationEntry, sha256_of_text
from triage.tables import RAW_COMPLAINTS

RUNTIME = Path(__file__).parents[2] / "runtime"
WRITES = {"put", "put_item", "put_object", "to_put", "upload_file"}
MAY_REPLACE = {
    ("adapters/anchors.py", "put_object"): "the key holds the hash of what is anchored, and the object is empty",
    ("adapters/bundles.py", "upload_file"): "the key holds the commit of the file, and versions are kept",
    ("adapters/bundles.py", "put_object"): "the key holds the commit of the bundle, and versions are kept",
    ("adapters/dynamodb.py", "put_item"): "the condition is in the options that it is called with",
    ("adapters/strategies.py", "to_put"): "VALIDATED is a copy of the current strategy; the ledger keeps each",
    ("weigh_evidence.py", "put_object"): "the key holds the hash of the evidence",
}
"""Writes without a condition, and why what they replace is no other record."""


def writes() -> Iterator[tuple[str, str]]:
    """Yield each write in the runtime that states no condition: its module and the name of the call."""
    for path in sorted(RUNTIME.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
                stated = {keyword.arg for keyword in node.keywords}
                positional = len(node.args) > 1 and node.func.attr == "to_put"
                if "condition" not in stated and not positional:
                    yield str(path.relative_to(RUNTIME)), node.func.attr


def test_every_write_states_on_what_condition_or_why_it_needs_none():
    assert set(writes()) == MAY_REPLACE.keys()


TIMED = [
    kind
    for kind in KINDS.values()
    if any(name.endswith("_at") for name in inspect.signature(getattr(kind, "key", lambda: None)).parameters)
]


@pytest.mark.parametrize("kind", TIMED)
def test_a_key_that_holds_a_time_is_made_once(kind: Any):
    arguments = ["2026-03-02T09:30:00.000Z"] * len(inspect.signature(kind.key).parameters)
    keys = {kind.key(*arguments) for _ in range(1_000)}
    assert len(keys) == 1_000


def test_keys_that_hold_a_time_are_there():
    assert len(TIMED) == 4


@pytest.fixture
def still(monkeypatch):
    """Let no time pass for whatever writes a record."""
    for module in ("read_narrative", "deliver_explanation"):
        monkeypatch.setattr(f"runtime.{module}.timestamp", lambda moment: "2026-03-02T09:30:00.000Z")
    for module in ("erasure", "hold"):
        monkeypatch.setattr(f"triage.audit.{module}.timestamp", lambda moment: "2026-03-02T09:30:00.000Z")


def test_each_of_many_records_of_one_moment_is_kept(cloud, story, still):
    asked = {"complaint_id": "1", "requester": "ann", "purpose": "a test"}
    read = reading(cloud.read_narrative, cloud.session())
    for _ in range(20):
        assert read(asked, None)["words"] == NARRATIVE
    assert len(entries(story, READING)) == 20

    explanation = any_explanation(
        complaint_id="1",
        text_sha256=sha256_of_text(NARRATIVE),
        read_sha256=sha256_of_text(NARRATIVE),
        redaction_version=None,
    )
    story.put(explanation)
    request = explanation.request
    key = ExplanationEntry.key(request.task, request.request_id)
    story.put({**story.get("1", explanation.entry), "entry": key})
    deliver = delivering(cloud.deliver_explanation, cloud.session())
    wanted = {"complaint_id": "1", "task": request.task, "request_id": request.request_id, "requester": "ann"}
    for _ in range(5):
        deliver(wanted, None)
    assert len(entries(story, DELIVERY)) == 5

    for _ in range(3):
        hold(cloud)
        hold(cloud, "lift")
    assert len(entries(story, HOLD)) == 3
    for _ in range(3):
        erase(cloud, snapshots={"acme/complaints": 1})
        cloud.table(RAW_COMPLAINTS).put({"complaint_id": "1", "narrative": NARRATIVE, "triage_state": "allocated"})
    assert len(entries(story, ERASURE)) == 3
