"""Accuracy against coverage, and confidence against accuracy: what a threshold buys, and whether confidence is true."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.evaluation.humans import HUMANS
from training.evaluation.measures import BINS, TARGET_ACCURACY, bins
from training.evaluation.ranking import coverage_at, coverage_curve
from training.evaluation.scored_answers import Judged

POINTS = 200
"""Of the curve that is drawn."""


@dataclass(frozen=True)
class Covered:
    """accuracy: of the answers that are at least as confident as `threshold`; coverage: their share."""

    threshold: float
    coverage: float
    accuracy: float


@dataclass(frozen=True)
class Bin:
    """Answers of about the same confidence; confidence and accuracy are their means."""

    n: int
    confidence: float
    accuracy: float


def covered(judged: Judged) -> tuple[Covered, ...]:
    """From the most confident answer to all of them, thinned to POINTS."""
    coverage, accuracy = (curve[0] for curve in coverage_curve(judged.confidence, judged.correct, _once(judged)))
    thresholds = -np.unique(-judged.confidence)
    kept = np.unique(np.linspace(0, len(thresholds) - 1, POINTS).round().astype(int))
    columns = (thresholds[kept].tolist(), coverage[kept].tolist(), accuracy[kept].tolist())
    return tuple(Covered(*point) for point in zip(*columns, strict=True))


def coverage_levels(judged: Judged, *, task: str) -> Mapping[str, float]:
    """The share of answers, most confident first, that reaches each accuracy: the target, and what people reach."""
    people = {human.level for human in HUMANS if human.task == task and human.measure == "accuracy"}
    return {
        f"{level:.2f}": float(coverage_at(judged.confidence, judged.correct, _once(judged), target=level)[0])
        for level in sorted(people | {TARGET_ACCURACY})
    }


def reliability(judged: Judged) -> tuple[Bin, ...]:
    """Bins of equal width that hold an answer."""
    place = bins(judged.confidence)
    return tuple(
        Bin(int(rows.sum()), float(judged.confidence[rows].mean()), float(judged.correct[rows].mean()))
        for bin_ in range(BINS)
        if (rows := place == bin_).any()
    )


def _once(judged: Judged) -> np.ndarray:
    return np.ones((1, len(judged)))
