"""Intervals by bootstrap over near-duplicate groups: ten copies of one letter are one observation.

Percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993), with whole groups drawn as in the
cluster bootstrap of Field and Welsh (2007).
"""

from collections.abc import Iterable, Iterator, Mapping
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
"""Weights held at once, so that memory does not grow with draws times complaints."""

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
    """Of each named measure; None where it is not defined. groups, weights: shape (n,).

    The same groups and seed give the same draws, whatever model is measured.
    """
    drawn: dict[str, list[Floats]] = {name: [] for name in names}
    for redrawn in redraws(groups, draws=draws, seed=seed):
        weighted = redrawn if weights is None else redrawn * weights
        for name, values in drawn.items():
            values.append(MEASURES[name](judged, weighted))
    return {
        name: _widened(percentile_interval(np.concatenate(values)), _observations(name, judged, groups))
        for name, values in drawn.items()
    }


def _observations(name: str, judged: Judged, groups: Groups) -> int:
    """Groups that a measure rests on."""
    if name == "coverage" and judged.thresholds.auto is None:
        # It covers nothing by definition.
        return 0
    rows = np.ones(len(judged), dtype=np.bool_)
    if name == "auto_accuracy":
        rows = judged.auto
    elif judged.positive is not None and name in ("recall", "precision", "average_precision"):
        labelled = judged.given if name == "precision" else judged.true
        rows = labelled == judged.labels.index(judged.positive)
    return len(np.unique(groups[rows]))


def _widened(interval: Interval | None, observations: int) -> Interval | None:
    """Where all are right or all are wrong, every draw is the same, which proves less the fewer there are.

    Clopper and Pearson, The use of confidence or fiducial limits, 1934.
    """
    if interval is None or not observations:
        return interval
    least = ((1 - LEVEL) / 2) ** (1 / observations)
    # Weighted shares are rounded.
    if np.allclose(interval, 1.0, rtol=0, atol=1e-9):
        return Interval(least, 1.0)
    return Interval(0.0, 1.0 - least) if np.allclose(interval, 0.0, rtol=0, atol=1e-9) else interval


def redraws(groups: Groups, *, draws: int = DRAWS, seed: int = SEED) -> Iterator[Floats]:
    """How often each row is drawn when groups are drawn with replacement, in parts of shape (some draws, n)."""
    _, numbered = np.unique(groups, return_inverse=True)
    count = int(numbered.max()) + 1
    chance = np.random.default_rng(seed)
    size = max(1, CHUNK // len(groups))
    for start in range(0, draws, size):
        drawn = chance.multinomial(count, np.full(count, 1 / count), size=min(size, draws - start))
        yield drawn[:, numbered].astype(float)


def percentile_interval(values: Floats) -> Interval | None:
    """Of values of shape (draws,); draws in which the measure is not defined say nothing."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
