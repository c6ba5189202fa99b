"""From scores to a calibrated, checked answer."""

import math
from dataclasses import dataclass

from triage.bundle import Manifest
from triage.errors import ModelFailedError
from triage.inference.engine import Engine, Scores
from triage.redaction import redact_text

TOP = 5
"""How many labels a prediction keeps."""

REPLAY_TOLERANCE = 1e-4
"""Probabilities that differ by no more count as the same answer when a model is asked again about the same text.

Processors add floats in different orders: with other instructions, a small encoder's probabilities moved by up to 4e-7,
and those of deeper models move more. Another model or text does not stay this close. A quantized model may differ by
more on another kind of processor, and then counts as different.
"""


@dataclass(frozen=True)
class Classification:
    """label and confidence: the answer; top: the most probable labels with their calibrated probabilities."""

    label: str
    confidence: float
    top: tuple[tuple[str, float], ...]
    tokens_seen: int
    tokens_total: int


def classify(text: str, *, engine: Engine, manifest: Manifest) -> Classification:
    """Judge one cleaned text.

    Raises:
        ModelFailedError: the model raised, or its scores are no distribution over the manifest's labels. The message
            never holds the text.
    """
    try:
        scores = engine.score(as_read(text, manifest))
    except Exception as error:  # whatever a foreign model raises costs its own prediction only
        raise ModelFailedError(f"the model raised {type(error).__name__}") from None
    probabilities = softmax(_checked(scores, len(manifest.labels)), manifest.calibration.temperature)
    ranked = sorted(zip(manifest.labels, probabilities, strict=True), key=lambda pair: -pair[1])
    label, confidence = _answer(dict(ranked), ranked[0], manifest)
    return Classification(
        label=label,
        confidence=confidence,
        top=tuple(ranked[:TOP]),
        tokens_seen=scores.tokens_seen,
        tokens_total=scores.tokens_total,
    )


def as_read(text: str, manifest: Manifest) -> str:
    """A cleaned text as the model is given it: redacted, where what it was trained on was."""
    return text if manifest.redaction_version is None else redact_text(text)


def softmax(logits: tuple[float, ...], temperature: float = 1.0) -> tuple[float, ...]:
    """Probabilities that sum to one, for finite logits of any size."""
    highest = max(logits)
    exponentials = [math.exp((logit - highest) / temperature) for logit in logits]
    total = sum(exponentials)
    return tuple(value / total for value in exponentials)


def _checked(scores: Scores, labels: int) -> tuple[float, ...]:
    if len(scores.logits) != labels:
        raise ModelFailedError(f"the model gave {len(scores.logits)} scores for {labels} labels")
    if not all(math.isfinite(logit) for logit in scores.logits):
        raise ModelFailedError("the model gave scores that are not finite")
    return scores.logits


def _answer(probabilities: dict[str, float], best: tuple[str, float], manifest: Manifest) -> tuple[str, float]:
    """The most probable label, or, for a task that looks for one label, that label from its own threshold on."""
    positive, flag = manifest.positive_label, manifest.thresholds.flag
    if positive is None or flag is None:
        return best
    if probabilities[positive] >= flag:
        return positive, probabilities[positive]
    return max(((label, p) for label, p in probabilities.items() if label != positive), key=lambda pair: pair[1])
