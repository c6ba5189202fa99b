from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import permutations
from random import Random
from typing import Any

import pytest

from tests.factories import (
    NOW,
    any_allocation,
    any_feedback,
    any_model_reference,
    any_model_strategy,
    any_prediction,
    any_revision,
    any_strategy,
)
from tests.triage.promotion.factories import EVEN, answer, any_labelled, labels, weighed
from triage.complaint import timestamp
from triage.promotion.comparison import compare
from triage.promotion.comparison import metrics as all_metrics
from triage.promotion.evidence import Labelled
from triage.promotion.gates import Gates
from triage.promotion.sequential import Bounds
from triage.promotion.weighing import (
    EXPECTED,
    GROUPS,
    Ran,
    delivered,
    entries_to_label,
    groups_of,
    labelled,
    operations,
    reviewers,
    statements,
    weigh,
)
from triage.story import ALLOCATION, Drawn, FeedbackEntry, PredictionEntry
from triage.strategies.strategy import BUCKETS, Arm, Strategy
from triage.taxonomy import load_taxonomy

GATES = Gates(min_inclusion=0.05)
CANARY = any_strategy({"champion": 9_000, "next": 1_000})
ROW = any_model_strategy(CANARY)
ACCURACY = all_metrics(None, GATES.human_accuracy)[0]
RUNS = 100
FAR_TOO_MANY = 25
"""Of 100 runs whose bounds miss the truth, where 10 are allowed: by chance in fewer than one of ten thousand tests."""


def oversampled(random: Random, complaints: int) -> Iterator[Labelled]:
    """A tenth is vulnerable and labelled ten times as often as the others. The challenger is better on it."""
    for number in range(complaints):
        vulnerable = random.random() < 0.1
        inclusion = 0.5 if vulnerable else 0.05
        if random.random() < inclusion:
            yield any_labelled(
                number,
                inclusion=inclusion,
                champion=answer(random.random() < (0.4 if vulnerable else 0.8)),
                challenger=answer(random.random() < 0.8),
                groups=("vulnerable:yes" if vulnerable else "vulnerable:no",),
            )


def drifting(random: Random, complaints: int, gain: float = 0.0) -> Iterator[Labelled]:
    """Each complaint is harder than the one before, and the canary is widened from 5 to 50 %."""
    for number in range(complaints):
        progress = number / complaints
        right = random.random() < 0.9 - 0.5 * progress
        if random.random() < 0.05 + 0.45 * progress:
            better = right or random.random() < gain / (0.1 + 0.5 * progress)
            yield any_labelled(number, champion=None, challenger=answer(better))
        else:
            yield any_labelled(number, champion=answer(right), challenger=None)


def bounds_of(labelled: Iterable[Labelled], gates: Gates) -> Bounds:
    found = compare(labelled, ACCURACY, min_inclusion=gates.min_inclusion, alpha=gates.alpha)
    return Bounds(found.lower, found.upper)


def test_a_group_that_is_labelled_ten_times_as_often_counts_as_often_as_it_occurs():
    evidence = weighed(list(oversampled(Random(1), 60_000)), GATES)
    groups = {group.group: group.difference for group in evidence.groups}
    assert evidence.primary.difference == pytest.approx(0.1 * 0.4, abs=0.02)
    assert groups == {"vulnerable:yes": pytest.approx(0.4, abs=0.05), "vulnerable:no": pytest.approx(0.0, abs=0.05)}
    unweighted = weighed([one.model_copy(update={"inclusion": 1.0}) for one in oversampled(Random(1), 60_000)])
    assert unweighted.primary.difference and unweighted.primary.difference > 0.15, "so that the test above can fail"


def test_the_bounds_of_what_is_labelled_more_often_hold_the_truth_about_all():
    found = [bounds_of(oversampled(Random(seed), 4_000), GATES) for seed in range(RUNS)]
    assert sum(not lower <= 0.1 * 0.4 <= upper for lower, upper in found) < FAR_TOO_MANY


