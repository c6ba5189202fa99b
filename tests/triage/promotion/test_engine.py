from collections.abc import Iterable
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.factories import any_sha256, any_strategy
from tests.triage.promotion.factories import (
    answer,
    any_comparison,
    any_evidence,
    any_labelled,
    any_operations,
    labels,
    weighed,
)
from triage.promotion.engine import Judgement, course, judge, requested_change
from triage.promotion.evidence import Comparison, Evidence, Labelled, ReviewerShare
from triage.promotion.gates import Gates, Guardrails, Schedule
from triage.promotion.steps import Changed, Course, Verdict, Weighed
from triage.statistics import Calibration
from triage.strategies.ledger import EvidenceReference, LedgerEntry
from triage.strategies.strategy import BUCKETS, Strategy, assign
from triage.strategies.strategy_change import ENGINE

GATES = Gates()
CHEAPER = Gates(claim="non_inferiority", brings="half the cost")
WORSE: dict[str, Any] = {"difference": -0.06, "lower": -0.09, "upper": -0.04}
SLIGHTLY_WORSE: dict[str, Any] = {"difference": -0.02, "lower": -0.025, "upper": -0.01}


def judged(gates: Gates = GATES, **values: Any) -> Judgement:
    return judge(any_evidence(**values), gates, Guardrails())


def calibrated(error: float | None) -> Calibration:
    return Calibration(error=error, bins=())


def group(**values: Any) -> Comparison:
    return any_comparison(
        group="product:Mortgage", **{"n": Gates().min_group, "paired": 60, "lower": -0.2, "upper": 0.2, **values}
    )


def test_a_challenger_that_passes_every_gate_is_promoted_with_its_numbers():
    judgement = judged()
    assert judgement.verdict == "promote"
    assert judgement.reasons == ("accuracy: +3.0 points [+1.0, +5.0] on 1,000 labels",)
    assert all(gate.passed for gate in judgement.gates)


def test_one_that_need_not_be_better_is_promoted_where_it_is_shown_not_to_be_worse_by_the_margin():
    assert judged(CHEAPER, primary=any_comparison(**SLIGHTLY_WORSE)).verdict == "promote"
    assert judged(CHEAPER, primary=any_comparison(lower=-0.031)).verdict == "inconclusive"


def test_one_that_has_to_be_better_is_not_promoted_for_being_no_worse():
    assert judged(primary=any_comparison(lower=0.0)).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"failures": 40}, "40 of 1040 failed"),
        ({"predictions": 0, "failures": 20, "p95_ms": None, "commonest_share": None}, "20 of 20 failed"),
        ({"p95_ms": 351.0}, "p95 is 351 ms"),
        ({"commonest_share": 0.99}, "99% of its answers are one label"),
    ],
)
def test_a_challenger_that_runs_badly_is_rolled_back_whatever_its_labels_say(values, reason):
    judgement = judged(challenger_operations=any_operations(**values), hours=0.1, primary=any_comparison(n=0))
    assert judgement.verdict == "roll_back"
    assert reason in judgement.reasons[0]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"failures": 40}, {"failures": 40}),
        ({"predictions": 10, "failures": 9}, {}),
        ({"p95_ms": 340.0}, {}),
        ({"p95_ms": 1_400.0}, {"p95_ms": 1_000.0}),
        ({"p95_ms": None}, {}),
        ({"commonest_share": 0.99}, {"commonest_share": 0.95}),
        ({"commonest_share": 0.98}, {}),
    ],
    ids=["as often", "too few", "little", "not twice", "unknown", "as dull", "at the limit"],
)
def test_a_challenger_that_runs_as_well_as_the_champion_or_has_hardly_run_is_not_rolled_back(ours, theirs):
    running: dict[str, Any] = {
        "challenger_operations": any_operations(**ours),
        "champion_operations": any_operations(**theirs),
    }
    assert judged(**running).verdict == "promote"


def test_one_that_is_shown_to_be_worse_is_rolled_back():
    judgement = judged(primary=any_comparison(**SLIGHTLY_WORSE), hours=0.0)
    assert judgement.verdict == "roll_back"
    assert judgement.reasons == ("accuracy: -2.0 points [-2.5, -1.0] on 1,000 labels: worse",)


