"""Every figure of an evaluation, defined once for weighted complaints.

Weights of 1 give the figure itself, weights of bootstrap draws its interval, and other weights its value on another mix
of complaints. Every measure takes weights of shape (draws, n) and returns shape (draws,), with NaN
where it is not defined.
"""

from collections.abc import Callable, Mapping

import numpy as np

from training.bundle.thresholds import Booleans, Floats, Integers, flag_threshold
from training.evaluation.scored_answers import Judged

TARGET_ACCURACY = 0.9

BINS = 10
"""Bins of equal width, for calibration."""

RECALLS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Recalls at which the precision is reported."""

Measure = Callable[[Judged, Floats], Floats]
Figures = Mapping[str, float | None]
"""By the names of MEASURES; None where a figure is not defined."""


def figures(judged: Judged, weights: Floats | None = None) -> Figures:
    """Return every measure. weights: shape (n,); by default every complaint counts once."""
    once = np.ones((1, len(judged))) if weights is None else weights[None]
    return {name: defined(float(measure(judged, once)[0])) for name, measure in MEASURES.items()}


def defined(value: float) -> float | None:
    return None if np.isnan(value) else value


def share(of: Booleans, weights: Floats) -> Floats:
    return ratio(weights @ of.astype(float), weights.sum(axis=1))


def counts(places: Integers, weights: Floats, *, classes: int) -> Floats:
    """Return the total weight of each class, shape (draws, classes)."""
    return np.stack([np.bincount(places, weights=row, minlength=classes) for row in weights])


def accuracy(judged: Judged, weights: Floats) -> Floats:
    return share(judged.correct, weights)


def constant_accuracy(judged: Judged, weights: Floats) -> Floats:
    """Accuracy of always answering the most common label of these complaints."""
    true = counts(judged.true, weights, classes=len(judged.classes))
    return ratio(true.max(axis=1), weights.sum(axis=1))


def hits_given_true(judged: Judged, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return for each class the weight of correct answers, of answers, and of true labels; shape (draws, classes)."""
    classes = len(judged.classes)
    hits = counts(judged.true, weights * judged.correct, classes=classes)
    given, true = (counts(places, weights, classes=classes) for places in (judged.given, judged.true))
    return hits, given, true


def macro_f1(judged: Judged, weights: Floats) -> Floats:
    hits, given, true = hits_given_true(judged, weights)
    return _macro(2 * hits, given + true, occurs=given + true > 0)


def recall(judged: Judged, weights: Floats) -> Floats:
    """Of the positive label; without one, the mean over the labels as in `macro_f1`."""
    hits, given, true = hits_given_true(judged, weights)
    place = judged.positive_place
    return _macro(hits, true, occurs=given + true > 0) if place is None else ratio(hits[:, place], true[:, place])


def precision(judged: Judged, weights: Floats) -> Floats:
    """Of the positive label; without one, the mean over the labels as in `macro_f1`."""
    hits, given, true = hits_given_true(judged, weights)
    place = judged.positive_place
    return _macro(hits, given, occurs=given + true > 0) if place is None else ratio(hits[:, place], given[:, place])


def _macro(part: Floats, whole: Floats, *, occurs: Booleans) -> Floats:
    """Mean of `part / whole` over the labels that occur, as true label or as answer; 0 where `whole` is 0."""
    of_each = np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0)
    return ratio((of_each * occurs).sum(axis=1), occurs.sum(axis=1))


def top3_accuracy(judged: Judged, weights: Floats) -> Floats:
    """Share whose true label is among the three most probable; not defined for fewer than four labels."""
    if len(judged.labels) < 4:
        return np.full(len(weights), np.nan)
    best = np.argsort(-judged.probability, axis=1, kind="stable")[:, :3]
    return share((best == judged.true[:, None]).any(axis=1), weights)


def coverage(judged: Judged, weights: Floats) -> Floats:
    """Share that no person reviews, at the model's own threshold."""
    return share(judged.auto, weights)


