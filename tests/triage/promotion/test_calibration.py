from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from triage.promotion.calibration import BINS, calibration

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(0.001, 1)), min_size=1)


def test_without_answers_there_is_no_error():
    assert calibration([]).error is None
    assert calibration([]).bins == ()


def test_whoever_is_right_as_often_as_it_says_has_no_error():
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