def test_one_that_need_not_be_better_is_rolled_back_only_beyond_the_margin():
    assert judged(CHEAPER, primary=any_comparison(**WORSE)).verdict == "roll_back"
    assert judged(CHEAPER, primary=any_comparison(**SLIGHTLY_WORSE)).verdict != "roll_back"


def test_one_that_loses_another_metric_is_rolled_back_however_good_the_primary_one_is():
    judgement = judged(others=(any_comparison("coverage", **WORSE),))
    assert judgement.verdict == "roll_back"
    assert "coverage" in judgement.reasons[0] and "more than the margin" in judgement.reasons[0]


def test_one_that_is_shown_to_fail_a_group_is_rolled_back_and_the_group_is_named():
    judgement = judged(groups=(group(**WORSE),))
    assert judgement.verdict == "roll_back"
    assert "product:Mortgage" in judgement.reasons[0]


@pytest.mark.parametrize(
    "values",
    [
        {"primary": any_comparison(n=199, **WORSE)},
        {"others": (any_comparison("coverage", n=199, **WORSE),)},
        {"groups": (group(**{**WORSE, "n": Gates().min_group - 1}),)},
    ],
    ids=["primary", "other", "group"],
)
def test_nothing_is_rolled_back_on_fewer_labels_than_were_asked_for(values):
    assert judged(**values).verdict != "roll_back"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"primary": any_comparison(n=199, lower=0.01)}, "199 of 200 labels"),
        ({"hours": 23.9}, "23.9 of 24 hours"),
    ],
)
def test_nothing_is_promoted_before_both_time_and_labels_are_reached(values, reason):
    judgement = judged(**values)
    assert judgement.verdict == "inconclusive"
    assert judgement.reasons == (reason,)


def test_without_any_label_nothing_is_decided():
    judgement = judge(weighed([]), GATES, Guardrails())
    assert judgement.verdict == "inconclusive"
    assert judgement.reasons[0] == "0 of 200 labels"


def test_another_metric_that_is_not_shown_yet_is_waited_for():
    judgement = judged(others=(any_comparison("coverage", lower=-0.05),))
    assert judgement.verdict == "inconclusive"
    assert judgement.reasons[0].startswith("no loss of coverage")


def test_a_group_that_seems_worse_holds_the_challenger_and_is_named():
    judgement = judged(groups=(group(difference=-0.04),))
    assert judgement.verdict == "hold"
    assert "product:Mortgage" in judgement.reasons[0]


@pytest.mark.parametrize(
    "values", [{"difference": -0.04, "n": Gates().min_group - 1}, {"difference": -0.02}], ids=["small", "slight"]
)
def test_a_group_that_is_small_or_slightly_worse_does_not_hold_it(values):
    assert judged(groups=(group(**values),)).verdict == "promote"


def test_a_challenger_with_a_larger_calibration_error_is_held():
    judgement = judged(challenger_calibration=calibrated(0.081), champion_calibration=calibrated(0.05))
    assert judgement.verdict == "hold"
    assert judgement.reasons == ("no loss of calibration error: 0.081; the champion's: 0.050",)
    assert judged(challenger_calibration=calibrated(0.079)).verdict == "promote"


def test_waiting_ends_where_more_labels_have_no_point():
    undecided = any_comparison(n=GATES.max_labels)
    assert judged(primary=undecided).verdict == "hold"
    assert judged(primary=any_comparison(n=GATES.max_labels - 1)).verdict == "inconclusive"


def test_a_challenger_that_passes_late_is_still_promoted():
    late: dict[str, Any] = {"n": GATES.max_labels, "lower": 0.01}
    assert judged(primary=any_comparison(**late), others=(any_comparison("coverage", **late),)).verdict == "promote"


QUICK = Gates(min_labels=1, min_group=1, min_hours=0, min_inclusion=0.1, max_labels=300, alpha=0.3)
"""So lenient that every verdict is reached on few labels."""

