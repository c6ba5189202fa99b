from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.triage.promotion.factories import answer, any_answer, any_labelled, labels
from triage.promotion.comparison import Metric, compare, metrics
from triage.promotion.evidence import Comparison, Labelled

HUMAN = 0.8
ACCURACY, COVERAGE, OUTCOME, CALIBRATION = metrics(None, HUMAN)
RECALL, SPECIFICITY, _ = metrics("vulnerable", HUMAN)

ANSWERS = st.none() | st.builds(
    answer, st.booleans(), confidence=st.sampled_from([0.1, 0.5, 1.0]), automatic=st.booleans()
)
LABELLED = st.lists(
    st.builds(
        any_labelled,
        st.integers(0, 50),
        inclusion=st.sampled_from([0.01, 0.2, 1.0]),
        champion=ANSWERS,
        challenger=ANSWERS,
        groups=st.sampled_from([(), ("product:Mortgage",)]),
    ),
    max_size=20,
)


def compared(labelled: list[Labelled], metric: Metric = ACCURACY, *, min_inclusion: float = 1.0) -> Comparison:
    return compare(labelled, metric, min_inclusion=min_inclusion, alpha=0.05)


def by_champion(number: int, right: bool, **values: float) -> Labelled:
    return any_labelled(number, champion=answer(right), challenger=None, **values)


def by_challenger(number: int, right: bool, **values: float) -> Labelled:
    return any_labelled(number, champion=None, challenger=answer(right), **values)


def test_pairs_are_compared_on_the_same_complaint():
    found = compared(labels(right=70, better=15, worse=5, wrong=10))
    assert (found.n, found.paired) == (100, 100)
    assert found.champion == pytest.approx(0.75)
    assert found.challenger == pytest.approx(0.85)
    assert found.difference == pytest.approx(0.1)
    assert found.lower < 0.1 < found.upper
    assert found.fixed is not None and found.fixed.name == "McNemar, exact"


def test_a_canary_is_compared_with_the_champions_answers_since_its_last_one():
    arms = [by_champion(0, True), by_champion(1, False), by_challenger(2, True), by_champion(3, True)]
    found = compared([*arms, by_challenger(4, True)])
    assert (found.n, found.paired) == (2, 0)
    assert found.difference == pytest.approx((0.5 + 0.0) / 2)
    assert found.fixed is not None and found.fixed.name == "two proportions, z"


def test_a_challenger_without_a_concurrent_answer_waits_for_one():
    assert compared([by_challenger(0, True), by_challenger(1, True)]).n == 0
    found = compared([by_challenger(0, True), by_challenger(1, True), by_champion(2, False)])
    assert (found.n, found.difference) == (1, 1.0)


def test_each_waiting_challenger_answer_is_compared_with_other_champion_answers():
    waiting = [by_challenger(0, True), by_challenger(1, False)]
    found = compared([*waiting, by_champion(2, True), by_champion(3, True)])
    assert (found.n, found.difference) == (2, -0.5)


def test_no_answer_of_the_champion_is_used_twice():
    found = compared([by_champion(0, False), by_challenger(1, True), by_challenger(2, True)])
    assert found.n == 1


def test_what_happened_in_shadow_counts_on_in_the_canary():
    found = compared([any_labelled(0), by_champion(1, True), by_challenger(2, True)])
    assert (found.n, found.paired) == (2, 1)


def test_complaints_weigh_what_they_stand_for():
    """One in ten ordinary complaints was labelled, and every other one."""
    ordinary = any_labelled(0, inclusion=0.1, champion=answer(False), challenger=answer(True))
    oversampled = any_labelled(1, inclusion=1.0, champion=answer(True), challenger=answer(False))
    found = compared([ordinary, oversampled], min_inclusion=0.1)
    assert found.difference == pytest.approx((1.0 - 0.1) / 1.1)
    assert found.challenger == pytest.approx(1 / 1.1)


def test_arms_that_are_alike_differ_by_nothing_on_average_however_they_were_drawn():
    """Rare complaints that both models get wrong are always labelled, the others with probability 1/5."""
    random = Random(1)
    found = []
    for number in range(4_000):
        rare = random.random() < 0.5
        arm = by_challenger if random.random() < 0.3 else by_champion
        found.append(arm(number, not rare, inclusion=1.0 if rare else 0.2))
    compared_arms = compared(found, min_inclusion=0.2)
    assert compared_arms.lower < 0 < compared_arms.upper
    assert compared_arms.difference == pytest.approx(0, abs=0.03)


