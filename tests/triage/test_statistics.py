import math
from collections import Counter
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2, norm
from sklearn.calibration import calibration_curve

from tests.factories import any_strategy
from triage.statistics import BINS, EXACT_BELOW, calibration, mcnemar, mismatch_p_value, two_proportions, wilson
from triage.strategies.strategy import assign

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(0.001, 1)), min_size=1)


def test_without_answers_there_is_no_error():
    assert calibration([]).error is None
    assert calibration([]).bins == ()


def test_accuracy_equal_to_confidence_is_no_calibration_error():
    assert calibration([(0.75, right, 1.0) for right in (True, True, True, False)]).error == pytest.approx(0)


def test_the_error_is_the_mean_distance_of_confidence_and_accuracy():
    found = calibration([(0.95, True, 1.0), (0.95, False, 1.0), (0.35, False, 2.0)])
    assert found.error == pytest.approx((2 * 0.45 + 2 * 0.35) / 4)
    low, high = found.bins
    assert (low.low, low.weight, low.confidence, low.accuracy) == pytest.approx((0.3, 2.0, 0.35, 0.0))
    assert (high.low, high.weight, high.confidence, high.accuracy) == pytest.approx((0.9, 2.0, 0.95, 0.5))


def test_a_label_counts_as_often_as_it_weighs():
    once = calibration([(0.9, True, 0.2), (0.9, False, 0.6)])
    often = calibration([(0.9, True, 1.0)] + [(0.9, False, 1.0)] * 3)
    assert once.error == pytest.approx(often.error)


@given(ANSWERS)
def test_a_diagram_can_be_drawn_of_any_answers(answers):
    found = calibration(answers)
    assert found.error is not None and -1e-9 <= found.error <= 1 + 1e-9
    assert sum(b.weight for b in found.bins) == pytest.approx(sum(weight for _, _, weight in answers))
    assert all(b.low < 1 for b in found.bins), "whoever is certain shares the last bin"
    assert all(b.low - 1e-9 <= b.confidence <= b.low + 1 / BINS + 1e-9 for b in found.bins)


@given(ANSWERS, st.randoms(use_true_random=False))
def test_the_order_of_the_answers_changes_nothing(answers, random):
    shuffled = list(answers)
    random.shuffle(shuffled)
    assert calibration(shuffled).error == pytest.approx(calibration(answers).error)


def test_the_bins_are_those_of_scikit_learn():
    random = Random(3)
    answers = [(confidence, random.random() < confidence, 1.0) for confidence in (random.random() for _ in range(500))]
    right, confidence = [one[1] for one in answers], [one[0] for one in answers]
    accuracies, confidences = calibration_curve(right, confidence, n_bins=BINS, strategy="uniform")
    found = calibration(answers)
    assert [b.accuracy for b in found.bins] == pytest.approx(accuracies.tolist())
    assert [b.confidence for b in found.bins] == pytest.approx(confidences.tolist())


@pytest.mark.parametrize(
    ("found", "runs", "interval"), [(0, 10, (0.0, 0.2775)), (5, 100, (0.0215, 0.1118)), (10, 10, (0.7225, 1.0))]
)
def test_a_share_has_the_interval_of_wilson(found, runs, interval):
    """Compares with Brown, Cai and DasGupta (2001), and 0 with 1."""
    assert wilson(found / runs, runs) == pytest.approx(interval, abs=5e-4)


@given(share=st.floats(0, 1), n=st.floats(1, 1e6))
def test_an_interval_holds_its_share_and_stays_between_nothing_and_all(share, n):
    low, high = wilson(share, n)
    assert 0 <= low <= share + 1e-9 and share - 1e-9 <= high <= 1


SHARES = {"champion": 0.7, "b": 0.2, "c": 0.1}
EVEN = {"champion": 0.5, "next": 0.5}


def test_before_anything_was_delivered_nothing_is_wrong():
    assert mismatch_p_value({}, SHARES) == 1
    assert mismatch_p_value({"b": 0}, SHARES) == 1


def test_shares_as_intended_are_no_mismatch():
    assert mismatch_p_value({"champion": 7_000, "b": 2_000, "c": 1_000}, SHARES) == 1


def test_a_canary_that_gets_a_tenth_of_its_share_is_found():
    assert mismatch_p_value({"champion": 9_890, "canary": 110}, {"champion": 0.9, "canary": 0.1}) < 1e-6


def test_counts_whose_evidence_overflows_are_a_mismatch():
    assert mismatch_p_value({"champion": 10**7, "canary": 10}, {"champion": 0.5, "canary": 0.5}) == 0


@pytest.mark.parametrize("intended", [{"champion": 1.0, "canary": 0.0}, {"champion": 1.0}])
def test_a_single_complaint_in_an_arm_without_a_share_is_a_mismatch(intended):
    assert mismatch_p_value({"champion": 10_000, "canary": 1}, intended) == 0


