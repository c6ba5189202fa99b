from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import any_strategy
from triage.promotion.course import Course, course
from triage.promotion.gates import Schedule
from triage.promotion.verdict import Judgement, Verdict
from triage.strategies.strategy import BUCKETS, Strategy, assign

SHADOWED = any_strategy(shadows={"next": BUCKETS})
CANARY = any_strategy({"champion": 9_500, "next": 500})
WIDEST = any_strategy({"champion": 5_000, "next": 5_000})
TESTED = any_strategy({"champion": 5_000, "next": 5_000}, kind="ab")
STAGES = {"shadow": SHADOWED, "canary": CANARY, "widest": WIDEST, "ab": TESTED}
SUBJECTS = tuple(f"customer-{number}" for number in range(500))
VERDICTS: tuple[Verdict, ...] = ("promote", "hold", "roll_back", "inconclusive")


def judgement(verdict: Verdict) -> Judgement:
    return Judgement(verdict=verdict, reasons=("what was seen",))


def follows(strategy: Strategy, verdict: Verdict, **values: Any) -> Course:
    default = {"baked": True, "earned": False, "frozen": False}
    return course(strategy, "next", judgement(verdict), **{**default, **values})


def scheduled(strategy: Strategy, **values: Any) -> Strategy:
    return strategy.model_copy(update={"schedule": Schedule(**values)})


def share(strategy: Strategy | None) -> int:
    return next((arm.share for arm in strategy.challengers if arm.name == "next"), 0) if strategy else -1


@pytest.mark.parametrize("verdict", ["hold", "inconclusive"])
def test_a_shadow_that_has_not_passed_its_gates_stays_one(verdict):
    assert follows(SHADOWED, verdict).kind is None


def test_a_shadow_that_has_passed_answers_the_first_step_and_has_earned_the_rest():
    step = follows(SHADOWED, "promote", baked=False)
    assert (step.kind, share(step.strategy), step.earned) == ("widen", 100, True)


def test_a_shadow_waits_while_another_challenger_answers():
    strategy = any_strategy({"champion": 9_500, "rival": 500}, shadows={"next": BUCKETS})
    step = follows(strategy, "promote")
    assert (step.kind, step.reason) == (None, "another challenger answers already")


def test_without_steps_a_shadow_that_has_passed_is_promoted_at_once():
    step = follows(scheduled(SHADOWED, steps=()), "promote")
    assert step.kind == "promote"
    assert step.strategy and step.strategy.champion == "next"


@pytest.mark.parametrize("verdict", ["promote", "inconclusive"])
def test_a_canary_is_not_widened_before_its_share_has_been_in_force_for_long_enough(verdict):
    step = follows(CANARY, verdict, baked=False, earned=True)
    assert (step.kind, step.reason) == (None, "the present share has not been in force for long enough")


def test_a_canary_is_widened_by_one_step_and_what_it_has_earned_goes_with_it():
    for earned in (True, False):
        step = follows(CANARY, "inconclusive", earned=earned)
        assert (step.kind, share(step.strategy), step.earned) == ("widen", 2_500, earned)


def test_a_canary_between_two_steps_goes_to_the_wider_one():
    step = follows(any_strategy({"champion": 9_300, "next": 700}), "inconclusive")
    assert share(step.strategy) == 2_500


def test_guardrails_alone_widen_a_canary_but_never_promote_it():
    assert follows(WIDEST, "inconclusive").kind is None
    assert follows(any_strategy({"champion": 1_000, "next": 9_000}), "inconclusive").kind is None


@pytest.mark.parametrize(("verdict", "earned"), [("promote", False), ("inconclusive", True), ("promote", True)])
def test_a_canary_that_has_passed_its_gates_now_or_as_a_shadow_is_promoted(verdict, earned):
    step = follows(WIDEST, verdict, earned=earned)
    assert step.kind == "promote"
    assert step.strategy and (step.strategy.champion, step.strategy.kind) == ("next", "single")


def test_a_canary_that_is_held_stays_whatever_it_has_earned():
    assert follows(CANARY, "hold", earned=True).kind is None


@pytest.mark.parametrize("verdict", ["promote", "hold", "inconclusive"])
def test_an_ab_test_stays_as_it_is_until_it_ends(verdict):
    assert follows(TESTED, verdict, earned=True).kind is None