def test_a_canary_that_is_widened_while_complaints_get_harder_is_not_blamed_for_it():
    found = [one for seed in range(3) for one in drifting(Random(seed), 4_000)]
    evidence = weighed(found)
    ours, theirs = evidence.primary.challenger, evidence.primary.champion
    assert ours and theirs and ours < theirs - 0.05, "so that the test can fail"
    assert evidence.primary.difference == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize("gain", [0.0, 0.05])
def test_the_bounds_of_a_canary_hold_the_truth_about_it(gain):
    found = [bounds_of(drifting(Random(seed), 1_000, gain), EVEN) for seed in range(RUNS)]
    # Of a complaint that the champion gets wrong, the challenger gets one right in so many that the gain is constant.
    assert sum(not lower <= gain <= upper for lower, upper in found) < FAR_TOO_MANY


def test_labels_that_were_not_drawn_at_random_or_too_seldom_represent_nobody():
    drawn = [any_labelled(number, inclusion=inclusion) for number, inclusion in enumerate((1.0, 0.05, 0.049, None))]
    evidence = weighed(drawn, GATES)
    assert (evidence.labels, evidence.primary.n, evidence.unrepresentative) == (2, 2, 2)


def test_labels_of_people_who_saw_the_answer_are_shown_and_count_only_where_the_gates_say_so():
    seen = [any_labelled(number, blind=number > 0) for number in range(3)]
    apart, together = (weighed(seen, EVEN.model_copy(update={"labels": which})) for which in ("blind", "all"))
    assert (apart.primary.n, together.primary.n) == (2, 3)
    assert apart.assisted and together.assisted and apart.assisted.n == together.assisted.n == 1
    assert weighed(seen[1:]).assisted is None


@pytest.mark.parametrize("inclusion", [None, 0.001, 0.05, 0.5])
def test_a_label_of_somebody_who_saw_the_answer_counts_as_one_however_it_was_drawn(inclusion):
    seen = labels(better=1, worse=3, blind=False, inclusion=inclusion)
    evidence = weighed(seen, GATES)
    assert evidence.assisted and (evidence.assisted.n, evidence.assisted.difference) == (4, -0.5)


def test_groups_share_their_level_from_the_start_whichever_have_labels():
    one = labels(right=30, better=8, worse=6, groups=("a",))
    other = labels(right=30, better=8, worse=6, groups=("b",))
    (alone,) = weighed(one).groups
    together, _ = weighed(one + other).groups
    assert (together.lower, together.upper) == (alone.lower, alone.upper)
    overall = weighed(one).primary
    assert alone.lower < overall.lower and overall.upper < alone.upper


def test_the_groups_that_share_the_level_are_those_that_allocations_belong_to():
    products = (*(product.name for product in load_taxonomy().products), None)
    allocations = [any_allocation(product=p, vulnerable=v) for p in products for v in (True, False, None)]
    assert {group for allocation in allocations for group in groups_of(allocation)} == set(GROUPS)
    assert len(GROUPS) == len(set(GROUPS))


def asked(arm: Arm, buckets: Iterable[int | None], *, minute: int = 0, **values: Any) -> list[PredictionEntry]:
    """Return predictions of an arm a second apart, the latest first."""
    return [
        any_prediction(
            model=any_model_reference(model_id=arm.model_id, revision=arm.revision, bucket=bucket),
            predicted_at=timestamp(NOW + timedelta(minutes=minute, seconds=-second)),
            **values,
        )
        for second, bucket in enumerate(buckets)
    ]


def ran(champion: Iterable[int | None] | Ran, challenger: Iterable[int | None] | Ran) -> dict[str, Ran]:
    sides = ((CANARY.champion_arm, champion), (CANARY.challengers[0], challenger))
    return {arm.version: b if isinstance(b, Ran) else Ran(tuple(asked(arm, b))) for arm, b in sides}


def test_evidence_says_what_is_compared_with_what_since_when():
    row = any_model_strategy(CANARY, version=4, experiment_since="2026-03-01T09:30:00.000Z")
    evidence = weigh(row, CANARY.challengers[0], labels(right=3), {}, positive_label=None, now=NOW)
    assert (evidence.task, evidence.experiment, evidence.strategy_version) == ("product", "first", 4)
    assert (evidence.champion, evidence.challenger) == tuple(arm.version for arm in CANARY.arms)
    assert (evidence.stage, evidence.hours, evidence.until) == (1_000, 24.0, timestamp(NOW))
    assert weighed([]).stage == "shadow"


