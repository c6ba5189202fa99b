from typing import Any

import pytest

from tests.factories import any_sha256, any_strategy
from triage.promotion.course import Course
from triage.promotion.steps import Changed, Weighed, wanted
from triage.strategies.ledger import EvidenceReference, LedgerEntry
from triage.strategies.strategy_change import ENGINE

CROWNED = any_strategy({"next": 10_000})


def any_weighed(kind: Any = "promote", **values: Any) -> Weighed:
    default = {
        "task": "product",
        "strategy_version": 4,
        "acts": True,
        "challenger": "next",
        "verdict": "promote",
        "course": Course(kind=kind, reason="it is better", strategy=CROWNED, earned=True),
        "evidence": EvidenceReference(key="product/first/a.json", sha256=any_sha256("a")),
    }
    return Weighed(**{**default, **values})


def test_the_engine_makes_the_change_that_the_evidence_calls_for_and_says_on_what_grounds():
    change = wanted(any_weighed(), second_approver=False)
    assert (change.kind, change.proposes, change.strategy, change.actor) == ("promote", None, CROWNED, ENGINE)
    assert (change.reason, change.earned, change.approver) == ("it is better", True, None)
    assert change.evidence and change.evidence.sha256 == any_sha256("a")


def test_a_new_champion_is_only_proposed_where_two_people_are_asked_for():
    change = wanted(any_weighed(), second_approver=True)
    assert (change.kind, change.proposes, change.strategy) == ("propose", "promote", CROWNED)


@pytest.mark.parametrize("kind", ["widen", "roll_back", "stop"])
@pytest.mark.parametrize("second_approver", [True, False])
def test_nothing_but_a_new_champion_waits_for_a_second_person(kind, second_approver):
    change = wanted(any_weighed(kind), second_approver=second_approver)
    assert (change.kind, change.proposes) == (kind, None)


def test_the_same_evidence_asks_for_the_same_change_and_other_evidence_for_another():
    other = EvidenceReference(key="product/first/b.json", sha256=any_sha256("b"))
    once, again, later = (
        wanted(weighed, second_approver=False).change_id
        for weighed in (any_weighed(), any_weighed(strategy_version=5), any_weighed(evidence=other))
    )
    assert once == again != later
    assert wanted(any_weighed("widen"), second_approver=False).change_id != once


@pytest.mark.parametrize(
    "values", [{"course": Course(kind=None, reason="frozen")}, {"evidence": None}], ids=["no course", "no evidence"]
)
def test_no_change_is_made_without_a_course_and_its_evidence(values):
    with pytest.raises(ValueError, match="nothing is to be done for product"):
        wanted(any_weighed(**values), second_approver=False)


@pytest.mark.parametrize("evidence", [EvidenceReference(key="k", sha256=any_sha256("a")), None])
def test_an_event_says_what_the_ledger_says_and_names_the_evidence_by_its_hash(evidence):
    entry = LedgerEntry(
        task="product",
        valid_from="2026-03-02T09:30:00.000Z",
        kind="promote",
        champion="acme/next@b",
        previous="acme/champion@a",
        strategy_version=5,
        strategy=CROWNED,
        actor=ENGINE,
        reason="it is better",
        evidence=evidence,
        change_id="c",
    )
    changed = Changed.of(entry)
    shared = set(Changed.model_fields) - {"evidence_sha256"}
    assert changed.model_dump(include=shared) == entry.model_dump(include=shared)
    assert changed.evidence_sha256 == (any_sha256("a") if evidence else None)
