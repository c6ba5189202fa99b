import pytest

from tests.training.evaluation.examples import any_judged
from training.evaluation.curves import POINTS, coverage_levels, covered, reliability
from training.evaluation.measures import figures


def test_the_curve_ends_with_all_answers():
    judged = any_judged(500)
    curve = covered(judged)
    assert len(curve) <= POINTS
    assert curve[-1].coverage == 1
    assert curve[-1].accuracy == pytest.approx(judged.correct.mean())
    assert [point.threshold for point in curve] == sorted((point.threshold for point in curve), reverse=True)


def test_levels_are_the_target_and_what_people_reach():
    judged = any_judged(300)
    levels = coverage_levels(judged, task="issue")
    assert tuple(levels) == ("0.71", "0.90")
    assert levels["0.71"] >= levels["0.90"] == figures(judged)["coverage_at_90"]
    assert tuple(coverage_levels(judged, task="product")) == ("0.80", "0.90")


def test_bins_hold_each_answer_once():
    judged = any_judged(300)
    found = reliability(judged)
    assert sum(bin_.n for bin_ in found) == 300
    assert sum(bin_.n * bin_.accuracy for bin_ in found) == pytest.approx(judged.correct.sum())
    assert [bin_.confidence for bin_ in found] == sorted(bin_.confidence for bin_ in found)