def test_an_arm_without_a_share_that_answers_nobody_is_no_mismatch():
    assert mismatch_p_value({"champion": 10_000, "canary": 0}, {"champion": 1.0, "canary": 0.0}) == 1


@pytest.mark.parametrize("far", [{"champion": 40, "b": 40, "c": 20}, {"champion": 60, "b": 10, "c": 30}])
def test_the_test_is_the_mixture_of_lindon_and_malek(far):
    """Compares with their closed form, the ratio of multivariate beta functions."""

    def log_beta(*values: float) -> float:
        return sum(map(math.lgamma, values)) - math.lgamma(sum(values))

    prior = [100 * share for share in SHARES.values()]
    posterior = [a + far[arm] for a, arm in zip(prior, SHARES, strict=True)]
    intended = sum(far[arm] * math.log(share) for arm, share in SHARES.items())
    log_ratio = log_beta(*posterior) - log_beta(*prior) - intended
    assert mismatch_p_value(far, SHARES) == pytest.approx(min(1.0, math.exp(-log_ratio)))


def test_the_inverse_of_its_p_value_has_mean_1_or_less():
    """Sums over all sequences of five. p is at most 1, so the mean of its inverse can be below 1."""
    excess = 0.0
    for sequence in product(SHARES, repeat=5):
        chance = math.prod(SHARES[arm] for arm in sequence)
        p_value = mismatch_p_value(Counter(sequence), SHARES)
        excess += chance * (1 / p_value if p_value < 1 else 0)
    assert 0 < excess <= 1


@given(st.dictionaries(st.sampled_from(["champion", "b", "c"]), st.integers(0, 10**9)))
def test_any_counts_give_a_p_value(counts):
    assert 0 <= mismatch_p_value(counts, SHARES) <= 1


def test_an_assignment_as_intended_is_not_called_wrong_at_any_look():
    strategy = any_strategy({"champion": 7_000, "b": 2_000, "c": 1_000})
    counts = Counter[str]()
    smallest = 1.0
    for number in range(5_000):
        counts[assign(strategy, f"customer-{number}").arm.name] += 1
        smallest = min(smallest, mismatch_p_value(counts, SHARES))
    assert smallest > 0.001


def smallest_p_value(share: float, seed: int, complaints: int) -> float:
    """Return the smallest p-value of looks after every ten complaints. The intended share is a half."""
    random, counts, smallest = Random(seed), Counter[str](), 1.0
    for _ in range(complaints // 10):
        counts.update("next" if random.random() < share else "champion" for _ in range(10))
        smallest = min(smallest, mismatch_p_value(counts, EVEN))
    return smallest


def test_equal_shares_are_rarely_called_unequal_at_any_look():
    """At most 15 of 300 runs are expected. More than 35 would occur in fewer than one of 100,000 such tests."""
    assert sum(smallest_p_value(0.5, seed, 2_000) < 0.05 for seed in range(300)) <= 35


def test_a_mismatch_of_five_points_is_found():
    assert all(smallest_p_value(0.45, seed, 6_000) < 0.001 for seed in range(20))


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (1, 0), (5, 5), (9, 2), (2, 9), (25, 0)])
def test_few_discordant_pairs_get_the_exact_binomial_test(better, worse):
    test = mcnemar(better, worse)
    expected = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert test.name == "McNemar, exact"
    assert test.p_value == pytest.approx(expected)


@pytest.mark.parametrize(("better", "worse"), [(13, 13), (20, 6), (45, 75), (400, 500)])
def test_many_get_the_approximation_which_is_close_to_it(better, worse):
    test = mcnemar(better, worse)
    assert better + worse >= EXACT_BELOW
    assert test.name == "McNemar, chi-square with continuity"
    assert test.p_value == pytest.approx(chi2.sf(max(0, abs(better - worse) - 1) ** 2 / (better + worse), df=1))
    assert test.p_value == pytest.approx(binomtest(better, better + worse).pvalue, abs=0.01)


def test_two_independent_samples_are_compared_by_their_proportions():
    # Fleiss, Levin and Paik, chapter 3: z = (p1 - p2) / sqrt(p q (1 / n1 + 1 / n2)), without continuity.
    test = two_proportions(80, 100, 140, 200)
    assert test.p_value == pytest.approx(2 * norm.sf(0.1 / (220 / 300 * 80 / 300 * 3 / 200) ** 0.5))
    assert two_proportions(140, 200, 80, 100) == test


@pytest.mark.parametrize("right", [0, 1])
def test_samples_of_equal_values_do_not_differ(right):
    assert two_proportions(right * 7, 7, right * 9, 9).p_value == pytest.approx(1)
