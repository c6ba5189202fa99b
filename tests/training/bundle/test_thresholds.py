import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from training.bundle.thresholds import (
    TEMPERATURES,
    accuracy_at_least,
    auto_threshold,
    choose,
    confidence_of_answers,
    fit_temperature,
    flag_threshold,
    probabilities,
)
from training.recipe import TaskRecipe

AIM = TaskRecipe(balance=0.0, target_accuracy=0.6)

# Few distinct values, so that ties are common.
shares = st.integers(0, 20).map(lambda value: value / 20)
judged = st.lists(st.tuples(shares, st.booleans()), min_size=1, max_size=120)


def columns(rows: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    values, truths = zip(*rows, strict=True)
    return np.array(values), np.array(truths)


@given(judged, st.floats(0.05, 0.95))
def test_the_automatic_part_proves_its_target_and_no_smaller_threshold_does(rows, target):
    confidence, correct = columns(rows)
    threshold = auto_threshold(confidence, correct, target=target)
    proving = [
        value
        for value in set(confidence.tolist())
        if accuracy_at_least(int(correct[confidence >= value].sum()), int((confidence >= value).sum())) >= target
    ]
    assert threshold == (min(proving) if proving else None)


@given(judged, st.floats(0.05, 0.95))
def test_flags_find_the_recall_and_a_larger_threshold_would_not(rows, recall):
    probability, positive = columns(rows)
    assume(positive.any())
    threshold = flag_threshold(probability, positive, target_recall=recall)
    assert (probability[positive] >= threshold).mean() >= recall
    assert (probability[positive] > threshold).mean() < recall


def test_without_a_positive_there_is_no_flag_threshold():
    with pytest.raises(ValueError, match="no positive"):
        flag_threshold(np.array([0.5]), np.array([False]), target_recall=0.9)


@given(st.integers(0, 200), st.integers(0, 200))
def test_more_right_answers_never_lower_the_proven_accuracy(correct, wrong):
    total = correct + wrong + 1
    assert accuracy_at_least(correct, total) <= accuracy_at_least(correct + 1, total) <= 1


def test_the_bound_is_clopper_and_pearsons():
    # Rule of three's exact form: n of n proves 0.05 ** (1 / n).
    assert accuracy_at_least(59, 59) == pytest.approx(0.05 ** (1 / 59))
    assert accuracy_at_least(0, 10) == 0


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_distorted_the_logits_is_found(temperature):
    chance = np.random.default_rng(3)
    logits = chance.normal(scale=2, size=(20_000, 4))
    truth = np.array([chance.choice(4, p=row) for row in probabilities(logits, 1.0)])
    assert fit_temperature(logits * temperature, truth) == pytest.approx(temperature, rel=0.05)


def test_labels_are_as_probable_as_they_are_true_even_where_some_truth_is_noise():
    chance = np.random.default_rng(4)
    logits = chance.normal(scale=3, size=(4_000, 40))
    told = np.array([chance.choice(40, p=row) for row in probabilities(logits, 1.0)])
    truth = np.where(chance.random(len(told)) < 0.3, chance.integers(0, 40, len(told)), told)
    confidence = probabilities(logits, fit_temperature(logits, truth)).max(axis=1)
    assert confidence.mean() == pytest.approx((logits.argmax(axis=1) == truth).mean(), abs=1e-6)


@pytest.mark.parametrize(("truth", "bound"), [(0, TEMPERATURES[0]), (1, TEMPERATURES[1])])
def test_a_model_that_is_always_right_or_always_wrong_gets_the_last_temperature(truth, bound):
    assert fit_temperature(np.array([[1.0, 0.0]] * 9), np.array([truth] * 9)) == bound


def test_answers_are_the_most_probable_labels():
    given_, confidence = confidence_of_answers(np.array([[0.2, 0.8], [0.7, 0.3]]), positive=None, flag=None)
    assert given_.tolist() == [1, 0]
    assert confidence.tolist() == [0.8, 0.7]


def test_a_flag_is_given_from_its_own_threshold_on():
    given_, confidence = confidence_of_answers(np.array([[0.7, 0.3], [0.9, 0.1]]), positive=1, flag=0.2)
    assert given_.tolist() == [1, 0]
    assert confidence.tolist() == [0.3, 0.9]


def test_a_model_that_guesses_automates_nothing():
    logits = np.zeros((60, 2))
    _, thresholds = choose(logits, np.arange(60) % 2, labels=("card", "loan"), aim=AIM)
    assert thresholds.auto is None
    assert thresholds.flag is None


def test_a_model_that_knows_automates_everything():
    truth = np.arange(60) % 2
    logits = np.where(np.arange(2) == truth[:, None], 4.0, 0.0)
    _, thresholds = choose(logits, truth, labels=("card", "loan"), aim=AIM)
    assert thresholds.auto is not None
    assert math.isclose(thresholds.auto, 1, abs_tol=0.05)


def test_a_task_that_looks_for_a_label_gets_a_flag_threshold():
    aim = AIM.model_copy(update={"positive_label": "vulnerable", "target_recall": 0.9})
    logits, truth = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), np.array([0, 1, 1])
    calibration, thresholds = choose(logits, truth, labels=("not vulnerable", "vulnerable"), aim=aim)
    weakest = probabilities(logits, calibration.temperature)[2, 1]
    assert thresholds.flag == pytest.approx(weakest)
