import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from runtime.adapters.dynamodb import from_item, to_item
from stacks.states import TIMED_OUT
from tests.factories import any_allocation
from triage.audit.chain import content_sha256
from triage.reason import ERRORS, REASONS, Code, Reason
from triage.story import AllocationEntry, SupersededEntry
from triage.tasks import TASKS, Task

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
ASKING = Task(name="urgency", leads_to="person")


@pytest.mark.parametrize(
    ("text", "task", "code", "leads_to"),
    [
        ("product: confidence below threshold", "product", "low_confidence", "person"),
        ("issue: the model states no threshold", "issue", "no_threshold", "person"),
        ("product: the label is not in the taxonomy", "product", "unknown_product", "person"),
        ("issue: not one of the product's issues", "issue", "foreign_issue", "person"),
        ("issue: not named since the re-allocation", "issue", "issue_not_named", "person"),
        ("product: no model answered", "product", "no_model", "person"),
        ("issue: ModelFailedError", "issue", "model_failed", "person"),
        ("product: Sandbox.Timedout", "product", "model_failed", "person"),
        ("selection: States.Timeout", None, "selection_failed", "person"),
        ("narrative is empty", None, "narrative_empty", "person"),
        ("narrative is missing", None, "narrative_missing", "person"),
        ("narrative is not text", None, "narrative_not_text", "person"),
        ("vulnerable: said (health)", "vulnerable", "stated", "specialist"),
        ("vulnerable: tag (Older American)", "vulnerable", "stated", "specialist"),
        ("vulnerable: model", "vulnerable", "found", "specialist"),
        ("vulnerable: set by a person", "vulnerable", "set_by_person", "specialist"),
        ("vulnerable: ModelFailedError", "vulnerable", "model_failed", "specialist"),
        ("vulnerable: what the complaint states was not recorded", "vulnerable", "not_recorded", "specialist"),
        (
            "vulnerable: the model does not say which label is the positive one",
            "vulnerable",
            "no_positive_label",
            "specialist",
        ),
        ("tags are not a list of texts", "vulnerable", "tags_not_texts", "specialist"),
        ("tags: another wording", "vulnerable", "unknown", "specialist"),
        ("account_vulnerable is not a boolean", "vulnerable", "account_flag_not_boolean", "specialist"),
        ("account_vulnerable: another wording", "vulnerable", "unknown", "specialist"),
        ("urgency: confidence below threshold", "urgency", "low_confidence", "person"),
        ("issue: another wording", "issue", "unknown", "person"),
        ("another wording", None, "unknown", "person"),
    ],
)
def test_a_stored_text_is_read_as_the_reason_that_it_was(text, task, code, leads_to):
    reason = TypeAdapter(Reason).validate_python(text)
    assert (reason.task, reason.code, reason.leads_to, reason.text) == (task, code, leads_to, text)


def test_an_allocation_stores_its_reasons_as_texts():
    texts = ["product: confidence below threshold", "vulnerable: said (health)"]
    allocation = any_allocation(reasons=texts)
    assert allocation.model_dump(mode="json")["reasons"] == texts
    assert AllocationEntry.model_validate_json(allocation.model_dump_json()) == allocation
    assert [reason.code for reason in allocation.reasons] == ["low_confidence", "stated"]


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


DETAILS = {"stated": "tag (Servicemember)", "unknown": "something else", "selection_failed": "States.Timeout"}


@pytest.mark.parametrize("code", REASONS)
@pytest.mark.parametrize("task", [*TASKS.values(), ASKING], ids=lambda task: task.name)
def test_the_text_of_every_reason_says_its_task_and_code(code, task):
    about = task if "{task}" in REASONS[code].wording else None
    reason = Reason.why(code, about, detail=DETAILS.get(code, "Sandbox.Timedout"))
    assert Reason.read(reason.text) == reason


@given(st.text())
def test_any_text_at_all_can_be_read(text):
    assert Reason.read(text).text == text


def test_every_code_has_a_meaning():
    assert set(REASONS) == set(get_args(Code))


def test_an_error_that_a_reason_names_is_explained_with_it():
    explanation = Reason.read("product: Sandbox.Timedout").explanation
    assert explanation == f"{REASONS['model_failed'].explanation} {ERRORS['Sandbox.Timedout']}"
    assert set(TIMED_OUT) <= ERRORS.keys()


def rows(header: str) -> list[list[str]]:
    """Cells of the table of the operations guide that has this header."""
    table = re.search(rf"^{re.escape(header)}\n\|[-|]+\n((?:\|.*\n)+)", OPERATIONS.read_text(), re.MULTILINE)
    assert table, f"no table begins with {header}"
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table[1].splitlines()]


def test_the_operations_guide_explains_every_reason_in_the_words_of_the_code():
    written = {
        code: (meaning.wording.format(task="TASK", detail="…"), meaning.explanation)
        for code, meaning in REASONS.items()
    }
    shown = {code.strip("`"): (text.strip("`"), words) for code, text, words in rows("| code | text | what it says |")}
    assert shown == written


def test_the_operations_guide_explains_the_same_errors_as_the_code():
    assert {name.strip("`"): words for name, words in rows("| error | what it says |")} == ERRORS