def auto_accuracy(judged: Judged, weights: Floats) -> Floats:
    """Accuracy of the answers that no person reviews."""
    return share(judged.correct, weights * judged.auto)


def flagged(judged: Judged, weights: Floats) -> Floats:
    """Share that was answered with the positive label."""
    place = judged.positive_place
    return np.full(len(weights), np.nan) if place is None else share(judged.given == place, weights)


def average_precision(judged: Judged, weights: Floats) -> Floats:
    """Average precision of the positive label."""
    place = judged.positive_place
    if place is None:
        return np.full(len(weights), np.nan)
    return average_precision_of(judged.probability[:, place], judged.true == place, weights)


def coverage_at_target(judged: Judged, weights: Floats) -> Floats:
    """Coverage at TARGET_ACCURACY with the best threshold for these complaints, see `coverage_at`."""
    return coverage_at(judged.confidence, judged.correct, weights, target=TARGET_ACCURACY)


def calibration_error(judged: Judged, weights: Floats) -> Floats:
    """Expected calibration error: the mean difference between confidence and accuracy over the bins."""
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


def ratio(part: Floats, whole: Floats) -> Floats:
    """Return `part / whole`, NaN where `whole` is 0."""
    divided: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return divided


def coverage_at(confidence: Floats, correct: Booleans, weights: Floats, *, target: float) -> Floats:
    """Return the largest share of answers, the most confident first, whose accuracy is `target`.

    confidence, correct: shape (n,).

    >>> confidence, correct = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True])
    >>> coverage_at(confidence, correct, np.ones((1, 4)), target=0.75).tolist()
    [1.0]
    """
    covered, right = coverage_curve(confidence, correct, weights)
    # The tolerance is for sums of weights that are not whole numbers.
    enough = np.nan_to_num(right) >= target - 1e-12
    largest: Floats = np.where(enough, covered, 0.0).max(axis=1)
    return largest


def coverage_curve(confidence: Floats, correct: Booleans, weights: Floats) -> tuple[Floats, Floats]:
    """Return coverage and accuracy at each threshold, the highest threshold first; shape (draws, thresholds)."""
    order, last = _ranking(confidence)
    ranked = weights[:, order]
    answered = np.cumsum(ranked, axis=1)[:, last]
    right = np.cumsum(ranked * correct[order], axis=1)[:, last]
    return ratio(answered, np.broadcast_to(answered[:, -1:], answered.shape)), ratio(right, answered)


def average_precision_of(probability: Floats, positive: Booleans, weights: Floats) -> Floats:
    """Return the mean of the precision at each threshold, weighted by the recall that it adds; shape (draws,).

    probability, positive: shape (n,).
    """
    order, last = _ranking(probability)
    ranked = weights[:, order]
    found = np.cumsum(ranked * positive[order], axis=1)[:, last]
    reached = ratio(found, np.cumsum(ranked, axis=1)[:, last])
    added = np.diff(found, axis=1, prepend=0.0)
    return ratio((np.nan_to_num(reached) * added).sum(axis=1), found[:, -1])


def precision_at_recalls(judged: Judged) -> dict[float, float]:
    """Return the precision of the positive label at each of RECALLS.

    Empty for a task without a positive label, or if no complaint has it.
    """
    place = judged.positive_place
    found = judged.true == place
    if place is None or not found.any():
        return {}
    probability = judged.probability[:, place]
    flags = {recall: flag_threshold(probability, found, target_recall=recall) for recall in RECALLS}
    return {recall: float(found[probability >= flag].mean()) for recall, flag in flags.items()}


def _ranking(values: Floats) -> tuple[Integers, Booleans]:
    """Return the order from the largest value to the smallest, and which ranks are the last of equal values.

    A threshold always includes all answers of the same value, so only the last of them counts.
    """
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    return order, np.append(ranked[:-1] != ranked[1:], True)
