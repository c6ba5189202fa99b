"""Each figure, said once, for weighted complaints: weights of one give the figure itself, redrawn ones its interval,
and those of another mix what it would be there.

Every measure takes weights of shape (draws, n) and gives (draws,), NaN where it is not defined.
"""

from collections.abc import Callable, Mapping

import numpy as np

from training.bundle.thresholds import Booleans, Floats, Integers
from training.evaluation.ranking import average_precision_of, coverage_at, ratio
from training.evaluation.scored_answers import Judged

TARGET_ACCURACY = 0.9

BINS = 10
"""Of equal width, for calibration."""

Measure = Callable[[Judged, Floats], Floats]
Figures = Mapping[str, float | None]
"""By the names of MEASURES; None where a figure is not defined."""


def figures(judged: Judged, weights: Floats | None = None) -> Figures:
    """Every measure, by default with each complaint counted once. weights: shape (n,)."""
    once = np.ones((1, len(judged))) if weights is None else weights[None]
    return {name: defined(float(measure(judged, once)[0])) for name, measure in MEASURES.items()}


def defined(value: float) -> float | None:
    return None if np.isnan(value) else value


def share(of: Booleans, weights: Floats) -> Floats:
    return ratio(weights @ of.astype(float), weights.sum(axis=1))


def counts(places: Integers, weights: Floats, *, classes: int) -> Floats:
    """Weight of each class, shape (draws, classes)."""
    return np.stack([np.bincount(places, weights=row, minlength=classes) for row in weights])


def accuracy(judged: Judged, weights: Floats) -> Floats:
    return share(judged.correct, weights)


def constant_accuracy(judged: Judged, weights: Floats) -> Floats:
    """Of always giving the label that is most common here."""
    true = counts(judged.true, weights, classes=len(judged.classes))
    return ratio(true.max(axis=1), weights.sum(axis=1))


def hits_given_true(judged: Judged, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Weight that was given and true, given, and true, for each class; each of shape (draws, classes)."""
    classes = len(judged.classes)
    hits = counts(judged.true, weights * judged.correct, classes=classes)
    given, true = (counts(places, weights, classes=classes) for places in (judged.given, judged.true))
    return hits, given, true


def macro_f1(judged: Judged, weights: Floats) -> Floats:
    hits, given, true = hits_given_true(judged, weights)
    return _macro(2 * hits, given + true, occurs=given + true > 0)


def recall(judged: Judged, weights: Floats) -> Floats:
    """Of the positive label; for a task without one, the mean over the labels as in `macro_f1`."""
    hits, given, true = hits_given_true(judged, weights)
    place = judged.positive_place
    return _macro(hits, true, occurs=given + true > 0) if place is None else ratio(hits[:, place], true[:, place])


def precision(judged: Judged, weights: Floats) -> Floats:
    """Of the positive label; for a task without one, the mean over the labels as in `macro_f1`."""
    hits, given, true = hits_given_true(judged, weights)
    place = judged.positive_place
    return _macro(hits, given, occurs=given + true > 0) if place is None else ratio(hits[:, place], given[:, place])


def _macro(part: Floats, whole: Floats, *, occurs: Booleans) -> Floats:
    """Mean over the labels that occur, as true or as an answer; 0 where one was never given, or never true."""
    of_each = np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0)
    return ratio((of_each * occurs).sum(axis=1), occurs.sum(axis=1))


def top3_accuracy(judged: Judged, weights: Floats) -> Floats:
    """Among the three most probable labels; not defined for a task of fewer than four."""
    if len(judged.labels) < 4:
        return np.full(len(weights), np.nan)
    best = np.argsort(-judged.probability, axis=1, kind="stable")[:, :3]
    return share((best == judged.true[:, None]).any(axis=1), weights)


def coverage(judged: Judged, weights: Floats) -> Floats:
    """Share that no person sees, by the model's own threshold."""
    return share(judged.auto, weights)


def auto_accuracy(judged: Judged, weights: Floats) -> Floats:
    """Accuracy of what no person sees."""
    return share(judged.correct, weights * judged.auto)


def flagged(judged: Judged, weights: Floats) -> Floats:
    """Share to which the positive label was given."""
    place = judged.positive_place
    return np.full(len(weights), np.nan) if place is None else share(judged.given == place, weights)


def average_precision(judged: Judged, weights: Floats) -> Floats:
    """Of the positive label."""
    place = judged.positive_place
    if place is None:
        return np.full(len(weights), np.nan)
    return average_precision_of(judged.probability[:, place], judged.true == place, weights)


def coverage_at_target(judged: Judged, weights: Floats) -> Floats:
    """See `coverage_at`; chosen on these very complaints, so it is what a perfect choice of threshold would give."""
    return coverage_at(judged.confidence, judged.correct, weights, target=TARGET_ACCURACY)


def calibration_error(judged: Judged, weights: Floats) -> Floats:
    """Expected calibration error: by how much confidence and accuracy differ."""
    gaps = counts(bins(judged.confidence), weights * (judged.confidence - judged.correct), classes=BINS)
    return ratio(np.abs(gaps).sum(axis=1), weights.sum(axis=1))


def bins(confidence: Floats) -> Integers:
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


MEASURES: dict[str, Measure] = {
    "accuracy": accuracy,
    "constant_accuracy": constant_accuracy,
    "macro_f1": macro_f1,
    "top3_accuracy": top3_accuracy,
    "coverage": coverage,
    "auto_accuracy": auto_accuracy,
    "coverage_at_90": coverage_at_target,
    "recall": recall,
    "precision": precision,
    "flagged": flagged,
    "average_precision": average_precision,
    "calibration_error": calibration_error,
}