@given(LABELLED, st.randoms(use_true_random=False))
def test_the_order_in_which_labels_are_handed_over_changes_nothing(labelled, random):
    once = list({one.complaint_id: one for one in labelled}.values())
    shuffled = list(once)
    random.shuffle(shuffled)
    for metric in metrics(None, HUMAN):
        ours, theirs = (compared(each, metric, min_inclusion=0.01) for each in (once, shuffled))
        assert theirs.difference == pytest.approx(ours.difference)
        assert (theirs.lower, theirs.upper) == pytest.approx((ours.lower, ours.upper))


@given(LABELLED)
def test_any_labels_can_be_compared(labelled):
    for metric in (*metrics(None, HUMAN), *metrics("Mortgage", HUMAN)):
        found = compared(labelled, metric, min_inclusion=0.01)
        assert -1 <= found.lower <= found.upper <= 1
        assert found.paired <= found.n


@given(LABELLED)
def test_two_models_that_swap_their_places_swap_the_bounds(labelled):
    both = [one for one in labelled if one.champion and one.challenger]
    swapped = [one.model_copy(update={"champion": one.challenger, "challenger": one.champion}) for one in both]
    one, other = (compared(each, min_inclusion=0.01) for each in (both, swapped))
    assert (one.lower, one.upper) == pytest.approx((-other.upper, -other.lower), abs=1e-4)


def test_a_group_is_compared_on_its_own_complaints():
    mortgages = labels(better=3, groups=("product:Mortgage",))
    others = labels(worse=5, groups=("product:Debt collection",))
    found = compare([*mortgages, *others], ACCURACY, min_inclusion=1.0, alpha=0.05, group="product:Mortgage")
    assert (found.group, found.n, found.difference) == ("product:Mortgage", 3, 1.0)


def test_a_group_without_labels_has_no_difference():
    found = compare([], ACCURACY, min_inclusion=1.0, alpha=0.05, group="product:Mortgage")
    assert (found.n, found.difference, found.lower, found.upper, found.fixed) == (0, None, -1, 1, None)


@pytest.mark.parametrize(
    ("metric", "said", "expected"),
    [
        (ACCURACY, any_answer(), 1),
        (ACCURACY, any_answer("Student loan"), 0),
        (COVERAGE, any_answer("Student loan"), 1),
        (COVERAGE, any_answer(automatic=False), 0),
        (OUTCOME, any_answer("Student loan"), 0),
        (OUTCOME, any_answer(automatic=False), HUMAN),
        (OUTCOME, any_answer("Student loan", automatic=False), HUMAN),
        (OUTCOME, any_answer(), 1),
        (CALIBRATION, any_answer(confidence=0.9), 1 - 0.01),
        (CALIBRATION, any_answer("Student loan", confidence=0.9), 1 - 0.81),
    ],
)
def test_every_metric_is_larger_where_the_answer_is_better(metric, said, expected):
    assert metric.value(any_labelled(), said) == pytest.approx(expected)


def test_recall_asks_about_the_positive_ones_and_specificity_about_the_others():
    truths = [any_labelled(0, truth="vulnerable"), any_labelled(1, truth="not vulnerable")]
    assert [one.truth for one in truths if RECALL.applies(one)] == ["vulnerable"]
    assert [one.truth for one in truths if SPECIFICITY.applies(one)] == ["not vulnerable"]


def test_a_task_that_looks_for_one_label_has_recall_as_its_primary_metric():
    assert [metric.name for metric in metrics("vulnerable", HUMAN)] == ["recall", "specificity", "calibration"]
    assert metrics(None, HUMAN)[0].name == "accuracy"


def test_squared_distances_are_compared_without_a_test_for_one_look():
    assert compared(labels(right=3, worse=2), CALIBRATION).fixed is None


def test_the_outcome_metric_has_no_test_of_right_and_wrong():
    """Both are right for 80 % of complaints after triage, but one through corrections by people."""
    reviewed = [
        any_labelled(2 * n, champion=None, challenger=answer(True, automatic=False), inclusion=1.0) for n in range(100)
    ]
    automatic = [by_champion(2 * n + 1, n % 5 != 0) for n in range(100)]
    found = compared([*reviewed, *automatic], metrics(None, 0.8)[2])
    assert found.difference == pytest.approx(0)
    assert found.fixed is None


def test_a_metric_can_be_narrowed_to_some_complaints():
    first = replace(ACCURACY, applies=lambda one: one.complaint_id == "0")
    assert compared(labels(right=3), first).n == 1