@pytest.mark.parametrize(("stage", "kind"), [("shadow", "stop"), ("canary", "roll_back"), ("ab", "roll_back")])
@pytest.mark.parametrize("values", [{}, {"frozen": True}, {"baked": False}, {"earned": True}], ids=str)
def test_a_challenger_is_withdrawn_at_any_stage_also_from_what_is_frozen(stage, kind, values):
    step = follows(STAGES[stage], "roll_back", **values)
    assert (step.kind, step.earned, step.reason) == (kind, False, "what was seen")
    assert step.strategy and not step.strategy.is_experiment
    assert {assign(step.strategy, subject).arm.name for subject in SUBJECTS} == {"champion"}


def test_a_manual_schedule_leaves_all_but_the_way_back_to_people():
    for stage in STAGES.values():
        manual = scheduled(stage, mode="manual")
        assert follows(manual, "promote", earned=True).kind is None
        assert follows(manual, "roll_back").strategy is not None


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("stage", STAGES)
def test_who_only_observes_changes_nothing(stage, verdict):
    step = follows(scheduled(STAGES[stage], mode="observe_only"), verdict, earned=True)
    assert (step.kind, step.strategy, step.reason) == (None, None, "observe only")


@pytest.mark.parametrize("verdict", ["promote", "hold", "inconclusive"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_freeze_stops_everything_that_goes_forward(stage, verdict):
    step = follows(STAGES[stage], verdict, earned=True, frozen=True)
    assert (step.kind, step.reason) == (None, "frozen")


MOMENTS = st.lists(st.tuples(st.sampled_from(VERDICTS), st.booleans(), st.booleans()), max_size=15)
STEPS = st.lists(st.integers(1, BUCKETS - 1), unique=True, max_size=5).map(lambda steps: tuple(sorted(steps)))


def lived(start: Strategy, moments: list[tuple[Verdict, bool, bool]]) -> list[tuple[Course, Strategy, Strategy, bool]]:
    """Each course with the strategy before it, the one after it, and whether the gates were passed by then."""
    strategy, earned, history = start, False, []
    for verdict, baked, frozen in moments:
        if not any(arm.name == "next" for arm in (*strategy.challengers, *strategy.shadows)):
            break
        step = follows(strategy, verdict, baked=baked, earned=earned, frozen=frozen)
        passed = earned or verdict == "promote"
        history.append((step, strategy, step.strategy or strategy, passed))
        earned = step.earned and step.kind == "widen" if step.strategy else earned
        strategy = step.strategy or strategy
    return history


@given(st.sampled_from([SHADOWED, CANARY]), STEPS, MOMENTS)
def test_whatever_is_judged_nothing_is_skipped_on_the_way(start, steps, moments):
    start = scheduled(start, steps=steps)
    for step, before, after, passed in lived(start, moments):
        assert Strategy.model_validate(after.model_dump()) == after
        assert sum(arm.share for arm in after.arms) == BUCKETS
        was, now = share(before), share(after)
        match step.kind:
            case None:
                assert after == before
            case "widen":
                assert after.champion_arm.version == before.champion_arm.version
                assert now == min(each for each in steps if each > was), "the next step and no other"
                assert passed or was > 0, "out of the shadow only with gates that were passed"
            case "promote":
                assert (after.champion, passed) == ("next", True)
                assert all(each <= was for each in steps), "after the widest step"
            case "roll_back" | "stop":
                assert (after.champion, now, after.is_experiment) == ("champion", 0, False)
                assert (step.kind == "stop") == (was == 0)


@given(STEPS, MOMENTS)
def test_no_subject_that_a_challenger_answers_is_taken_from_it_unless_it_is_withdrawn(steps, moments):
    history = lived(scheduled(SHADOWED, steps=steps), moments)
    reached = [
        {subject for subject in SUBJECTS if assign(after, subject).arm.name == "next"}
        for step, _, after, _ in history
        if step.kind not in ("roll_back", "stop")
    ]
    assert all(one <= other for one, other in pairwise(reached))


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_course_says_why_also_where_nothing_is_done(verdict):
    for stage in STAGES.values():
        assert follows(stage, verdict).reason
        assert course(
            stage, "next", Judgement(verdict=verdict, reasons=()), baked=True, earned=True, frozen=False
        ).reason
