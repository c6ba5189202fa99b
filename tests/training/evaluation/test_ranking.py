import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.evaluation.examples import any_flagging, any_judged
from training.evaluation.measures import RECALLS, coverage_at, coverage_curve, precision_at_recalls

# Few distinct values, so that ties are common.
shares = st.integers(0, 20).map(lambda value: value / 20)
judgements = st.lists(st.tuples(shares, st.booleans()), min_size=1, max_size=80)


def covered(rows: list[tuple[float, bool]], target: float) -> float:
    confidence, correct = (np.array(values) for values in zip(*rows, strict=True))
    return float(coverage_at(confidence, correct, np.ones((1, len(rows))), target=target)[0])


@pytest.mark.parametrize(
    ("confidence", "correct", "expected"),
    [
        ([0.9, 0.8, 0.7, 0.6], [True, True, False, False], 0.5),
        ([0.6, 0.7, 0.8, 0.9], [False, False, True, True], 0.5),
        ([0.9, 0.8, 0.7, 0.6], [True, True, True, True], 1.0),
        ([0.9, 0.8, 0.7, 0.6], [False, True, True, True], 0.0),
        ([0.9, 0.9, 0.9, 0.9], [True, True, False, False], 0.0),
    ],
)
def test_coverage_is_the_largest_share_that_is_right_often_enough(confidence, correct, expected):
    assert covered(list(zip(confidence, correct, strict=True)), 0.9) == expected


@given(judgements, shares, shares)
def test_more_accuracy_never_covers_more(rows, one, other):
    assert covered(rows, max(one, other)) <= covered(rows, min(one, other))


@given(judgements)
def test_no_accuracy_at_all_is_reached_by_everything(rows):
    assert covered(rows, 0.0) == 1


@given(judgements)
def test_the_curve_rises_to_all_answers_and_their_accuracy(rows):
    confidence, correct = (np.array(values) for values in zip(*rows, strict=True))
    share, accuracy = (curve[0] for curve in coverage_curve(confidence, correct, np.ones((1, len(rows)))))
    assert (np.diff(share) > 0).all()
    assert share[-1] == 1
    assert accuracy[-1] == pytest.approx(correct.mean())
    assert len(share) == len(set(confidence.tolist()))


def test_more_recall_costs_precision_or_nothing_is_learnt():
    found = precision_at_recalls(any_flagging(400))
    assert tuple(found) == RECALLS
    assert found[0.5] > found[0.9]


def test_recall_costs_nothing_where_there_is_nothing_to_find():
    assert precision_at_recalls(any_judged()) == {}
    assert precision_at_recalls(any_flagging(20, truth=np.array(["not vulnerable"] * 20))) == {}
