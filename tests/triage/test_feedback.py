import pytest
from pydantic import ValidationError

from tests.factories import any_feedback
from triage.errors import FeedbackRefusedError, UnknownProductError
from triage.feedback import FeedbackRow
from triage.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy()
MORTGAGE, CARD = (TAXONOMY.product(name) for name in ("Mortgage", "Credit card"))


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "reallocate"},
        {"kind": "correct_issue"},
        {"kind": "correct_issue", "product": "Mortgage", "issue": MORTGAGE.issues[0]},
        {"kind": "confirm", "product": "Mortgage"},
        {"kind": "clear_vulnerable", "issue": MORTGAGE.issues[0]},
        {"kind": "shout"},
        {"kind": "reallocate", "product": "Mortgage", "tasks": ("product",)},
        {"tasks": ()},
        {"tasks": ("Product",)},
        {"at": "2026-03-02T10:00:00"},
        {"feedback_id": "#"},
        {"by": ""},
        {"version": 0},
        {"kind": "confirm", "mode": "blind"},
        {"kind": "correct_issue", "issue": MORTGAGE.issues[0], "mode": "blind"},
        {"inclusion": 0},
        {"inclusion": 1.01},
        {"inclusion": float("nan")},
    ],
    ids=str,
)
def test_feedback_that_says_too_little_or_too_much_is_refused(values):
    with pytest.raises(ValidationError):
        any_feedback(**values)


def test_an_unknown_product_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownProductError, match="did you mean 'Mortgage'"):
        any_feedback(kind="reallocate", product="Mortgages").check(TAXONOMY, product="Credit card")


def test_an_issue_has_to_belong_to_its_product():
    foreign = next(issue for issue in CARD.issues if issue not in MORTGAGE.issues)
    any_feedback(kind="correct_issue", issue=foreign).check(TAXONOMY, product="Credit card")
    with pytest.raises(FeedbackRefusedError, match="is no issue of 'Mortgage'; its issues are"):
        any_feedback(kind="correct_issue", issue=foreign).check(TAXONOMY, product="Mortgage")
    with pytest.raises(FeedbackRefusedError, match="no product"):
        any_feedback(kind="correct_issue", issue=foreign).check(TAXONOMY, product=None)


def test_a_row_holds_the_feedback_as_it_was_said():
    drawn = {"mode": "blind", "stratum": "random", "inclusion": 0.05}
    feedback = any_feedback(kind="reallocate", product="Credit card", **drawn)
    row = FeedbackRow.of(feedback)
    assert (row.complaint_id, row.entry) == ("FEEDBACK#8123456", "f-1")
    assert row.feedback() == feedback


@pytest.mark.parametrize("tasks", [("issue", "product"), ["issue", "product"], {"product", "issue"}, "issue product"])
def test_the_tasks_of_a_confirmation_are_a_list_a_set_or_words(tasks):
    assert any_feedback(tasks=tasks).confirmed == ("issue", "product")


def test_a_confirmation_that_names_no_tasks_is_of_product_and_issue():
    assert any_feedback().confirmed == ("product", "issue")
    assert "tasks" not in FeedbackRow.of(any_feedback()).model_dump(exclude_none=True)


@pytest.mark.parametrize(
    "values",
    [{"kind": "reallocate", "product": "Credit card"}, {"kind": "set_vulnerable"}, {"kind": "clear_vulnerable"}],
)
def test_who_did_not_see_the_allocation_says_what_is_right(values):
    assert any_feedback(**values, mode="blind").mode == "blind"
