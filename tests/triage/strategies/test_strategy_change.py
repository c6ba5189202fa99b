from datetime import timedelta

import pytest

from tests.factories import NOW, any_change, any_sha256, any_strategy
from triage.errors import StrategyRefusedError
from triage.strategies.ledger import Attribution, EvidenceReference, LedgerEntry, Target, shared
from triage.strategies.registry import ModelStrategy, Proposal
from triage.strategies.strategy import Strategy
from triage.strategies.strategy_change import Change, approve, succeed

CANARY = any_strategy({"champion": 9_500, "next": 500})


def after(*changes: Change) -> tuple[ModelStrategy, list[LedgerEntry]]:
    """Return the row and the ledger after changes an hour apart."""
    row: ModelStrategy | None = None
    ledger: list[LedgerEntry] = []
    for hours, change in enumerate(changes):
        last = ledger[-1] if ledger else None
        row, entry = succeed(row, change, last=last, now=NOW + timedelta(hours=hours))
        ledger.append(entry)
    assert row is not None
    return row, ledger


def widened(share: int) -> Strategy:
    return any_strategy({"champion": 10_000 - share, "next": share})


def test_each_change_counts_a_version_and_says_who_answers_from_when_on():
    row, ledger = after(any_change(CANARY), any_change(widened(2_500), kind="widen"))
    assert row.version == 2
    assert [entry.strategy_version for entry in ledger] == [1, 2]
    assert {entry.champion for entry in ledger} == {CANARY.champion_arm.version}
    assert [entry.previous for entry in ledger] == [None, CANARY.champion_arm.version]
    assert ledger[1].valid_from == row.changed_at == "2026-03-02T10:30:00.000Z"


def test_a_clock_that_is_behind_does_not_put_an_entry_before_another():
    _, first = succeed(None, any_change(CANARY), last=None, now=NOW)
    row, second = succeed(None, any_change(CANARY), last=first, now=NOW - timedelta(days=1))
    assert second.valid_from == row.changed_at == "2026-03-02T09:30:00.001Z" > first.valid_from


def test_an_experiment_goes_on_while_it_is_widened_and_its_stage_begins_anew():
    row, _ = after(any_change(CANARY), any_change(widened(2_500), kind="widen"))
    assert row.experiment_since == "2026-03-02T09:30:00.000Z"
    assert row.stage_since == "2026-03-02T10:30:00.000Z"


@pytest.mark.parametrize(
    "strategy",
    [
        any_strategy({"champion": 9_500, "next": 500}, experiment="another"),
        any_strategy({"champion": 9_500, "next": 500}, salt="another"),
        any_strategy({"next": 9_500, "champion": 500}),
    ],
    ids=["name", "salt", "champion"],
)
def test_another_comparison_begins_anew(strategy):
    row, _ = after(any_change(CANARY), any_change(strategy))
    assert row.experiment_since == "2026-03-02T10:30:00.000Z"


def test_what_a_challenger_has_earned_lasts_while_it_is_widened():
    earned = any_change(CANARY, kind="widen", earned=True)
    assert after(earned)[0].earned
    assert not after(earned, any_change(CANARY))[0].earned, "somebody set up something new"
    assert not after(earned, any_change(any_strategy(), kind="roll_back", earned=True))[0].earned


def test_a_freeze_outlasts_other_changes_until_it_is_lifted():
    frozen, _ = after(any_change(CANARY), any_change(CANARY, kind="freeze", actor="eve", reason="year end"))
    assert frozen.frozen
    assert (frozen.frozen.by, frozen.frozen.reason, frozen.strategy) == ("eve", "year end", CANARY)
    both = (any_change(CANARY), any_change(CANARY, kind="freeze"), any_change(any_strategy(), kind="roll_back"))
    assert after(*both)[0].frozen
    assert after(*both, any_change(any_strategy(), kind="unfreeze"))[0].frozen is None


