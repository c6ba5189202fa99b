"""Two curves: accuracy against coverage, for choosing a threshold, and accuracy against confidence."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.evaluation.humans import HUMANS
from training.evaluation.measures import BINS, TARGET_ACCURACY, bins, coverage_at, coverage_curve
from training.evaluation.scored_answers import Judged

POINTS = 200
"""Points of the curve in the picture."""


@dataclass(frozen=True)
class Covered:
    """accuracy: of the answers with at least the confidence `threshold`; coverage: the share of these answers."""

    threshold: float
    coverage: float
    accuracy: float


@dataclass(frozen=True)
class Bin:
    """n answers of similar confidence, with the means of their confidence and accuracy."""

    n: int
    confidence: float
    accuracy: float


def covered(judged: Judged) -> tuple[Covered, ...]:
    """Return accuracy and coverage from the most confident answer to all of them, at most at POINTS thresholds."""
    coverage, accuracy = (curve[0] for curve in coverage_curve(judged.confidence, judged.correct, _once(judged)))
    thresholds = -np.unique(-judged.confidence)
    kept = np.unique(np.linspace(0, len(thresholds) - 1, POINTS).round().astype(int))
    columns = (thresholds[kept].tolist(), coverage[kept].tolist(), accuracy[kept].tolist())
    return tuple(Covered(*point) for point in zip(*columns, strict=True))


def coverage_levels(judged: Judged, *, task: str) -> Mapping[str, float]:
    """Return the largest share of answers, the most confident first, whose accuracy is the target or that of people."""
    people = {human.level for human in HUMANS if human.task == task and human.measure == "accuracy"}
    return {
        f"{level:.2f}": float(coverage_at(judged.confidence, judged.correct, _once(judged), target=level)[0])
        for level in sorted(people | {TARGET_ACCURACY})
    }


def reliability(judged: Judged) -> tuple[Bin, ...]:
    """Return the bins of equal width that contain an answer."""
    place = bins(judged.confidence)
    return tuple(
        Bin(int(rows.sum()), float(judged.confidence[rows].mean()), float(judged.correct[rows].mean()))
        for bin_ in range(BINS)
        if (rows := place == bin_).any()
    )


def _once(judged: Judged) -> np.ndarray:
    return np.ones((1, len(judged)))
