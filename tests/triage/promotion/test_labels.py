from collections.abc import Iterable
from itertools import permutations
from typing import Any

import pytest

from tests.factories import any_allocation, any_feedback, any_model_reference, any_prediction, any_revision
from triage.promotion.labels import keys, labelled, statements
from triage.story import ALLOCATION, FeedbackEntry, PredictionEntry

CHAMPION, NEXT = (any_model_reference(model_id=f"acme/{name}", revision=any_revision(name)) for name in ("a", "b"))


def any_statement(label: str = "Mortgage", *, task: str = "product", at: str = "10", **values: Any) -> FeedbackEntry:
    """at: the hour."""
    moment = f"2026-03-02T{at}:00:00.000Z"
    feedback = any_feedback(**{"kind": "reallocate", "product": label, "mode": "blind", **values})
    return FeedbackEntry(
        complaint_id=feedback.complaint_id,
        entry=FeedbackEntry.key(2),
        code_version="test",
        made_version=2,
        applied_at=moment,
        labelled_on=moment[:10],
        labels={task: label},
        feedback=feedback,
    )


def story(*predictions: PredictionEntry, **allocation: Any) -> dict[str, dict[str, Any]]:
    entries = [any_allocation(**allocation), *predictions]
    return {entry.entry: entry.model_dump(mode="json") for entry in entries}


def said(entries: Iterable[FeedbackEntry], task: str = "product") -> dict[str, str]:
    return {complaint: entry.labels[task] for complaint, entry in statements(task, entries).items()}


def test_who_did_not_see_the_answer_is_believed_before_whoever_did_even_later():
    blind = any_statement("Mortgage", at="10")
    assisted = any_statement("Student loan", at="12", mode="assisted")
    for entries in permutations((blind, assisted)):
        assert said(entries) == {"8123456": "Mortgage"}


@pytest.mark.parametrize("mode", ["blind", "assisted"])
def test_of_two_who_looked_alike_the_later_is_believed(mode):
    for entries in permutations((any_statement("Mortgage", at="10", mode=mode), any_statement("Card", at="12"))):
        assert said(entries) == {"8123456": "Card"}
    early, late = any_statement("Mortgage", at="10", mode=mode), any_statement("Card", at="12", mode=mode)
    for entries in permutations((early, late)):
        assert said(entries) == {"8123456": "Card"}


def test_a_statement_about_another_task_says_nothing_about_this_one():
    about_issue = any_statement("Closing on a mortgage", task="issue", at="12")
    assert said([about_issue]) == {}
    assert said([any_statement("Mortgage", at="10"), about_issue]) == {"8123456": "Mortgage"}


def test_each_complaint_has_a_statement_of_its_own():
    entries = [any_statement("Mortgage", complaint_id="1"), any_statement("Card", complaint_id="2")]
    assert said(entries) == {"1": "Mortgage", "2": "Card"}


def test_what_is_read_beside_a_statement_is_where_predictions_are_written():
    read = keys("8123456", "product", [CHAMPION.version, NEXT.version])
    beside = NEXT.model_copy(update={"shadow": True})
    written = [any_prediction(model=model).entry for model in (CHAMPION, NEXT, beside)]
    assert {("8123456", entry) for entry in (ALLOCATION, *written)} <= set(read)
    assert len(read) == len(set(read)) == 5


def pair(statement: FeedbackEntry, found: dict[str, dict[str, Any]]):
    return labelled(statement, "product", found, champion=CHAMPION.version, challenger=NEXT.version)


def test_a_label_stands_beside_what_both_sides_said_be_it_as_a_shadow():
    shadow = NEXT.model_copy(update={"shadow": True})
    found = story(
        any_prediction(model=CHAMPION, label="Mortgage", confidence=0.9),
        any_prediction(model=shadow, label="Card", confidence=0.7),
    )
    one = pair(any_statement("Card", stratum="uncertain", inclusion=0.25), found)
    assert one.champion and (one.champion.label, one.champion.automatic) == ("Mortgage", True)
    assert one.challenger and (one.challenger.label, one.challenger.automatic) == ("Card", False)
    assert (one.truth, one.blind, one.inclusion, one.stratum) == ("Card", True, 0.25, "uncertain")


def test_whoever_was_not_asked_has_said_nothing():
    one = pair(any_statement(), story(any_prediction(model=CHAMPION)))
    assert one.champion is not None and one.challenger is None


@pytest.mark.parametrize(
    ("threshold", "automatic"), [(0.9, True), (0.91, False), (None, False)], ids=["at", "below", "none"]
)
def test_an_answer_is_automatic_from_its_own_threshold_on(threshold, automatic):
    prediction = any_prediction(model=CHAMPION, confidence=0.9, thresholds={"auto": threshold})
    one = pair(any_statement(), story(prediction))
    assert one.champion and one.champion.automatic is automatic


@pytest.mark.parametrize(("vulnerable", "group"), [(True, "yes"), (False, "no"), (None, "unknown")])
def test_a_complaint_belongs_to_the_groups_of_its_allocation(vulnerable, group):
    one = pair(any_statement(), story(vulnerable=vulnerable, product="Mortgage"))
    assert one.groups == ("product:Mortgage", f"vulnerable:{group}")


def test_without_an_allocation_it_belongs_to_none():
    assert pair(any_statement(), {}).groups == ()
