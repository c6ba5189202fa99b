"""Expected calibration error: how far confidence and accuracy lie apart (Naeini et al., 2015)."""

from collections.abc import Iterable

from triage.contracts import Contract

BINS = 10


class Bin(Contract):
    """Answers whose confidence lies between `low` and the next bin: their weight, mean confidence and accuracy."""

    low: float
    weight: float
    confidence: float
    accuracy: float


class Calibration(Contract):
    """error: weighted mean distance of confidence and accuracy, None without answers. bins: those that hold any."""

    error: float | None
    bins: tuple[Bin, ...]


def calibration(answers: Iterable[tuple[float, bool, float]]) -> Calibration:
    """Of (confidence, right, weight), in bins of equal width."""
    filled: dict[int, list[tuple[float, bool, float]]] = {}
    for answer in answers:
        filled.setdefault(min(int(answer[0] * BINS), BINS - 1), []).append(answer)
    bins = tuple(_bin(number, filled[number]) for number in sorted(filled))
    total = sum(b.weight for b in bins)
    error = sum(b.weight * abs(b.confidence - b.accuracy) for b in bins) / total if total else None
    return Calibration(error=error, bins=bins)


def _bin(number: int, answers: list[tuple[float, bool, float]]) -> Bin:
    weight = sum(w for _, _, w in answers)
    return Bin(
        low=number / BINS,
        weight=weight,
        confidence=sum(c * w for c, _, w in answers) / weight,
        accuracy=sum(right * w for _, right, w in answers) / weight,
    )