@pytest.mark.parametrize(
    ("positive", "primary", "n"), [(None, "accuracy", 2), ("Mortgage", "recall", 1)], ids=["many labels", "one"]
)
def test_a_task_that_looks_for_one_label_is_judged_by_its_recall(positive, primary, n):
    known = [any_labelled(0, truth="Mortgage"), any_labelled(1, truth="Other")]
    evidence = weigh(ROW, CANARY.challengers[0], known, {}, positive_label=positive, now=NOW)
    assert (evidence.primary.metric, evidence.primary.n) == (primary, n)


def test_how_a_version_ran_is_told_from_its_predictions_and_failures():
    arm = CANARY.champion_arm
    slow = [p.model_copy(update={"milliseconds": float(ms)}) for ms, p in enumerate(asked(arm, range(100)), start=1)]
    dull = [p.model_copy(update={"label": "Card"}) for p in slow[:30]]
    found = operations(Ran((*dull, *slow[30:]), failures=25))
    assert (found.predictions, found.failures, found.asked, found.error_rate) == (100, 25, 125, 0.2)
    assert (found.p95_ms, found.commonest_share) == (95.0, 0.7)


def test_a_version_that_was_not_asked_because_of_a_backlog_has_not_failed():
    found = operations(Ran(tuple(asked(CANARY.champion_arm, range(10))), throttled=90))
    assert (found.failures, found.throttled, found.asked, found.error_rate) == (0, 90, 10, 0.0)


def test_a_version_that_never_answered_has_failures_only():
    found = operations(Ran(failures=3))
    assert (found.predictions, found.failures, found.p95_ms, found.commonest_share) == (0, 3, None, None)
    assert operations(Ran()).error_rate == 0


def test_complaints_that_went_where_they_should_are_no_mismatch():
    found = delivered(ROW, ran(range(1_000, 1_900), range(100)))
    assert found.counted == {"champion": 900, "next": 100}
    assert (found.p_value, found.strays, found.empty) == (1.0, 0, ())


def test_a_customer_who_complains_often_counts_once():
    assert delivered(ROW, ran([5_000] * 50, [7] * 50)).counted == {"champion": 1, "next": 1}


def test_an_answer_without_a_bucket_is_not_counted():
    assert delivered(ROW, ran([None, 5_000], [None])).counted == {"champion": 1, "next": 0}


def test_what_was_dealt_before_the_present_shares_is_no_stray():
    late = ran([*range(1_000, 1_100), 3, 4, 5], range(100))
    since = any_model_strategy(CANARY, version=3, stage_version=2)
    assert delivered(since, late).counted == {"champion": 0, "next": 0}
    models = {
        arm.version: tuple(
            p.model_copy(update={"model": p.model.model_copy(update={"strategy_version": 2})})
            for p in late[arm.version].predictions
        )
        for arm in CANARY.arms
    }
    assert delivered(since, {version: Ran(found) for version, found in models.items()}).strays == 3


def test_who_answers_for_buckets_of_another_is_a_stray_unless_it_stood_in():
    strays = ran([*range(1_000, 1_100), 3, 4, 5], range(100))
    assert delivered(ROW, strays).strays == 3
    challenger = CANARY.challengers[0]
    failed = ran([*range(1_000, 1_100), 3, 4, 5], Ran(tuple(asked(challenger, range(100))), failures=3))
    assert delivered(ROW, failed).strays == 0


@pytest.mark.parametrize(("answers", "empty"), [(10 * EXPECTED, ("next",)), (10 * EXPECTED - 1, ())])
def test_an_arm_is_called_empty_once_it_should_have_answered_some(answers, empty):
    assert delivered(ROW, ran(range(1_000, 1_000 + answers), [])).empty == empty


