from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.evaluation.examples import any_flagging, any_judged
from training.evaluation.intervals import WITH_INTERVAL, intervals, percentile_interval, redraws
from training.evaluation.measures import figures


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(30, 120), st.integers(1, 4))
def test_the_interval_of_an_accuracy_holds_the_accuracy(seed, n, copies):
    judged = any_judged(n, seed=seed)
    around = intervals(judged, np.arange(n) // copies, names=["accuracy"], draws=200)["accuracy"]
    accuracy = figures(judged)["accuracy"]
    assert around is not None and accuracy is not None
    assert around.low <= accuracy <= around.high


def test_copies_of_a_letter_do_not_narrow_the_interval():
    letters = any_judged(40)
    copied = letters.at(np.repeat(np.arange(40), 10))
    once = intervals(letters, np.arange(40), names=["accuracy"])["accuracy"]
    grouped = intervals(copied, np.repeat(np.arange(40), 10), names=["accuracy"])["accuracy"]
    alone = intervals(copied, np.arange(400), names=["accuracy"])["accuracy"]
    assert once is not None and grouped is not None and alone is not None
    assert grouped == pytest.approx(once)
    assert alone.high - alone.low < (grouped.high - grouped.low) / 2


def test_an_accuracy_is_as_uncertain_as_the_binomial_says():
    judged = any_judged(1000)
    around = intervals(judged, np.arange(1000), names=["accuracy"])["accuracy"]
    share = judged.correct.mean()
    assert around is not None
    assert around.high - around.low == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 1000), rel=0.15)


def test_what_is_not_defined_has_no_interval():
    around = intervals(any_judged(30), np.arange(30), draws=50)
    assert around["average_precision"] is None
    assert around["accuracy"] is not None
    assert tuple(around) == WITH_INTERVAL


def test_the_same_complaints_are_drawn_for_every_model():
    first, again = (np.concatenate(list(redraws(np.arange(9), draws=5))) for _ in range(2))
    assert (first == again).all()
    assert first.shape == (5, 9)
    assert (first.sum(axis=1) == 9).all()


def test_a_group_is_drawn_as_a_whole():
    drawn = np.concatenate(list(redraws(np.array([4, 4, 7, 7, 7]), draws=20)))
    assert (drawn[:, 0] == drawn[:, 1]).all() and (drawn[:, 2] == drawn[:, 4]).all()
    assert set(drawn[:, 0]) == {0.0, 1.0, 2.0}


def test_undefined_draws_are_left_out_of_the_interval():
    assert percentile_interval(np.array([np.nan, 0.25, np.nan])) == (0.25, 0.25)
    assert percentile_interval(np.array([np.nan])) is None


@pytest.mark.parametrize("n", [1, 5, 200])
def test_an_accuracy_of_0_or_1_has_the_exact_interval(n):
    """Every draw of them is the same, so the bootstrap alone would give an interval of no width."""
    judged = any_judged(n)
    right = replace(judged, truth=np.array([judged.labels[place] for place in judged.given]))
    around = intervals(right, np.arange(n), names=["accuracy"])["accuracy"]
    assert around is not None
    assert around.high == 1
    # With a larger share of right ones, all of them are right in more than 2.5 of 100 samples.
    assert around.low**n == pytest.approx(0.025)
    wrong = replace(judged, truth=np.array(["none of them"] * n))
    weights = np.random.default_rng(n).random(n) + 0.1
    weighted = intervals(right, np.arange(n), names=["accuracy"], weights=weights)["accuracy"]
    assert weighted == around
    none = intervals(wrong, np.arange(n), names=["accuracy"])["accuracy"]
    assert none is not None and none.low == 0 and none.high == pytest.approx(1 - around.low)


def test_the_interval_of_recall_depends_on_the_number_of_positives():
    judged = any_flagging(60)
    right = replace(judged, truth=np.array([judged.labels[place] for place in judged.given]))
    around = intervals(right, np.arange(60), names=["recall"])["recall"]
    assert around is not None
    assert around.low ** int((right.true == 1).sum()) == pytest.approx(0.025)


def test_right_copies_of_one_letter_count_once():
    judged = any_judged(8)
    right = replace(judged, truth=np.array([judged.labels[place] for place in judged.given]))
    around = intervals(right, np.zeros(8, dtype=int), names=["accuracy"])["accuracy"]
    assert around is not None and around.low == pytest.approx(0.025)