EVEN = QUICK.model_copy(update={"min_inclusion": 1.0})
CONFIDENCES = st.sampled_from([0.2, 0.6, 0.95])
ANSWERS = st.builds(answer, st.booleans(), confidence=CONFIDENCES, automatic=st.booleans())
GROUPS = st.sampled_from([(), ("product:Mortgage",), ("product:Mortgage", "vulnerable:yes")])
LABELLED = st.lists(
    st.tuples(
        st.builds(
            any_labelled,
            blind=st.booleans(),
            inclusion=st.sampled_from([None, 1.0]),
            groups=GROUPS,
            champion=st.none() | ANSWERS,
            challenger=st.none() | ANSWERS,
        )
        | st.builds(any_labelled, inclusion=st.sampled_from([0.05, 0.1, 0.5]), champion=ANSWERS, challenger=ANSWERS),
        st.integers(1, 60),
    ),
    max_size=6,
).map(lambda drawn: in_time(one for one, count in drawn for _ in range(count)))
GOOD = st.builds(
    lambda group, **sides: in_time(
        labels(**sides) + labels(right=20, better=8, worse=1, groups=group) + labels(right=20, better=8, wrong=9)
    ),
    GROUPS,
    right=st.integers(0, 100),
    better=st.integers(10, 40),
    worse=st.integers(1, 10),
    wrong=st.integers(0, 10),
)
"""Labels on which a lenient gate often promotes."""

OPERATIONS = st.builds(
    any_operations,
    predictions=st.integers(0, 100),
    failures=st.integers(0, 100),
    p95_ms=st.none() | st.floats(0, 5_000),
    commonest_share=st.none() | st.floats(0, 1),
)


def in_time(labelled: Iterable[Labelled]) -> list[Labelled]:
    """Return labels a minute apart, each of another complaint."""
    moments = (any_labelled(number) for number in count())
    return [
        one.model_copy(update={"complaint_id": moment.complaint_id, "at": moment.at})
        for one, moment in zip(labelled, moments, strict=False)
    ]


def verdict_on(evidence: Evidence, gates: Gates = EVEN) -> str:
    return judge(evidence, gates, Guardrails()).verdict


@given(LABELLED, OPERATIONS, OPERATIONS)
@settings(deadline=None, max_examples=40)
def test_any_evidence_gets_one_of_four_verdicts_and_always_the_same(labelled, ours, theirs):
    evidence = weighed(labelled, QUICK).model_copy(
        update={"challenger_operations": ours, "champion_operations": theirs}
    )
    judgement = judge(evidence, QUICK, Guardrails())
    assert judgement.verdict in ("promote", "hold", "roll_back", "inconclusive")
    assert judgement.reasons and all(judgement.reasons)
    assert judge(Evidence.model_validate_json(evidence.document()), QUICK, Guardrails()) == judgement


@pytest.mark.parametrize("inclusion", [0.05, 0.5])
def test_labels_of_people_who_saw_an_answer_may_be_of_a_random_sample_too(inclusion):
    assert weighed([any_labelled(blind=False, inclusion=inclusion, challenger=answer(False))]).assisted is not None


@given(LABELLED, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_the_order_in_which_labels_are_handed_over_changes_no_verdict(labelled, random):
    shuffled = list(labelled)
    random.shuffle(shuffled)
    assert verdict_on(weighed(shuffled, QUICK), QUICK) == verdict_on(weighed(labelled, QUICK), QUICK)


@given(GOOD, st.data())
@settings(deadline=None, max_examples=40)
def test_an_answer_that_turns_right_rolls_back_nothing_that_was_promoted(labelled, data):
    assume(verdict_on(weighed(labelled, EVEN)) == "promote")
    wrong = [n for n, one in enumerate(labelled) if one.challenger and one.challenger.label != one.truth]
    assume(wrong)
    turned = data.draw(st.sampled_from(wrong))
    better = labelled[turned].model_copy(update={"challenger": answer(True)})
    assert verdict_on(weighed([*labelled[:turned], better, *labelled[turned + 1 :]], EVEN)) != "roll_back"


@given(OPERATIONS, OPERATIONS, st.integers(0, 100), st.floats(0, 1))
@example(any_operations(predictions=98, failures=2), any_operations(), 2, 1.0)
def test_fewer_failures_and_a_shorter_time_roll_back_nothing_that_was_promoted(ours, theirs, fewer, faster):
    evidence = any_evidence(challenger_operations=ours, champion_operations=theirs)
    assume(verdict_on(evidence, GATES) == "promote")
    better = {"failures": max(0, ours.failures - fewer), "p95_ms": ours.p95_ms and ours.p95_ms * faster}
    improved = evidence.model_copy(update={"challenger_operations": ours.model_copy(update=better)})
    assert verdict_on(improved, GATES) == "promote"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5))
