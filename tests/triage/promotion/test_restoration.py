from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import NOW, any_arm, any_change, any_strategy
from triage.errors import StrategyRefusedError
from triage.promotion.gates import Gates, Schedule
from triage.promotion.restoration import restored
from triage.promotion.transitions import withdrawn
from triage.strategies.ledger import LedgerEntry
from triage.strategies.strategy import BUCKETS, Strategy, assign, sample
from triage.strategies.strategy_change import succeed

SUBJECTS = tuple(f"customer-{number}" for number in range(200))


def ledger(*strategies: Strategy) -> tuple[LedgerEntry, ...]:
    entries: list[LedgerEntry] = []
    row = None
    for strategy in strategies:
        row, entry = succeed(row, any_change(strategy), last=entries[-1] if entries else None, now=NOW)
        entries.append(entry)
    return tuple(entries)


def crowned(name: str) -> Strategy:
    return any_strategy({name: BUCKETS})


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2_000), max_size=3),
    st.dictionaries(st.sampled_from("efgh"), st.integers(0, BUCKETS), max_size=3),
)
def test_without_challengers_the_champion_answers_every_subject(shares, shadows):
    left = BUCKETS - sum(shares.values())
    strategy = any_strategy({"champion": left, **shares}, shadows=shadows)
    if not strategy.is_experiment:
        return
    back = restored(strategy, (), version=9)
    assert (back.kind, back.ends_at, back.experiment) == ("single", None, strategy.experiment)
    assert {assign(back, subject).arm.version for subject in SUBJECTS} == {strategy.champion_arm.version}
    assert not any(sample(back, subject) for subject in SUBJECTS)


@given(st.integers(0, BUCKETS))
def test_a_withdrawn_canary_gives_every_subject_back_and_no_other_is_moved(share):
    canary = any_strategy({"champion": BUCKETS - share, "next": share})
    back = withdrawn(canary, "next")
    assert all(assign(back, subject).arm.name == "champion" for subject in SUBJECTS)
    assert back.champion_arm.version == canary.champion_arm.version


def test_where_nobody_challenges_the_champion_before_comes_back():
    second = any_strategy({"second": BUCKETS}, gates=Gates(margin=0.1), schedule=Schedule(mode="manual"))
    back = restored(second, ledger(crowned("first"), second, second), version=4)
    assert back.champion_arm.version == any_arm("first").version
    assert (back.kind, back.champion_arm.share, back.task) == ("single", BUCKETS, second.task)
    assert (back.gates, back.guardrails, back.schedule) == (second.gates, second.guardrails, second.schedule)


def test_the_champion_just_before_comes_back_and_not_an_older_one():
    champions = [crowned(name) for name in ("first", "second", "third")]
    assert restored(champions[-1], ledger(*champions), version=4).champion_arm.version == any_arm("second").version


def test_subjects_are_dealt_anew_after_each_return():
    history = ledger(crowned("first"), crowned("second"))
    names = [restored(crowned("second"), history, version=version).experiment for version in (3, 4)]
    assert all(one != other for one, other in pairwise(["first", *names]))


@pytest.mark.parametrize("history", [(), ledger(crowned("only")), ledger(crowned("only"), crowned("only"))])
def test_the_only_champion_there_was_cannot_be_replaced_by_another(history):
    with pytest.raises(StrategyRefusedError, match="only champion that product has had"):
        restored(crowned("only"), history, version=2)


def test_a_time_without_a_champion_is_skipped():
    first, second = ledger(crowned("first"), crowned("second"))
    nobody = second.model_copy(update={"champion": None, "strategy": None, "strategy_version": 0})
    back = restored(crowned("second"), (first, nobody, second), version=5)
    assert back.champion_arm.version == any_arm("first").version
