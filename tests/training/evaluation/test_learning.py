import numpy as np
import pytest

from training.evaluation.learning import Point, doubling_sizes, extrapolate, fit, learning_curve, power_law

SIZES = (200, 400, 800, 1600, 3200, 6400)


def law(size: int, *, noise: float = 0.0) -> float:
    return float(0.9 - 2.0 * size**-0.4 + noise * np.sin(size))


def test_a_power_law_is_found_again():
    examples = np.array(SIZES, dtype=float)
    assert fit(examples, power_law(examples, 0.9, 2.0, 0.4)) == pytest.approx((0.9, 2.0, 0.4), abs=0.01)


def test_the_figures_for_twice_and_four_times_the_examples_are_forecast():
    curve = learning_curve(SIZES, lambda size: law(size, noise=0.003), measure="accuracy")
    assert curve.refusal is None
    assert [forecast.examples for forecast in curve.forecasts] == [12_800, 25_600]
    for forecast in curve.forecasts:
        assert forecast.value == pytest.approx(law(forecast.examples), abs=0.02)
        assert forecast.interval.low <= forecast.value <= forecast.interval.high


def test_a_curve_that_scatters_more_has_a_wider_interval():
    widths = []
    for noise in (0.001, 0.006):
        forecast, _ = extrapolate([Point(size, law(size, noise=noise)) for size in SIZES], measure="accuracy").forecasts
        widths.append(forecast.interval.high - forecast.interval.low)
    assert widths[0] < widths[1]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((0.5, 0.6, 0.7), "there are 3 points, but at least 5 are needed"),
        ((0.7, 0.7, 0.7, 0.7, 0.7, 0.7), "does not grow"),
        ((0.7, 0.8, 0.75, 0.7, 0.65, 0.6), "does not grow"),
        ((0.2, 0.6, 0.1, 0.7, 0.2, 0.5), "interval is too wide"),
    ],
)
def test_refused_extrapolations_state_the_reason(values, reason):
    curve = extrapolate([Point(size, value) for size, value in zip(SIZES, values, strict=False)], measure="accuracy")
    assert curve.forecasts == ()
    assert curve.refusal is not None and reason in curve.refusal
    assert len(curve.points) == len(values)


def test_sizes_are_halves_of_halves():
    assert doubling_sizes(6400) == SIZES
    assert doubling_sizes(500) == (125, 250, 500)
    assert doubling_sizes(40) == (40,)