def test_bounds_that_rise_roll_back_nothing_that_was_promoted(lower, below, above, rise):
    """Draw only lower bounds that promote, because others would mostly be rejected."""
    primary = any_comparison(difference=lower + below, lower=lower, upper=lower + below + above)
    assume(verdict_on(any_evidence(primary=primary), GATES) == "promote")
    raised = primary.model_copy(update={"lower": primary.lower + rise, "upper": primary.upper + rise})
    assert verdict_on(any_evidence(primary=raised), GATES) == "promote"


COMPARISONS = st.builds(
    any_comparison,
    st.sampled_from(["accuracy", "coverage"]),
    n=st.integers(0, 20_000),
    difference=st.none() | st.floats(-1, 1),
    lower=st.floats(-1, 1),
    upper=st.floats(-1, 1),
    group=st.none() | st.just("vulnerable:yes"),
)


@given(
    st.builds(
        any_evidence,
        hours=st.floats(0, 1e6),
        primary=COMPARISONS,
        others=st.lists(COMPARISONS, max_size=3).map(tuple),
        groups=st.lists(COMPARISONS, max_size=3).map(tuple),
        champion_calibration=st.builds(calibrated, st.none() | st.floats(0, 1)),
        challenger_calibration=st.builds(calibrated, st.none() | st.floats(0, 1)),
        champion_operations=OPERATIONS,
        challenger_operations=OPERATIONS,
    ),
    st.sampled_from([GATES, CHEAPER, QUICK]),
)
def test_no_evidence_however_odd_stops_the_judge_and_every_verdict_has_its_reason(evidence, gates):
    judgement = judge(evidence, gates, Guardrails())
    assert judgement.verdict in ("promote", "hold", "roll_back", "inconclusive")
    assert judgement.reasons and all(judgement.reasons)
    assert judgement.verdict != "promote" or all(gate.passed for gate in judgement.gates)


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


def test_with_a_manual_schedule_the_engine_only_rolls_back():
    for stage in STAGES.values():
        manual = scheduled(stage, mode="manual")
        assert follows(manual, "promote", earned=True).kind is None
        assert follows(manual, "roll_back").strategy is not None


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("stage", STAGES)
def test_with_observe_only_the_engine_changes_nothing(stage, verdict):
    step = follows(scheduled(STAGES[stage], mode="observe_only"), verdict, earned=True)
    assert (step.kind, step.strategy, step.reason) == (None, None, "the schedule is observe_only")


