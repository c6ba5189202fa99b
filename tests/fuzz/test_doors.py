"""Whatever comes through a door ends in one of four ways, and nothing behind it stops.

taken     it did what it was handed in for: allocated, applied, mirrored, in force, submitted, answered
refused   nothing was changed, and whoever handed it in is told why
parked    people are called to look at it
known     it was there before, and nothing is done twice

`FUZZ_INPUTS` says how many inputs the doors take together.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Callable
from typing import TypeVar, get_args
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import feedback, mirror
from runtime.adapters.dynamodb import to_item
from tests.cli.conftest import aws, deployment, dev, functions, no_credentials, shell  # noqa: F401
from tests.factories import (
    any_allocation,
    any_arm,
    any_bundle,
    any_feedback,
    any_item,
    any_model_strategy,
    any_revision,
    any_strategy,
)
from tests.fuzz.arguments import arguments
from tests.fuzz.inputs import AttributeValue, attribute_values, files, near, rows, texts
from tests.fuzz.machine import Machine, put
from tests.runtime.conftest import cloud, hub, hub_endpoint, stream_records  # noqa: F401
from triage.feedback import INBOX, OURS, FeedbackRow, Kind
from triage.story import ALLOCATION, AllocationEntry
from triage.tables import COMPLAINTS_ALLOCATION, MODEL_INFO, MODEL_STRATEGY, RAW_COMPLAINTS

DOORS = 6
INPUTS = math.ceil(int(os.environ.get("FUZZ_INPUTS", "1000")) / DOORS)
MADE_BEFORE = os.environ.get("FUZZ_INPUTS") is None
"""Whether every run has the same inputs. A longer run has new ones each time."""

OUTCOMES = frozenset({"taken", "refused", "parked", "known"})
Input = TypeVar("Input")


def put_through(door: Callable[[Input], str], inputs: st.SearchStrategy[Input]) -> Counter[str]:
    """Return how often each outcome was seen."""
    found: Counter[str] = Counter()

    @settings(max_examples=INPUTS, derandomize=MADE_BEFORE, suppress_health_check=[*HealthCheck], print_blob=True)
    @given(inputs)
    def once(value: Input) -> None:
        outcome = door(value)
        assert outcome in OUTCOMES
        found[outcome] += 1

    once()
    print(door.__name__, dict(found))
    return found


@pytest.fixture
def machine(cloud, tmp_path) -> Machine:  # noqa: F811
    machine = Machine(cloud)
    machine.serve(tmp_path / "model")
    return machine


COMPLAINTS = rows(
    {"complaint_id": texts("1", "8123456")},
    {
        "narrative": [{"S": "My mortgage was sold without a word to me."}, {"S": "x" * 390_000}],
        "received_at": [{"S": "2026-03-02T09:30:00Z"}],
        "customer_id": [{"S": "c-1"}, {"N": "7"}],
        "tags": [{"SS": ["Older American"]}, {"L": [{"S": "Servicemember"}]}],
        "account_vulnerable": [{"BOOL": True}],
        "triage_state": [{"S": "started"}, {"S": "allocated"}, {"S": "parked"}],
        "triage_started_at": [{"S": "2026-03-02T09:30:00.000000Z"}],
        "triage_execution": [{"S": "1"}],
        "triage_attempts": [{"N": "1"}, {"N": "-3"}],
        "expires_at": [{"N": "1"}],
    },
)


def test_any_row_of_raw_complaints_is_allocated_or_parked(machine):
    def raw_complaints(row: dict[str, AttributeValue]) -> str:
        if not put(machine.complaints, RAW_COMPLAINTS, row):
            return "refused"
        complaint_id = row["complaint_id"]["S"]
        outcome = machine.triage(complaint_id)
        allocations = [one for one in machine.stories.query(complaint_id) if one["entry"] == ALLOCATION]
        machine.forget(complaint_id)
        if outcome == "parked":
            assert not allocations
            return "parked"
        (allocation,) = allocations
        AllocationEntry.model_validate(allocation)
        return "taken"

    assert {"taken", "refused"} <= {*put_through(raw_complaints, COMPLAINTS)}


FEEDBACK = rows(
    {"complaint_id": texts("1", "2").map(INBOX.__add__), "entry": texts("f-1", "f-2")},
    {
        "feedback_id": [{"S": "f-1"}, {"S": "f-2"}],
        "kind": [{"S": kind} for kind in get_args(Kind)],
        "product": [{"S": "Mortgage"}, {"S": "Credit card"}],
        "issue": [{"S": "Struggling to pay mortgage"}],
        "tasks": [{"SS": ["product"]}, {"L": [{"S": "issue"}]}],
        "by": [{"S": "ann"}, {"S": "o'brien+x,y"}],
        "role": [{"S": "agent"}],
        "mode": [{"S": "blind"}, {"S": "assisted"}],
        "stratum": [{"S": "random"}],
        "inclusion": [{"N": "0.1"}],
        "at": [{"S": "2026-03-02T09:30:00Z"}],
        "version": [{"N": "1"}, {"N": "2"}],
        "outcome": [{"S": "applied"}],
    },
)
KEYS = ("complaint_id", "entry")
APPLIES = any_feedback(complaint_id="1", feedback_id="f-1", kind="reallocate", product="Credit card")


def test_any_row_of_feedback_has_an_outcome(cloud):  # noqa: F811
    stories = cloud.table(COMPLAINTS_ALLOCATION)
    take = feedback.build(cloud.feedback, cloud.session())
    applies = to_item(FeedbackRow.of(APPLIES))

    def inbox(row: dict[str, AttributeValue]) -> str:
        stories.put(any_allocation(complaint_id="1"))
        if row.keys() & {*OURS}:
            # IAM refuses them to whoever hands in feedback.
            return "refused"
        if not put(stories, COMPLAINTS_ALLOCATION, row):
            return "refused"
        keys = {"complaint_id": row["complaint_id"]["S"], "entry": row["entry"]["S"]}
        take(stream_records(keys), None)
        outcome = stories.get(*keys.values())["outcome"]
        (current,) = (one for one in stories.query("1") if one["entry"] == ALLOCATION)
        AllocationEntry.model_validate(current)
        for written in stories.query("1"):
            stories.delete("1", written["entry"])
        stories.delete(*keys.values())
        return {"applied": "taken", "refused": "refused"}[outcome]

    found = put_through(inbox, FEEDBACK | near(applies, attribute_values(), kept=KEYS))
    assert {"taken", "refused"} <= {*found}


MODELS = rows(
    {"model_id": texts("acme/model", "acme/absent"), "revision": texts(any_revision(), "main")},
    {
        "task": [{"S": "product"}, {"S": "issue"}, {"S": "unknown"}],
        "state": [{"S": "champion"}, {"S": "registered"}],
        "bundle": [{"M": {"engine": {"S": "onnx"}}}],
        "failure": [{"S": "none"}],
        "registered_by": [{"S": "ann"}],
    },
)


@pytest.fixture
def published(hub, tmp_path) -> tuple[str, str]:  # noqa: F811
    """A model that can be mirrored, and its commit."""
    any_bundle(tmp_path / "published")
    model_id = f"acme/model-{uuid4().hex}"
    hub.create_repo(model_id)
    return model_id, hub.upload_folder(repo_id=model_id, folder_path=tmp_path / "published").oid


def test_any_row_of_model_info_is_mirrored_or_says_what_is_wrong_and_stops_no_complaint(
    machine,
    published,
    hub_endpoint,  # noqa: F811
):
    models = machine.cloud.table(MODEL_INFO)
    take = mirror.build(machine.cloud.mirror(hub_endpoint), machine.cloud.session())
    good = {name: {"S": value} for name, value in zip(("model_id", "revision"), published, strict=True)}

    def model_info(row: dict[str, AttributeValue]) -> str:
        if not put(models, MODEL_INFO, row):
            return "refused"
        keys = {"model_id": row["model_id"]["S"], "revision": row["revision"]["S"]}
        take(stream_records(keys), None)
        machine.select_anew()
        found = models.get(*keys.values())
        models.delete(*keys.values())
        if "failure" in found:
            return "refused"
        return "taken" if "bundle" in found else "nothing"

    found = put_through(
        model_info, MODELS | near({**good, "task": {"S": "product"}}, attribute_values({"S": "issue"}), kept=[*good])
    )
    assert {"taken", "refused"} <= {*found}


STRATEGIES = rows(
    {"task": texts("product", "issue"), "entry": texts("CURRENT", "VALIDATED")},
    {
        "version": [{"N": "1"}],
        "strategy": [to_item(any_model_strategy(any_strategy()))["strategy"], {"M": {}}],
        "changed_at": [{"S": "2026-03-02T09:30:00Z"}],
        "changed_by": [{"S": "ann"}],
        "earned": [{"BOOL": True}],
        "frozen": [{"M": {"by": {"S": "ann"}}}],
    },
)


def test_any_row_of_model_strategy_is_followed_or_refused_and_stops_no_complaint(machine):
    strategies = machine.cloud.table(MODEL_STRATEGY)
    champion = machine.champion
    followed = any_strategy(arms=(any_arm(model_id=champion.model_id, revision=champion.revision),))
    good = to_item(any_model_strategy(followed, version=7))
    inside = near(good["strategy"]["M"], attribute_values()).map(lambda changed: {**good, "strategy": {"M": changed}})

    def model_strategy(row: dict[str, AttributeValue]) -> str:
        if not put(strategies, MODEL_STRATEGY, row):
            return "refused"
        asked = machine.select_anew()
        strategies.delete(row["task"]["S"], row["entry"]["S"])
        return "taken" if any(model.strategy_version for model in asked) else "refused"

    found = put_through(model_strategy, STRATEGIES | near(good, attribute_values(), kept=["task", "entry"]) | inside)
    assert {"taken", "refused"} <= {*found}


def test_any_file_is_submitted_or_refused(shell, deployment, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)

    def submit(file: tuple[str, bytes]) -> str:
        name, content = file
        (tmp_path / name).write_bytes(content)
        before = len([*deployment.complaints.scan()])
        code, said, complained = shell("submit", name, "--json", "--env", "dev")
        (tmp_path / name).unlink()
        assert code in (0, 1, 2) and bool(code) == complained.splitlines()[-1].startswith("error: ")
        if not said:
            return "refused"
        totals = json.loads(said)
        added = len([*deployment.complaints.scan()]) - before
        assert totals["submitted"] == added + totals["duplicates"] + totals["rejected"]
        if added:
            return "taken"
        return "known" if totals["duplicates"] else "refused"

    assert {"taken", "refused", "known"} <= {*put_through(submit, files())}


def test_any_arguments_are_answered_or_refused(shell, deployment, functions, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIAGE_OPERATOR", "ann")
    deployment.complaints.put(any_item(complaint_id="1"))
    deployment.story.put(any_allocation(complaint_id="1"))

    def command(words: list[str]) -> str:
        code, _, complained = shell(*words)
        assert code in range(5)
        assert bool(code) == ("error: " in complained or "Usage: " in complained), words
        return "refused" if code else "taken"

    assert {"taken", "refused"} <= {*put_through(command, arguments())}
