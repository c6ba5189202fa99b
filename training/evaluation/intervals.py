"""95 % intervals by bootstrap over near-duplicate groups: ten copies of one letter count as one observation.

Percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993), with whole groups drawn as in the
cluster bootstrap of Field and Welsh (2007).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from training.bundle.thresholds import Floats
from training.data.groups import Groups
from training.evaluation.measures import MEASURES
from training.evaluation.scored_answers import Judged

LEVEL = 0.95
DRAWS = 1000
SEED = 20260101

CHUNK = 1_000_000
"""Weights held in memory at once."""

WITH_INTERVAL = (
    "accuracy",
    "macro_f1",
    "top3_accuracy",
    "coverage",
    "auto_accuracy",
    "coverage_at_90",
    "recall",
    "precision",
    "average_precision",
)


class Interval(NamedTuple):
    low: float
    high: float


Intervals = Mapping[str, Interval | None]


def intervals(
    judged: Judged,
    groups: Groups,
    *,
    names: Iterable[str] = WITH_INTERVAL,
    weights: Floats | None = None,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Intervals:
    """Return the interval of each named measure, None where it is not defined. groups, weights: shape (n,)."""

    def weighted(name: str) -> Callable[[Floats], Floats]:
        return lambda redrawn: MEASURES[name](judged, redrawn if weights is None else redrawn * weights)

    found = bootstrap({name: weighted(name) for name in names}, groups, draws=draws, seed=seed)
    return {name: _widened(around, _observations(name, judged, groups)) for name, around in found.items()}


def bootstrap(
    measures: Mapping[str, Callable[[Floats], Floats]], groups: Groups, *, draws: int = DRAWS, seed: int = SEED
) -> Intervals:
    """Return the interval of each measure, which takes weights of shape (draws, n) and returns shape (draws,).

    The same groups and seed give the same draws, whatever is measured.
    """
    drawn: dict[str, list[Floats]] = {name: [] for name in measures}
    for weights in redraws(groups, draws=draws, seed=seed):
        for name, values in drawn.items():
            values.append(measures[name](weights))
    return {name: percentile_interval(np.concatenate(values)) for name, values in drawn.items()}


def _observations(name: str, judged: Judged, groups: Groups) -> int:
    """Return how many groups a measure is computed from."""
    if name == "coverage" and judged.thresholds.auto is None:
        # Without a threshold, coverage is 0 by definition, so no group was observed.
        return 0
    rows = np.ones(len(judged), dtype=np.bool_)
    if name == "auto_accuracy":
        rows = judged.auto
    elif judged.positive is not None and name in ("recall", "precision", "average_precision"):
        labelled = judged.given if name == "precision" else judged.true
        rows = labelled == judged.labels.index(judged.positive)
    return len(np.unique(groups[rows]))


def _widened(interval: Interval | None, observations: int) -> Interval | None:
    """Return the exact interval for a share of 0 or 1, because every draw of it is the same.

    Clopper and Pearson, The use of confidence or fiducial limits, 1934.
    """
    if interval is None or not observations:
        return interval
    least = ((1 - LEVEL) / 2) ** (1 / observations)
    # The tolerance is for the rounding of weighted shares.
    if np.allclose(interval, 1.0, rtol=0, atol=1e-9):
        return Interval(least, 1.0)
    return Interval(0.0, 1.0 - least) if np.allclose(interval, 0.0, rtol=0, atol=1e-9) else interval


def redraws(groups: Groups, *, draws: int = DRAWS, seed: int = SEED) -> Iterator[Floats]:
    """Yield bootstrap weights: how often the group of each row was drawn, in chunks of shape (up to `draws`, n).

    Each draw takes as many groups as there are, with replacement.
    """
    _, numbered = np.unique(groups, return_inverse=True)
    count = int(numbered.max()) + 1
    chance = np.random.default_rng(seed)
    size = max(1, CHUNK // len(groups))
    for start in range(0, draws, size):
        drawn = chance.multinomial(count, np.full(count, 1 / count), size=min(size, draws - start))
        yield drawn[:, numbered].astype(float)


def percentile_interval(values: Floats) -> Interval | None:
    """Return the middle 95 % of values of shape (draws,), without NaN; None if all are NaN."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
