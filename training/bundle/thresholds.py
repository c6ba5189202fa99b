"""Calibration and thresholds, chosen from the validation logits of the model that serves."""

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import softmax
from scipy.stats import beta

from training.recipe import TaskRecipe
from triage.bundle import Calibration, Thresholds

CONFIDENCE = 0.95
"""One-sided confidence with which a target accuracy must be proven."""

TEMPERATURES = (0.05, 20.0)
"""Smallest and largest temperature; a model that needs another one is broken, not badly calibrated."""

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]
Booleans = npt.NDArray[np.bool_]


def fit_temperature(logits: Floats, truth: Integers) -> float:
    """Return the temperature at which the mean probability of the most probable label equals the accuracy.

    logits: shape (n, labels); truth: shape (n,). The temperature with the smallest cross entropy would leave issues too
    confident by four points, because it also depends on the other eighty labels, which no threshold uses.
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
    """Return calibrated probabilities, in the shape of the logits."""
    calibrated: Floats = softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1)
    return calibrated


def accuracy_at_least(correct: int, total: int, *, confidence: float = CONFIDENCE) -> float:
    """Return the accuracy that `correct` of `total` prove with one-sided `confidence` (Clopper and Pearson, 1934)."""
    return float(beta.ppf(1 - confidence, correct, total - correct + 1)) if correct else 0.0


def auto_threshold(confidence: Floats, correct: Booleans, *, target: float) -> float | None:
    """Return the smallest threshold at which the automatic predictions prove the target accuracy, None if none does.

    confidence, correct: shape (n,), of the predicted label.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    right = np.cumsum(correct[order])
    totals = np.arange(1, len(ranked) + 1)
    # A threshold includes all predictions of the same confidence, so only the last of them counts.
    last = np.append(ranked[:-1] != ranked[1:], True)
    proven = np.where(right > 0, beta.ppf(1 - CONFIDENCE, np.maximum(right, 1), totals - right + 1), 0.0)
    sufficient = np.flatnonzero(last & (proven >= target))
    return float(ranked[sufficient[-1]]) if len(sufficient) else None


def flag_threshold(probability: Floats, positive: Booleans, *, target_recall: float) -> float:
    """Return the largest probability at which at least `target_recall` of the positives are found.

    The precision that results is reported but does not influence the choice.

    Raises:
        ValueError: there is no positive example.
    """
    found = np.sort(probability[positive])[::-1]
    if not len(found):
        raise ValueError("there is no positive example to choose a threshold on: give more complaints with the label")
    return float(found[math.ceil(target_recall * len(found)) - 1])


def confidence_of_answers(probability: Floats, *, positive: int | None, flag: float | None) -> tuple[Integers, Floats]:
    """Return label and probability of each row's answer, chosen as in `triage.inference.classify`; shape (n,)."""
    answers = probability.argmax(axis=1)
    if positive is not None and flag is not None:
        others = np.where(np.arange(probability.shape[1]) == positive, -1.0, probability)
        answers = np.where(probability[:, positive] >= flag, positive, others.argmax(axis=1))
    return answers, probability[np.arange(len(answers)), answers]


def choose(
    logits: Floats, truth: Integers, *, labels: tuple[str, ...], aim: TaskRecipe
) -> tuple[Calibration, Thresholds]:
    """Choose calibration and thresholds for validation logits of shape (n, labels) and true labels of shape (n,).

    The automatic threshold is chosen on the same examples on which its accuracy is proven, which favours it a little;
    the audit stratum shows what it really reaches.
    """
    calibration = Calibration(temperature=fit_temperature(logits, truth))
    probability = probabilities(logits, calibration.temperature)
    positive, flag = None, None
    if aim.positive_label is not None and aim.target_recall is not None:
        positive = labels.index(aim.positive_label)
        flag = flag_threshold(probability[:, positive], truth == positive, target_recall=aim.target_recall)
    answers, confidence = confidence_of_answers(probability, positive=positive, flag=flag)
    auto = auto_threshold(confidence, answers == truth, target=aim.target_accuracy)
    return calibration, Thresholds(auto=auto, flag=flag)
