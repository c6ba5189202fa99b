"""How a figure grows with the examples that are trained on, and what more of them would bring.

A power law, value = limit - gap * n ** -rate, is what such curves follow where they can be followed (Hestness et al.,
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
"""Three parameters are fitted, and something has to be left to judge the fit by."""

AHEAD = (2, 4)
"""Times the examples that there are: further than that no extrapolation is shown."""

WIDEST = 0.1
"""An interval wider than this at the first step ahead says nothing."""

DRAWS = 300
BOUNDS = ((0.0, 0.0, 0.02), (1.0, np.inf, 2.0))
"""Of limit, gap and rate."""


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
    """forecasts: empty where the curve cannot be extrapolated; `refusal` then says why.

    measure: what the values are of. fitted: limit, gap and rate of the power law, where it was fitted.
    """

    measure: str
    points: tuple[Point, ...]
    fitted: tuple[float, float, float] | None = None
    forecasts: tuple[Forecast, ...] = ()
    refusal: str | None = None


def followed(positive: str | None) -> str:
    """The measure that a curve is of: average precision where one label is looked for, since accuracy would only follow
    the threshold."""
    return "accuracy" if positive is None else "average_precision"


def learning_curve(sizes: Sequence[int], score: Callable[[int], float], *, measure: str) -> LearningCurve:
    """Fit and score at each size, then look ahead. score: trains on so many examples, and returns a share."""
    return extrapolate([Point(size, score(size)) for size in sizes], measure=measure)


def doubling_sizes(examples: int, *, least: int = 100, most: int = 6) -> tuple[int, ...]:
    """All examples, half of them and so on, ascending; at most `most` sizes, none below `least` but the whole."""
    halves = (examples // 2**step for step in range(most))
    return tuple(sorted({size for size in halves if size >= least} | {examples}))


def extrapolate(points: Sequence[Point], *, measure: str, draws: int = DRAWS, seed: int = 0) -> LearningCurve:
    """The interval is that of the curve, by refitting on redrawn residuals; chance in the test part is not in it."""
    measured = tuple(sorted(points, key=lambda point: point.examples))
    curve = LearningCurve(measure=measure, points=measured)
    examples, values = _columns(measured)
    if len(set(examples.tolist())) < LEAST_POINTS:
        return replace(curve, refusal=f"{len(measured)} points are too few, {LEAST_POINTS} are needed")
    if values[-1] <= values[0]:
        return replace(curve, refusal="the figure does not grow with the examples")
    fitted = fit(examples, values)
    if fitted is None:
        return replace(curve, refusal="no power law fits the points")
    forecasts = _forecasts(examples, values, fitted, draws=draws, seed=seed)
    width = forecasts[0].interval.high - forecasts[0].interval.low
    if width > WIDEST:
        refusal = f"at {forecasts[0].examples:,} examples the interval would be {100 * width:.0f} points wide"
        return replace(curve, fitted=fitted, refusal=refusal)
    return replace(curve, fitted=fitted, forecasts=forecasts)


def power_law(examples: Floats, limit: float, gap: float, rate: float) -> Floats:
    return limit - gap * examples**-rate


def fit(examples: Floats, values: Floats) -> tuple[float, float, float] | None:
    """Limit, gap and rate, or None where the search ends nowhere. examples, values: shape (points,)."""
    start = (min(1.0, float(values.max()) + 0.05), 1.0, 0.5)
    try:
        with warnings.catch_warnings():
            # The covariance is not used, so that it cannot be estimated does not matter.
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
    # Three parameters take up part of the scatter.
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
