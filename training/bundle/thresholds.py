"""Calibration and thresholds, set on the validation logits of the very model that serves."""

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import softmax
from scipy.stats import beta

from training.recipe import TaskRecipe
from triage.bundle import Calibration, Thresholds

CONFIDENCE = 0.95
"""With which a target accuracy has to be met, one-sided."""

TEMPERATURES = (0.05, 20.0)
"""Beyond these a model is broken, not badly calibrated."""

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]
Booleans = npt.NDArray[np.bool_]


def fit_temperature(logits: Floats, truth: Integers) -> float:
    """The temperature at which the most probable labels are as probable, on average, as they are true.

    logits: shape (n, labels); truth: shape (n,). The least cross entropy would leave issues too sure by four points,
    since it also weighs how the other eighty labels share the rest, which no threshold reads.
    Clarté et al., Expectation consistency for calibration of neural networks, 2023.
    """
    accuracy = float((logits.argmax(axis=1) == truth).mean())

    def excess(log_temperature: float) -> float:
        return float(probabilities(logits, math.exp(log_temperature)).max(axis=1).mean()) - accuracy

    low, high = (math.log(bound) for bound in TEMPERATURES)
    if excess(low) <= 0:
        return TEMPERATURES[0]
    return TEMPERATURES[1] if excess(high) >= 0 else math.exp(float(brentq(excess, low, high)))


def probabilities(logits: Floats, temperature: float) -> Floats:
    """Calibrated probabilities, of the shape of the logits."""
    calibrated: Floats = softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1)
    return calibrated


def accuracy_at_least(correct: int, total: int, *, confidence: float = CONFIDENCE) -> float:
    """The accuracy that `correct` of `total` proves with one-sided `confidence` (Clopper and Pearson, 1934)."""
    return float(beta.ppf(1 - confidence, correct, total - correct + 1)) if correct else 0.0


def auto_threshold(confidence: Floats, correct: Booleans, *, target: float) -> float | None:
    """The smallest confidence from which on the predictions prove the target accuracy, or None if none does.

    confidence, correct: shape (n,), of the label that was given.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    right = np.cumsum(correct[order])
    totals = np.arange(1, len(ranked) + 1)
    # A threshold takes all predictions of the same confidence, so only the last of them counts.
    last = np.append(ranked[:-1] != ranked[1:], True)
    proven = np.where(right > 0, beta.ppf(1 - CONFIDENCE, np.maximum(right, 1), totals - right + 1), 0.0)
    sufficient = np.flatnonzero(last & (proven >= target))
    return float(ranked[sufficient[-1]]) if len(sufficient) else None


def flag_threshold(probability: Floats, positive: Booleans, *, target_recall: float) -> float:
    """The largest probability from which on at least `target_recall` of the positives are found.

    Recall comes first: what it costs in precision is reported, not traded.

    Raises:
        ValueError: there is no positive to find.
    """
    found = np.sort(probability[positive])[::-1]
    if not len(found):
        raise ValueError("no positive example is left to choose a threshold on")
    return float(found[math.ceil(target_recall * len(found)) - 1])


def confidence_of_answers(probability: Floats, *, positive: int | None, flag: float | None) -> tuple[Integers, Floats]:
    """The label that is given to each row, as `triage.inference.classify` gives it, and its probability; shape (n,)."""
    given = probability.argmax(axis=1)
    if positive is not None and flag is not None:
        others = np.where(np.arange(probability.shape[1]) == positive, -1.0, probability)
        given = np.where(probability[:, positive] >= flag, positive, others.argmax(axis=1))
    return given, probability[np.arange(len(given)), given]


def choose(
    logits: Floats, truth: Integers, *, labels: tuple[str, ...], aim: TaskRecipe
) -> tuple[Calibration, Thresholds]:
    """Calibration and thresholds for validation logits of shape (n, labels) and their true labels of shape (n,).

    The automatic part is chosen on the very examples on which it proves its accuracy, which favours it a little:
    what it really reaches is for the audit stratum to say.
    """
    calibration = Calibration(temperature=fit_temperature(logits, truth))
    probability = probabilities(logits, calibration.temperature)
    positive, flag = None, None
    if aim.positive_label is not None and aim.target_recall is not None:
        positive = labels.index(aim.positive_label)
        flag = flag_threshold(probability[:, positive], truth == positive, target_recall=aim.target_recall)
    given, confidence = confidence_of_answers(probability, positive=positive, flag=flag)
    auto = auto_threshold(confidence, given == truth, target=aim.target_accuracy)
    return calibration, Thresholds(auto=auto, flag=flag)
