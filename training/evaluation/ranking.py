"""What comes of ranking answers by their probability and taking the first: coverage, and precision at a recall.

A threshold takes all answers of the same probability, so only the last of them counts. Weights as in `measures`.
"""

import numpy as np

from training.bundle.thresholds import Booleans, Floats, Integers, flag_threshold
from training.evaluation.scored_answers import Judged

RECALLS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""At which the price in precision is reported."""


def ratio(part: Floats, whole: Floats) -> Floats:
    """NaN where there is no whole."""
    divided: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return divided


def coverage_at(confidence: Floats, correct: Booleans, weights: Floats, *, target: float) -> Floats:
    """The largest share of answers, most confident first, of which `target` are right.

    confidence, correct: shape (n,).

    >>> confidence, correct = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True])
    >>> coverage_at(confidence, correct, np.ones((1, 4)), target=0.75).tolist()
    [1.0]
    """
    covered, right = coverage_curve(confidence, correct, weights)
    # Sums of weights that are no integers may miss a target that is met exactly.
    enough = np.nan_to_num(right) >= target - 1e-12
    largest: Floats = np.where(enough, covered, 0.0).max(axis=1)
    return largest


def coverage_curve(confidence: Floats, correct: Booleans, weights: Floats) -> tuple[Floats, Floats]:
    """For each threshold, the largest first: share of the answers and their accuracy; shape (draws, thresholds)."""
    order, last = _ranking(confidence)
    ranked = weights[:, order]
    answered = np.cumsum(ranked, axis=1)[:, last]
    right = np.cumsum(ranked * correct[order], axis=1)[:, last]
    return ratio(answered, np.broadcast_to(answered[:, -1:], answered.shape)), ratio(right, answered)


def average_precision_of(probability: Floats, positive: Booleans, weights: Floats) -> Floats:
    """Precision at each threshold, weighted by the recall that it adds; shape (draws,).

    probability, positive: shape (n,).
    """
    order, last = _ranking(probability)
    ranked = weights[:, order]
    found = np.cumsum(ranked * positive[order], axis=1)[:, last]
    reached = ratio(found, np.cumsum(ranked, axis=1)[:, last])
    added = np.diff(found, axis=1, prepend=0.0)
    return ratio((np.nan_to_num(reached) * added).sum(axis=1), found[:, -1])


def precision_at_recalls(judged: Judged) -> dict[float, float]:
    """What each recall costs: text does not show every vulnerability, so beyond some recall flags are chance.

    Empty for a task without a positive label, or where none is found among the complaints.
    """
    place = judged.positive_place
    found = judged.true == place
    if place is None or not found.any():
        return {}
    probability = judged.probability[:, place]
    flags = {recall: flag_threshold(probability, found, target_recall=recall) for recall in RECALLS}
    return {recall: float(found[probability >= flag].mean()) for recall, flag in flags.items()}


def _ranking(values: Floats) -> tuple[Integers, Booleans]:
    """Order from the largest value on, and which ranks are the last of their value."""
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    return order, np.append(ranked[:-1] != ranked[1:], True)
