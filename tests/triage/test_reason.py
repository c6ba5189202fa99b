import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from runtime.adapters.dynamodb import from_item, to_item
from stacks.states import STOPPED_BY_A_LIMIT
from tests.factories import any_allocation
from triage.audit.chain import content_sha256
from triage.errors import THROTTLED
from triage.reason import ERRORS, Code, Reason
from triage.story import AllocationEntry, SupersededEntry
from triage.tasks import TASKS, Task

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
ASKING = Task(name="urgency", asks="triage")


@pytest.mark.parametrize(
    ("text", "task", "code", "asks"),
    [
        ("product: confidence below threshold", "product", "LOW_CONFIDENCE", "triage"),
        ("issue: the model states no threshold", "issue", "NO_THRESHOLD", "team"),
        ("product: the label is not in the taxonomy", "product", "UNKNOWN_PRODUCT", "triage"),
        ("issue: not one of the product's issues", "issue", "FOREIGN_ISSUE", "team"),
        ("issue: not named since the re-allocation", "issue", "ISSUE_NOT_NAMED", "team"),
        ("product: no model answered", "product", "NO_MODEL", "triage"),
        ("issue: ModelFailedError", "issue", "MODEL_FAILED", "team"),
        ("product: Sandbox.Timedout", "product", "MODEL_FAILED", "triage"),
        ("selection: States.Timeout", None, "SELECTION_FAILED", "triage"),
        ("narrative is empty", None, "NARRATIVE_EMPTY", "triage"),
        ("narrative is missing", None, "NARRATIVE_MISSING", "triage"),
        ("narrative is not text", None, "NARRATIVE_NOT_TEXT", "triage"),
        ("vulnerable: said (health)", "vulnerable", "STATED", "specialist"),
        ("vulnerable: tag (Older American)", "vulnerable", "STATED", "specialist"),
        ("vulnerable: model", "vulnerable", "FOUND", "specialist"),
        ("vulnerable: set by a person", "vulnerable", "SET_BY_PERSON", "specialist"),
        ("vulnerable: ModelFailedError", "vulnerable", "MODEL_FAILED", "specialist"),
        ("vulnerable: what the complaint states was not recorded", "vulnerable", "NOT_RECORDED", "specialist"),
        (
            "vulnerable: the model does not say which label is the positive one",
            "vulnerable",
            "NO_POSITIVE_LABEL",
            "specialist",
        ),
        ("tags are not a list of texts", "vulnerable", "TAGS_NOT_TEXTS", "specialist"),
        ("tags: another wording", "vulnerable", "UNKNOWN", "specialist"),
        ("account_vulnerable is not a boolean", "vulnerable", "ACCOUNT_FLAG_NOT_BOOLEAN", "specialist"),
        ("account_vulnerable: another wording", "vulnerable", "UNKNOWN", "specialist"),
        ("urgency: confidence below threshold", "urgency", "LOW_CONFIDENCE", "triage"),
        ("issue: another wording", "issue", "UNKNOWN", "team"),
        ("another wording", None, "UNKNOWN", "triage"),
    ],
)
def test_a_stored_text_is_read_as_the_reason_that_it_was(text, task, code, asks):
    reason = TypeAdapter(Reason).validate_python(text)
    assert (reason.task, reason.code.name, reason.asks, reason.text) == (task, code, asks, text)


def test_an_allocation_stores_its_reasons_as_texts():
    texts = ["product: confidence below threshold", "vulnerable: said (health)"]
    allocation = any_allocation(reasons=texts)
    assert allocation.model_dump(mode="json")["reasons"] == texts
    assert AllocationEntry.model_validate_json(allocation.model_dump_json()) == allocation
    assert [reason.code for reason in allocation.reasons] == [Code.LOW_CONFIDENCE, Code.STATED]


def test_entries_sealed_before_reasons_had_codes_keep_their_hash_when_feedback_replaces_them():
    texts = ["product: confidence below threshold", "urgency: Sandbox.Timedout", "tags: another wording", "anything"]
    was = any_allocation().model_dump(mode="json", exclude_none=True) | {"reasons": texts}
    filed = SupersededEntry(
        complaint_id="8123456",
        code_version="test",
        entry=SupersededEntry.key(1),
        superseded_at="2026-03-02T10:00:00.000Z",
        allocation=AllocationEntry.model_validate(was),
    )
    assert content_sha256(from_item(to_item(filed))["allocation"]) == content_sha256(from_item(to_item(was)))


DETAILS = {Code.STATED: "tag (Servicemember)", Code.UNKNOWN: "something else"}


@pytest.mark.parametrize("code", Code)
@pytest.mark.parametrize("task", [*TASKS.values(), ASKING], ids=lambda task: task.name)
def test_the_text_of_every_reason_says_its_task_and_code(code, task):
    about = task if "{task}" in code.wording else None
    reason = Reason.why(code, about, detail=DETAILS.get(code, "Sandbox.Timedout"))
    assert Reason.read(reason.text) == reason


@given(st.text())
def test_any_text_at_all_can_be_read(text):
    assert Reason.read(text).text == text


def test_an_error_that_a_reason_names_is_explained_with_it():
    explanation = Reason.read("product: Sandbox.Timedout").explanation
    assert explanation == f"{Code.MODEL_FAILED.explanation} {ERRORS['Sandbox.Timedout']}"
    assert {*STOPPED_BY_A_LIMIT, THROTTLED} <= ERRORS.keys()


def rows(header: str) -> list[list[str]]:
    """Return the cells of the table with this header in the operations guide."""
    table = re.search(rf"^{re.escape(header)}\n\|[-|]+\n((?:\|.*\n)+)", OPERATIONS.read_text(), re.MULTILINE)
    assert table, f"no table begins with {header}"
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table[1].splitlines()]


def test_the_operations_guide_explains_every_reason_in_the_words_of_the_code():
    written = {code.name: (code.wording.format(task="TASK", detail="…"), code.explanation) for code in Code}
    shown = {code.strip("`"): (text.strip("`"), words) for code, text, words in rows("| code | text | what it says |")}
    assert shown == written


def test_the_operations_guide_explains_the_same_errors_as_the_code():
    assert {name.strip("`"): words for name, words in rows("| error | what it says |")} == ERRORS