def test_what_was_delivered_is_counted_since_everybodys_answers_are_known():
    champion = CANARY.champion_arm
    late = Ran(tuple(asked(champion, range(1_000, 1_020), minute=10)), older=True)
    assert delivered(ROW, ran(late, range(20))).counted == {"champion": 20, "next": 0}
    assert delivered(ROW, ran(Ran(late.predictions), range(20))).counted["next"] == 20


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        (CANARY, True),
        (any_strategy(shadows={"next": BUCKETS}), False),
        (any_strategy({"champion": 9_000, "next": 1_000}, kind="ab", ends_at=NOW + timedelta(days=1)), True),
        (any_strategy({"champion": 9_000, "next": 1_000}, kind="ab", ends_at=NOW), False),
    ],
    ids=["canary", "shadow", "ab", "ended"],
)
def test_nothing_is_delivered_to_arms_that_do_not_answer_or_no_more(strategy: Strategy, told: bool):
    challenger = (*strategy.challengers, *strategy.shadows)[0]
    evidence = weigh(any_model_strategy(strategy), challenger, [], {}, positive_label=None, now=NOW)
    assert (evidence.delivered is not None) is told


CHAMPION, NEXT = (any_model_reference(model_id=f"acme/{name}", revision=any_revision(name)) for name in ("a", "b"))


def any_statement(label: str = "Mortgage", *, task: str = "product", at: str = "10", **values: Any) -> FeedbackEntry:
    """Return a statement. at: the hour."""
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


def test_a_blind_statement_counts_before_an_assisted_one_even_a_later_one():
    blind = any_statement("Mortgage", at="10")
    assisted = any_statement("Student loan", at="12", mode="assisted")
    for entries in permutations((blind, assisted)):
        assert said(entries) == {"8123456": "Mortgage"}


@pytest.mark.parametrize("mode", ["blind", "assisted"])
def test_of_two_statements_in_the_same_mode_the_later_counts(mode):
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
    read = entries_to_label("8123456", "product", [CHAMPION.version, NEXT.version])
    beside = NEXT.model_copy(update={"shadow": True})
    written = [any_prediction(model=model).entry for model in (CHAMPION, NEXT, beside)]
    assert {("8123456", entry) for entry in (ALLOCATION, *written)} <= set(read)
    assert len(read) == len(set(read)) == 5


def pair(statement: FeedbackEntry, found: dict[str, dict[str, Any]]):
    return labelled(statement, "product", found, champion=CHAMPION.version, challenger=NEXT.version)


def test_a_label_is_paired_with_both_answers_even_of_a_shadow():
    shadow = NEXT.model_copy(update={"shadow": True})
    found = story(
        any_prediction(model=CHAMPION, label="Mortgage", confidence=0.9),
        any_prediction(model=shadow, label="Card", confidence=0.7),
    )
    found |= story(drawn=Drawn(stratum="uncertain", inclusion=0.25))
    one = pair(any_statement("Card", stratum="random", inclusion=1.0), found)
    assert one.champion and (one.champion.label, one.champion.automatic) == ("Mortgage", True)
    assert one.challenger and (one.challenger.label, one.challenger.automatic) == ("Card", False)
    assert (one.truth, one.blind, one.inclusion, one.stratum) == ("Card", True, 0.25, "uncertain")


def test_what_a_statement_claims_of_its_draw_is_not_believed():
    one = pair(any_statement("Card", stratum="random", inclusion=0.001), story())
    assert (one.inclusion, one.stratum) == (None, "none")


def test_each_reviewers_share_is_that_of_the_weight_of_their_labels():
    rare = [any_labelled(number, by="ann", inclusion=0.5) for number in range(10)]
    usual = [any_labelled(number, by="bob") for number in range(10, 40)]
    gates = Gates(min_inclusion=0.5)
    first, second = reviewers([*rare, *usual], ACCURACY, gates)
    assert (first.by, first.labels, first.share) == ("bob", 30, 0.6)
    assert (second.by, second.labels, second.share) == ("ann", 10, 0.4)


def test_without_a_reviewer_the_difference_is_that_of_the_others():
    ann = labels(better=40, by="ann")
    others = labels(right=50, worse=10, by="bob")
    found = {one.by: one for one in reviewers([*ann, *others], ACCURACY, EVEN)}
    assert found["ann"].without == pytest.approx(-10 / 60)
    assert found["bob"].without == pytest.approx(1.0)


def test_a_version_that_was_not_asked_has_no_answer():
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
