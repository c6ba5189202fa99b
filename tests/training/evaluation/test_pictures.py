"""Tests that the pictures are drawn. People judge how they look."""

import xml.etree.ElementTree as ElementTree

from tests.training.evaluation.examples import any_judged, evaluated
from training.evaluation import pictures
from training.evaluation.curves import covered
from training.evaluation.intervals import Interval
from training.evaluation.learning import Point, extrapolate


def texts(drawn: str) -> str:
    return " ".join(ElementTree.fromstring(drawn).itertext())


def test_models_stand_beside_people():
    drawn = texts(pictures.beside({"ours": (0.8, Interval(0.7, 0.9))}, evaluated().measured.humans, measure="accuracy"))
    assert "ours" in drawn and "80 %" in drawn and "dashed: people" in drawn


def test_a_threshold_is_marked_where_there_is_one():
    evaluation = evaluated()
    with_, without = (
        texts(pictures.coverage(evaluation.coverage_curve, evaluation.measured.humans, auto=auto))
        for auto in (0.7, None)
    )
    assert "own threshold" in with_ and "own threshold" not in without


def test_a_single_answer_can_be_drawn():
    assert texts(pictures.coverage(covered(any_judged(1)), (), auto=None))


def test_a_matrix_that_nobody_could_read_is_not_drawn():
    assert pictures.confusion([str(place) for place in range(16)], [[1] * 16] * 16) is None
    drawn = pictures.confusion(["a", "b", "never"], [[8, 2, 0], [0, 10, 0], [0, 0, 0]])
    assert drawn is not None
    assert "80" in texts(drawn) and "never" not in texts(drawn)


def test_small_slices_are_marked():
    evaluation = evaluated()
    assert "fewer than 30" in texts(pictures.sliced(evaluation.slices, overall=0.7))


def test_an_extrapolation_is_drawn_as_one():
    points = [Point(size, 0.9 - 2 * size**-0.4) for size in (100, 200, 400, 800, 1600)]
    assert "any, extrapolated" in texts(pictures.learning({"any": extrapolate(points, measure="accuracy")}))
    assert "extrapolated" not in texts(pictures.learning({"any": extrapolate(points[:2], measure="accuracy")}))


def test_curves_of_several_models_have_names():
    points = [Point(size, 0.9 - 2 * size**-0.4) for size in (100, 200, 400, 800, 1600)]
    both = {name: extrapolate(points, measure="average_precision") for name in ("ours", "theirs")}
    drawn = texts(pictures.learning(both))
    assert "ours, extrapolated" in drawn and "theirs, extrapolated" in drawn and "average precision" in drawn


def test_a_dollar_sign_does_not_begin_a_formula():
    drawn = pictures.confusion(["$x^2$ fees", "b"], [[1, 0], [0, 1]])
    assert drawn is not None
    assert "$x^2$ fees" in texts(drawn)
