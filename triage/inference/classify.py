"""Turns the scores of a model into a checked answer with calibrated probabilities."""

import math
from dataclasses import dataclass

from triage.bundle import Manifest
from triage.errors import ModelFailedError
from triage.inference.engine import Engine, Scores, foreign
from triage.inference.reading import read_by_models

TOP = 5
"""A prediction keeps this many of its most probable labels."""

REPLAY_TOLERANCE = 1e-4
"""Probabilities that differ by no more count as the same answer when a model is asked again about the same text.

Processors add floats in different orders: with other instructions, a small encoder's probabilities moved by up to 4e-7.
The rest is a margin for deeper models. A quantized model may differ by more on another kind of processor, and then
counts as different.
"""


@dataclass(frozen=True)
class Classification:
    """An answer with calibrated probabilities. confidence: of `label`. top: the most probable labels.

    tokens_total: of the part of the text that models read, see `triage.inference.reading`.
    """

    label: str
    confidence: float
    top: tuple[tuple[str, float], ...]
    tokens_seen: int
    tokens_total: int


def classify(text: str, *, engine: Engine, manifest: Manifest) -> Classification:
    """Judge one cleaned text.

    Raises:
        ModelFailedError: the model raised an error, or its scores are not one finite number for each label. The message
            never contains the text.
    """
    read = as_read(text, manifest)
    with foreign():
        scores = engine.score(read)
    probabilities = softmax(checked(scores, len(manifest.labels)), manifest.calibration.temperature)
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
    """Return the part of a cleaned text that the model reads: redacted if it was trained on redacted texts."""
    return read_by_models(text, redacted=manifest.redaction_version is not None)


def softmax(logits: tuple[float, ...], temperature: float = 1.0) -> tuple[float, ...]:
    """Return probabilities that sum to 1, for finite logits of any size."""
    highest = max(logits)
    exponentials = [math.exp((logit - highest) / temperature) for logit in logits]
    total = sum(exponentials)
    return tuple(value / total for value in exponentials)


def checked(scores: Scores, labels: int) -> tuple[float, ...]:
    """Return the logits. Raises: ModelFailedError unless they are one finite number for each label."""
    if len(scores.logits) != labels:
        raise ModelFailedError(f"the model gave {len(scores.logits)} scores for {labels} labels")
    if not all(math.isfinite(logit) for logit in scores.logits):
        raise ModelFailedError(
            "the model gave a score that is NaN or infinite: retire it, and publish a corrected version"
        )
    return scores.logits


def _answer(probabilities: dict[str, float], best: tuple[str, float], manifest: Manifest) -> tuple[str, float]:
    """Return the most probable label. A positive label is returned if and only if it reaches its own threshold."""
    positive, flag = manifest.positive_label, manifest.thresholds.flag
    if positive is None or flag is None:
        return best
    if probabilities[positive] >= flag:
        return positive, probabilities[positive]
    return max(((label, p) for label, p in probabilities.items() if label != positive), key=lambda pair: pair[1])
