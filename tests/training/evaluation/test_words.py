from dataclasses import replace

import pytest

from tests.training.evaluation.examples import evaluated
from training.evaluation.humans import Comparison
from training.evaluation.intervals import Interval
from training.evaluation.measures import MEASURES
from training.evaluation.report import NAMES, comparison, figure, measured_on, shown, warnings


def test_every_measure_has_a_name():
    assert NAMES.keys() == MEASURES.keys()


@pytest.mark.parametrize("verdict", ["reached", "not reached", "undecided"])
def test_a_verdict_states_its_figure_and_interval(verdict):
    human = Comparison(
        who="team",
        measure="recall",
        level=0.6,
        value=0.5,
        interval=Interval(0.45, 0.55),
        verdict=verdict,
        n=9,
        needed=1025,
    )
    said = comparison(human)
    assert said.startswith(f"recall 60 % of the team: {verdict}: 50.0 % (45.0 to 55.0)")
    assert "57 %" in said


def test_only_defined_measures_are_shown():
    assert "top3_accuracy" in shown(evaluated().measured)
    assert "top3_accuracy" not in shown(evaluated("vulnerable").measured)


def test_a_figure_has_its_interval_where_it_has_one():
    assert " to " in figure(evaluated().measured, "accuracy")
    assert " to " not in figure(evaluated().measured, "calibration_error")


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (60, "made from exactly these complaints"),
        (6, "made from 6 of these complaints (10.0 %), so the figures are too good"),
        (None, "does not say what it was made from"),
    ],
)
def test_a_reader_is_warned_of_figures_that_may_flatter(seen, said):
    evaluation = evaluated()
    told = replace(evaluation, subject=replace(evaluation.subject, seen=seen))
    assert any(said in warning for warning in warnings(told))
    assert not any("made from" in warning for warning in warnings(evaluation))


def test_a_sample_says_that_it_is_one():
    assert "drawn at random" not in measured_on(evaluated())
    assert "drawn at random from 900" in measured_on(replace(evaluated(), labelled=900))