@pytest.mark.parametrize("verdict", ["promote", "hold", "inconclusive"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_freeze_stops_everything_that_goes_forward(stage, verdict):
    step = follows(STAGES[stage], verdict, earned=True, frozen=True)
    assert (step.kind, step.reason) == (None, "the strategy is frozen")


MOMENTS = st.lists(st.tuples(st.sampled_from(VERDICTS), st.booleans(), st.booleans()), max_size=15)
STEPS = st.lists(st.integers(1, BUCKETS - 1), unique=True, max_size=5).map(lambda steps: tuple(sorted(steps)))


def lived(start: Strategy, moments: list[tuple[Verdict, bool, bool]]) -> list[tuple[Course, Strategy, Strategy, bool]]:
    """Return each course, the strategies before and after it, and whether the gates had been passed."""
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
def test_a_course_has_a_reason_even_where_nothing_changes(verdict):
    for stage in STAGES.values():
        assert follows(stage, verdict).reason
        assert course(
            stage, "next", Judgement(verdict=verdict, reasons=()), baked=True, earned=True, frozen=False
        ).reason


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
    change = requested_change(any_weighed(), second_approver=False)
    assert (change.kind, change.proposes, change.strategy, change.actor) == ("promote", None, CROWNED, ENGINE)
    assert (change.reason, change.earned, change.approver) == ("it is better", True, None)
    assert change.evidence and change.evidence.sha256 == any_sha256("a")


def test_a_new_champion_is_only_proposed_where_two_people_are_asked_for():
    change = requested_change(any_weighed(), second_approver=True)
    assert (change.kind, change.proposes, change.strategy) == ("propose", "promote", CROWNED)


@pytest.mark.parametrize("kind", ["widen", "roll_back", "stop"])
@pytest.mark.parametrize("second_approver", [True, False])
def test_nothing_but_a_new_champion_waits_for_a_second_person(kind, second_approver):
    change = requested_change(any_weighed(kind), second_approver=second_approver)
    assert (change.kind, change.proposes) == (kind, None)


def test_the_same_evidence_asks_for_the_same_change_and_other_evidence_for_another():
    other = EvidenceReference(key="product/first/b.json", sha256=any_sha256("b"))
    once, again, later = (
        requested_change(weighed, second_approver=False).change_id
        for weighed in (any_weighed(), any_weighed(strategy_version=5), any_weighed(evidence=other))
    )
    assert once == again != later
    assert requested_change(any_weighed("widen"), second_approver=False).change_id != once


@pytest.mark.parametrize(
    "values", [{"course": Course(kind=None, reason="frozen")}, {"evidence": None}], ids=["no course", "no evidence"]
)
def test_no_change_is_made_without_a_course_and_its_evidence(values):
    with pytest.raises(ValueError, match="no change follows for product"):
        requested_change(any_weighed(**values), second_approver=False)


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


def said_by(by: str = "ann", **values: Any) -> ReviewerShare:
    return ReviewerShare(**{"by": by, "labels": 100, "share": 0.1, "without": 0.1, **values})


LOSING: dict[str, Any] = {"difference": -0.1, "lower": -0.15, "upper": -0.05}


@pytest.mark.parametrize(
    ("primary", "reviewer", "reason"),
    [
        ({}, {"share": 0.51}, "hangs on ann, who gave 51% of the labels by weight (50% at most)"),
        ({}, {"without": 0.0}, "hangs on ann: without their 100 labels the difference is +0.0 points"),
        (LOSING, {"share": 0.51, "without": -0.1}, "hangs on ann, who gave 51%"),
        (LOSING, {"without": 0.01}, "hangs on ann: without their 100 labels the difference is +1.0 points"),
    ],
    ids=["promotes by share", "promotes against all others", "rolls back by share", "rolls back against all others"],
)
def test_a_verdict_that_hangs_on_one_reviewer_says_so_and_holds(primary, reviewer, reason):
    values: dict[str, Any] = {"primary": any_comparison(**primary)} if primary else {}
    others = said_by("bob", without=-0.1 if primary else 0.1)
    usual = judged(**values, reviewers=(said_by(without=-0.1 if primary else 0.1), others))
    assert usual.verdict == ("roll_back" if primary else "promote")
    found = judged(**values, reviewers=(said_by(**reviewer), others))
    assert found.verdict == "hold"
    assert reason in found.reasons[0]


def test_where_one_person_may_decide_the_verdict_stands():
    gates = GATES.model_copy(update={"max_reviewer_share": 1.0})
    assert judged(gates, reviewers=(said_by(share=1.0, without=None),)).verdict == "promote"


def test_a_reviewer_does_not_keep_a_broken_challenger_in_place():
    broken = judged(challenger_operations=any_operations(failures=40), reviewers=(said_by(share=1.0),))
    assert broken.verdict == "roll_back"


def test_forged_labels_of_one_person_turn_no_roll_back_into_a_promotion():
    """1,000 honest labels find the challenger worse; 40 of another person claim what is best for it."""
    honest = [
        one.model_copy(update={"by": f"reviewer {number % 20}"})
        for number, one in enumerate(labels(right=700, better=60, worse=160, wrong=80))
    ]
    forged = labels(better=40, by="eve")
    for known in (honest, honest + forged):
        found = judge(
            weighed(in_time(known), EVEN.model_copy(update={"min_labels": 200, "min_hours": 0})), EVEN, Guardrails()
        )
        assert found.verdict == "roll_back"


@pytest.mark.parametrize("name", ["no loss on product:Mortgage", "no loss of calibration error"])
def test_a_gate_that_compares_point_estimates_says_that_it_is_advisory(name):
    gates = {gate.name: gate for gate in judged(groups=(group(difference=0.0),)).gates}
    assert gates[name].advisory
    assert {gate for gate in gates if not gates[gate].advisory} == {
        gate for gate in gates if gate not in ("no loss on product:Mortgage", "no loss of calibration error")
    }
