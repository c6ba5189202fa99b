"""Learning curves: how a figure grows with the number of training examples, and what more examples would bring.

Where such curves are regular, they follow a power law, value = limit - gap * n ** -rate (Hestness et al.,
Deep Learning Scaling is Predictable, Empirically, 2017; Viering and Loog, The Shape of Learning Curves, 2022).
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from training.bundle.thresholds import Floats
from training.evaluation.intervals import Interval, percentile_interval

LEAST_POINTS = 5
"""Points needed for a forecast: three parameters are fitted, and the others show how well the curve fits."""

AHEAD = (2, 4)
"""Forecasts are made for these multiples of the examples, and for no more."""

WIDEST = 0.1
"""Widest interval of the first forecast; a curve with a wider one is not extrapolated."""

DRAWS = 300
BOUNDS = ((0.0, 0.0, 0.02), (1.0, np.inf, 2.0))
"""Lower and upper bounds of limit, gap and rate."""


@dataclass(frozen=True)
class Point:
    examples: int
    value: float


@dataclass(frozen=True)
class Forecast:
    examples: int
    value: float
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """Measured points and forecasts of one measure.

    fitted: limit, gap and rate of the power law, if it was fitted. refusal: why there are no forecasts, if so.
    """

    measure: str
    points: tuple[Point, ...]
    fitted: tuple[float, float, float] | None = None
    forecasts: tuple[Forecast, ...] = ()
    refusal: str | None = None


def followed(positive: str | None) -> str:
    """Return the measure of a curve: accuracy, or average precision for a task that looks for one label.

    For such a task, accuracy depends mainly on the threshold.
    """
    return "accuracy" if positive is None else "average_precision"


def learning_curve(sizes: Sequence[int], score: Callable[[int], float], *, measure: str) -> LearningCurve:
    """Measure at each size and extrapolate. score: trains on that many examples and returns the figure."""
    return extrapolate([Point(size, score(size)) for size in sizes], measure=measure)


def doubling_sizes(examples: int, *, least: int = 100, most: int = 6) -> tuple[int, ...]:
    """Return all examples, half of them and so on, ascending: at most `most` sizes, none below `least` except all."""
    halves = (examples // 2**step for step in range(most))
    return tuple(sorted({size for size in halves if size >= least} | {examples}))


def extrapolate(points: Sequence[Point], *, measure: str, draws: int = DRAWS, seed: int = 0) -> LearningCurve:
    """Fit the power law and forecast. The intervals come from refitting on redrawn residuals; they do not include the
    chance of which complaints were in the test part."""
    measured = tuple(sorted(points, key=lambda point: point.examples))
    curve = LearningCurve(measure=measure, points=measured)
    examples, values = _columns(measured)
    if len(set(examples.tolist())) < LEAST_POINTS:
        return replace(curve, refusal=f"there are {len(measured)} points, but at least {LEAST_POINTS} are needed")
    if values[-1] <= values[0]:
        return replace(curve, refusal="the figure does not grow with the number of examples")
    fitted = fit(examples, values)
    if fitted is None:
        return replace(curve, refusal="no power law fits the points")
    forecasts = _forecasts(examples, values, fitted, draws=draws, seed=seed)
    width = forecasts[0].interval.high - forecasts[0].interval.low
    if width > WIDEST:
        refusal = f"at {forecasts[0].examples:,} examples the interval is too wide, {100 * width:.0f} points"
        return replace(curve, fitted=fitted, refusal=refusal)
    return replace(curve, fitted=fitted, forecasts=forecasts)


def power_law(examples: Floats, limit: float, gap: float, rate: float) -> Floats:
    return limit - gap * examples**-rate


def fit(examples: Floats, values: Floats) -> tuple[float, float, float] | None:
    """Return limit, gap and rate, or None if no power law fits. examples, values: shape (points,)."""
    start = (min(1.0, float(values.max()) + 0.05), 1.0, 0.5)
    try:
        with warnings.catch_warnings():
            # It warns that the covariance cannot be estimated, which is not used here.
            warnings.simplefilter("ignore", OptimizeWarning)
            found, _ = curve_fit(power_law, examples, values, p0=start, bounds=BOUNDS, max_nfev=5000)
    except RuntimeError:
        return None
    limit, gap, rate = (float(value) for value in found)
    return limit, gap, rate


def _forecasts(
    examples: Floats, values: Floats, fitted: tuple[float, float, float], *, draws: int, seed: int
) -> tuple[Forecast, ...]:
    ahead = examples.max() * np.array(AHEAD, dtype=float)
    smooth = power_law(examples, *fitted)
    # The three fitted parameters absorb part of the scatter, which this factor restores.
    residuals = (values - smooth) * np.sqrt(len(values) / (len(values) - 3))
    chance = np.random.default_rng(seed)
    refitted = [fit(examples, smooth + chance.choice(residuals, size=len(values))) for _ in range(draws)]
    drawn = np.array([power_law(ahead, *law) for law in refitted if law is not None])
    return tuple(
        Forecast(int(size), float(value), interval)
        for size, value, column in zip(ahead, power_law(ahead, *fitted), drawn.T, strict=True)
        if (interval := percentile_interval(column)) is not None
    )


def _columns(points: Sequence[Point]) -> tuple[Floats, Floats]:
    return np.array([point.examples for point in points], dtype=float), np.array([point.value for point in points])
