"""Compares measures with scikit-learn, and tests properties that hold for all weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score

from tests.training.evaluation.examples import any_flagging, any_judged
from training.evaluation.measures import MEASURES, figures
from training.evaluation.scored_answers import Judged
from triage.bundle import Thresholds


@pytest.mark.parametrize("seed", range(5))
def test_averages_over_labels_are_those_of_scikit_learn(seed):
    judged = any_judged(40, seed=seed)
    truth, given = judged.truth, np.array(judged.labels)[judged.given]
    measured = figures(judged)
    for name, score in (("macro_f1", f1_score), ("recall", recall_score), ("precision", precision_score)):
        assert measured[name] == pytest.approx(score(truth, given, average="macro", zero_division=0.0))


@pytest.mark.parametrize("seed", range(5))
def test_figures_of_a_task_that_looks_for_one_label_are_of_that_label(seed):
    judged = any_flagging(50, seed=seed)
    truth, given = judged.true == 1, judged.given == 1
    measured = figures(judged)
    assert measured["recall"] == pytest.approx(recall_score(truth, given))
    assert measured["precision"] == pytest.approx(precision_score(truth, given))
    assert measured["flagged"] == pytest.approx(given.mean())
    assert measured["average_precision"] == pytest.approx(average_precision_score(truth, judged.probability[:, 1]))


def test_average_precision_takes_equal_probabilities_together():
    probability = np.array([[0.4, 0.6], [0.4, 0.6], [0.4, 0.6], [0.9, 0.1]])
    judged = Judged(
        labels=("no", "yes"), probability=probability, truth=np.array(["yes", "no", "yes", "no"]), positive="yes"
    )
    assert figures(judged)["average_precision"] == pytest.approx(2 / 3)


@given(st.lists(st.integers(0, 3), min_size=30, max_size=30).filter(any), st.booleans())
def test_a_weight_of_2_counts_a_complaint_twice(weights, flagging):
    judged = any_flagging(30) if flagging else any_judged(30)
    repeated = judged.at(np.repeat(np.arange(30), weights))
    by_weight, by_hand = figures(judged, np.array(weights, dtype=float)), figures(repeated)
    for name in MEASURES:
        assert by_weight[name] == (None if by_hand[name] is None else pytest.approx(by_hand[name])), name


@given(st.floats(0.01, 100))
def test_only_the_ratio_of_weights_matters(factor):
    judged = any_judged(30)
    weights = np.random.default_rng(1).uniform(0.1, 2, size=30)
    one, other = figures(judged, weights), figures(judged, weights * factor)
    assert all(one[name] == (None if other[name] is None else pytest.approx(other[name])) for name in MEASURES)


def test_a_label_that_was_never_trained_on_is_missed():
    judged = Judged(labels=("a", "b"), probability=np.array([[0.7, 0.3], [0.2, 0.8]]), truth=np.array(["a", "new"]))
    measured = figures(judged)
    assert measured["accuracy"] == 0.5
    assert measured["macro_f1"] == pytest.approx(1 / 3), "a is right, new is missed, b is wrong"


def test_top_three_counts_the_three_best():
    probability = np.array([[0.4, 0.3, 0.2, 0.1]] * 2)
    judged = Judged(labels=("a", "b", "c", "d"), probability=probability, truth=np.array(["c", "d"]))
    assert figures(judged)["top3_accuracy"] == 0.5


def test_measures_that_a_task_lacks_are_not_defined():
    measured = figures(any_judged(labels=("a", "b", "c")))
    assert measured["top3_accuracy"] is measured["average_precision"] is measured["flagged"] is None


def test_without_a_threshold_coverage_is_0():
    measured = figures(any_judged(thresholds=Thresholds()))
    assert (measured["coverage"], measured["auto_accuracy"]) == (0, None)


def test_a_part_without_a_vulnerable_customer_has_no_recall():
    judged = any_flagging(20, truth=np.array(["not vulnerable"] * 20))
    measured = figures(judged)
    assert measured["recall"] is measured["average_precision"] is None


def test_the_most_common_label_is_that_of_the_complaints_at_hand():
    assert figures(any_judged(4, truth=np.array(["new", "new", "new", "Mortgage"])))["constant_accuracy"] == 0.75


@pytest.mark.parametrize(("confidence", "error"), [(1.0, 0.5), (0.5, 0.0), (0.75, 0.25)])
def test_calibration_error_is_how_far_confidence_is_from_accuracy(confidence, error):
    probability = np.array([[confidence, 1 - confidence]] * 10)
    judged = Judged(labels=("a", "b"), probability=probability, truth=np.array(["a", "b"] * 5))
    assert figures(judged)["calibration_error"] == pytest.approx(error)
