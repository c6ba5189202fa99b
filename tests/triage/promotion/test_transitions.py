from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.factories import NOW, any_arm, any_change, any_strategy
from triage.errors import StrategyRefusedError
from triage.promotion.gates import Gates, Schedule
from triage.promotion.transitions import challenger_named, promoted, restored, widened, withdrawn
from triage.strategies.ledger import LedgerEntry
from triage.strategies.strategy import BUCKETS, Strategy, assign, sample
from triage.strategies.strategy_change import succeed

SUBJECTS = tuple(f"customer-{number}" for number in range(300))
SHARES = st.integers(1, BUCKETS - 1)


def reached(strategy: Strategy, name: str = "next") -> set[str]:
    return {subject for subject in SUBJECTS if assign(strategy, subject).arm.name == name}


@given(SHARES, SHARES)
def test_no_subject_leaves_a_challenger_that_is_widened(one, other):
    narrow, wide = sorted((one, other))
    canary = widened(any_strategy(shadows={"next": BUCKETS}), "next", narrow)
    wider = widened(canary, "next", wide)
    assert reached(canary) <= reached(wider) <= reached(promoted(wider, "next"))
    assert (canary.kind, wider.kind) == ("canary", "canary")


@given(SHARES)
def test_a_shadow_that_is_let_in_answers_its_share_and_is_no_longer_a_shadow(share):
    shadowed = any_strategy(shadows={"next": 5_000, "another": 700})
    canary = widened(shadowed, "next", share)
    assert {arm.name: arm.share for arm in canary.arms} == {"champion": BUCKETS - share, "next": share}
    assert canary.shadows == (challenger_named(shadowed, "another"),)
    assert canary.champion_arm.version == shadowed.champion_arm.version


def test_widening_a_canary_changes_no_sample_of_other_shadows():
    canary = any_strategy({"champion": 9_500, "next": 500}, shadows={"another": 5_000})
    wider = widened(canary, "next", 2_500)
    assert all(sample(canary, subject) == sample(wider, subject) for subject in SUBJECTS)


@pytest.mark.parametrize(
    "strategy",
    [
        any_strategy({"champion": 9_500, "next": 500}),
        any_strategy({"champion": 8_000, "next": 1_000, "rival": 1_000}),
        any_strategy(shadows={"next": 100}),
    ],
    ids=["canary", "ab", "shadow"],
)
def test_whoever_is_promoted_answers_all_alone_and_keeps_gates_and_schedule(strategy):
    after = promoted(strategy, "next")
    assert (after.kind, after.champion, after.ends_at) == ("single", "next", None)
    assert reached(after) == set(SUBJECTS)
    kept = {"task", "experiment", "salt", "gates", "guardrails", "schedule"}
    assert after.model_dump(include=kept) == strategy.model_dump(include=kept)


def test_other_shadows_go_on_beside_a_new_champion():
    after = promoted(any_strategy({"champion": 9_500, "next": 500}, shadows={"another": 5_000}), "next")
    assert (after.kind, [arm.name for arm in after.shadows]) == ("shadow", ["another"])


def test_a_withdrawn_challenger_leaves_the_others_their_shares():
    tested = any_strategy({"champion": 7_000, "next": 1_000, "rival": 2_000}, shadows={"another": 5_000})
    after = withdrawn(tested, "next")
    assert {arm.name: arm.share for arm in after.arms} == {"champion": 8_000, "rival": 2_000}
    assert (after.kind, after.ends_at, after.shadows) == ("ab", tested.ends_at, tested.shadows)


def test_whoever_answers_for_buckets_before_those_of_a_withdrawn_challenger_keeps_them():
    tested = any_strategy({"champion": 7_000, "a": 1_000, "b": 2_000})
    assert reached(withdrawn(tested, "b"), "a") == reached(tested, "a")
    assert reached(withdrawn(tested, "b")) == set()
    assert reached(withdrawn(tested, "a"), "b") > reached(tested, "a"), "as decision 0009 says of widening"


def test_with_the_last_challenger_an_ab_test_is_over():
    tested = any_strategy({"champion": 7_000, "next": 3_000}, kind="ab")
    after = withdrawn(tested, "next")
    assert (after.kind, after.ends_at, after.champion_arm.share) == ("single", None, BUCKETS)


def test_a_withdrawn_shadow_leaves_the_others():
    after = withdrawn(any_strategy(shadows={"next": 100, "another": 5_000}), "next")
    assert (after.kind, [arm.name for arm in after.shadows]) == ("shadow", ["another"])
    assert withdrawn(after, "another").kind == "single"


@pytest.mark.parametrize("name", ["champion", "nobody"])
def test_only_a_challenger_is_found(name):
    strategy = any_strategy({"champion": 9_500, "next": 500}, shadows={"another": 5_000})
    assert [challenger_named(strategy, each).name for each in ("next", "another")] == ["next", "another"]
    with pytest.raises(LookupError, match=f"product has no challenger named '{name}'"):
        challenger_named(strategy, name)


def test_a_transition_to_an_invalid_strategy_is_refused():
    with pytest.raises(ValidationError, match="less than or equal to 10000"):
        widened(any_strategy(shadows={"next": 100}), "next", BUCKETS + 1)


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


def test_without_a_challenger_a_rollback_brings_back_the_champion_before():
    second = any_strategy({"second": BUCKETS}, gates=Gates(margin=0.1), schedule=Schedule(mode="manual"))
    back = restored(second, ledger(crowned("first"), second, second), version=4)
    assert back.champion_arm.version == any_arm("first").version
    assert (back.kind, back.champion_arm.share, back.task) == ("single", BUCKETS, second.task)
    assert (back.gates, back.guardrails, back.schedule) == (second.gates, second.guardrails, second.schedule)


def test_a_rollback_brings_back_the_latest_other_champion():
    champions = [crowned(name) for name in ("first", "second", "third")]
    assert restored(champions[-1], ledger(*champions), version=4).champion_arm.version == any_arm("second").version


def test_each_rollback_assigns_subjects_anew():
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