def test_a_proposal_changes_nothing_until_a_second_person_approves():
    crowned = any_strategy({"next": 10_000})
    proposes = any_change(crowned, kind="propose", proposes="promote", actor="bob", reason="it is better")
    row, ledger = after(any_change(CANARY, actor="ann"), proposes)
    assert row.strategy == CANARY
    assert ledger[-1].champion == CANARY.champion_arm.version
    change = approve(row, by="eve", change_id="c")
    assert (change.kind, change.strategy, change.actor, change.approver) == ("promote", crowned, "bob", "eve")
    promoted, entry = succeed(row, change, last=ledger[-1], now=NOW + timedelta(days=1))
    assert (promoted.strategy, promoted.proposal) == (crowned, None)
    assert (entry.champion, entry.actor, entry.approver) == (crowned.champion_arm.version, "bob", "eve")


def test_no_field_is_lost_between_a_change_its_proposal_and_the_ledger():
    evidence = EvidenceReference(key="product/first/a.json", sha256=any_sha256("a"))
    values = {"reason": "it is better", "evidence": evidence, "earned": True, "change_id": "c", "actor": "bob"}
    proposes = any_change(CANARY, kind="propose", proposes="promote", **values)
    row, ledger = after(any_change(CANARY), proposes)
    assert row.proposal and shared(row.proposal, Target) == shared(proposes, Target) | {"kind": "promote"}
    change = approve(row, by="eve", change_id="c")
    assert shared(change, Target) == shared(row.proposal, Target)
    urgent = change.model_copy(update={"break_glass": True})
    _, entry = succeed(row, urgent, last=ledger[-1], now=NOW + timedelta(days=1))
    assert shared(entry, Attribution) == shared(urgent, Attribution)
    assert all(shared(entry, Attribution).values()), "so that the comparison sees every field"


def test_rows_and_entries_that_were_stored_before_are_still_read():
    strategy = CANARY.model_dump(mode="json")
    evidence = {"key": "product/first/a.json", "sha256": any_sha256("a")}
    proposal = {"by": "bob", "reason": "better", "at": "2026-03-01T09:30:00.000Z", "kind": "promote"}
    row = {
        "task": "product",
        "version": 2,
        "strategy": strategy,
        "changed_at": "2026-03-01T09:30:00.000Z",
        "changed_by": "bob",
        "proposal": {**proposal, "strategy": strategy, "evidence": evidence, "earned": True},
    }
    assert ModelStrategy.model_validate(row).proposal == Proposal(
        **proposal, strategy=CANARY, evidence=EvidenceReference(**evidence), earned=True
    )
    entry = {
        "task": "product",
        "valid_from": "2026-03-01T09:30:00.000Z",
        "kind": "promote",
        "champion": CANARY.champion_arm.version,
        "strategy_version": 2,
        "strategy": strategy,
        "actor": "bob",
        "approver": "eve",
        "reason": "better",
        "evidence": evidence,
        "change_id": "c",
    }
    read = LedgerEntry.model_validate(entry)
    assert (read.strategy, read.evidence) == (CANARY, EvidenceReference(**evidence))
    assert (read.kind, read.actor, read.approver, read.break_glass) == ("promote", "bob", "eve", False)


@pytest.mark.parametrize("who", ["ann", "bob"])
def test_neither_who_proposed_nor_who_set_up_the_experiment_is_the_second_person(who):
    proposes = any_change(CANARY, kind="propose", actor="bob")
    row, _ = after(any_change(CANARY, actor="ann"), any_change(CANARY, kind="widen", actor="engine"), proposes)
    with pytest.raises(StrategyRefusedError, match="somebody else"):
        approve(row, by=who, change_id="c")


def test_what_was_declined_cannot_be_approved():
    row, _ = after(any_change(CANARY), any_change(CANARY, kind="propose"), any_change(CANARY, kind="decline"))
    with pytest.raises(StrategyRefusedError, match="nothing is proposed"):
        approve(row, by="eve", change_id="c")


def test_what_was_declined_is_not_proposed_again_until_somebody_unfreezes_it():
    row, _ = after(
        any_change(CANARY), any_change(CANARY, kind="propose"), any_change(CANARY, kind="decline", actor="eve")
    )
    assert row.proposal is None
    assert row.frozen and row.frozen.by == "eve"


@pytest.mark.parametrize("kind", ["freeze", "propose", "decline"])
def test_a_task_without_a_strategy_has_nothing_to_note_on(kind):
    with pytest.raises(StrategyRefusedError, match="no strategy"):
        succeed(None, any_change(CANARY, kind=kind), last=None, now=NOW)
