"""Figures of parts of the complaints: by label, by product, and by other facts such as year, length and channel."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from training.data.dataset import LabelledRow
from training.evaluation.intervals import Interval, intervals
from training.evaluation.measures import defined, figures, hits_given_true, ratio
from training.evaluation.predictions import Predictions
from training.evaluation.scored_answers import Judged
from triage.tasks import VULNERABLE

SMALL = 30
"""A figure from fewer complaints is marked as too small to rely on."""

LENGTHS = (250, 500, 1000, 2000)
"""Upper bounds of the length bands in characters; fixed, so that reports can be compared."""

NOT_STATED = "not stated"


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Figures of one value of a fact. recall: only for a task that looks for one label."""

    by: str
    value: str
    n: int
    accuracy: float | None
    interval: Interval | None
    recall: float | None = None

    @property
    def small(self) -> bool:
        return self.n < SMALL


@dataclass(frozen=True, kw_only=True)
class ClassFigures:
    """Figures of one label, None if undefined. support: complaints that have it. given: complaints answered with it."""

    label: str
    support: int
    given: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Confusion:
    """How often one label was given instead of another. share: of the product's complaints."""

    product: str
    truth: str
    given: str
    n: int
    share: float


def _length(row: LabelledRow) -> str:
    band = int(np.searchsorted(LENGTHS, len(row.narrative)))
    if band == len(LENGTHS):
        return f"over {LENGTHS[-1]:,}"
    return f"{LENGTHS[band - 1] + 1 if band else 1:,} to {LENGTHS[band]:,}"


SLICES: Mapping[str, Callable[[LabelledRow], str]] = {
    "product": lambda row: row.product,
    "year": lambda row: str(row.received.year),
    "length in characters": _length,
    "channel": lambda row: row.channel or NOT_STATED,
    "vulnerable": lambda row: VULNERABLE.label(row.vulnerable) or NOT_STATED,
}


def slices(predictions: Predictions) -> tuple[Slice, ...]:
    return tuple(slice_ for by, value_of in SLICES.items() for slice_ in _slices(predictions, by, value_of))


def _slices(predictions: Predictions, by: str, value_of: Callable[[LabelledRow], str]) -> Iterator[Slice]:
    values = np.array([value_of(row) for row in predictions.rows])
    looks_for_one = predictions.judged.positive is not None
    for value in _in_order(by, values.tolist()):
        rows = np.flatnonzero(values == value)
        judged = predictions.judged.at(rows)
        measured = figures(judged)
        yield Slice(
            by=by,
            value=value,
            n=len(rows),
            accuracy=measured["accuracy"],
            interval=intervals(judged, predictions.groups[rows], names=["accuracy"])["accuracy"],
            recall=measured["recall"] if looks_for_one else None,
        )


def _in_order(by: str, values: list[str]) -> list[str]:
    """Sort years and lengths by value, and everything else by number of complaints."""
    counts = Counter(values)
    if by == "year":
        return sorted(counts)
    if by == "length in characters":
        return sorted(counts, key=lambda band: int(band.removeprefix("over ").split(" ")[0].replace(",", "")))
    return sorted(counts, key=lambda value: (-counts[value], value))


def class_figures(judged: Judged) -> tuple[ClassFigures, ...]:
    """Return the figures of every label that occurs, as true label or as answer; the most frequent first."""
    hits, given, true = (counts[0] for counts in hits_given_true(judged, np.ones((1, len(judged)))))
    precision, recall, f1 = ratio(hits, given), ratio(hits, true), ratio(2 * hits, given + true)
    order = sorted(range(len(judged.classes)), key=lambda place: (-true[place], judged.classes[place]))
    return tuple(
        ClassFigures(
            label=judged.classes[place],
            support=int(true[place]),
            given=int(given[place]),
            precision=defined(float(precision[place])),
            recall=defined(float(recall[place])),
            f1=defined(float(f1[place])),
        )
        for place in order
        if given[place] + true[place]
    )


def confusions(predictions: Predictions, *, most: int = 3) -> tuple[Confusion, ...]:
    """Return the most frequent confusions of each product."""
    judged, products = predictions.judged, predictions.products()
    counts = Counter(products)
    wrong: dict[str, Counter[tuple[str, str]]] = {product: Counter() for product in counts}
    for row in np.flatnonzero(~judged.correct).tolist():
        wrong[products[row]][str(judged.truth[row]), judged.labels[judged.given[row]]] += 1
    return tuple(
        Confusion(product, truth, given, n, n / counts[product])
        for product in sorted(wrong, key=lambda product: (-counts[product], product))
        for (truth, given), n in sorted(wrong[product].items(), key=lambda item: (-item[1], item[0]))[:most]
    )


def confusion_matrix(judged: Judged) -> np.ndarray:
    """Count complaints by true and predicted label, in the order of `judged.classes`; shape (classes, classes)."""
    size = len(judged.classes)
    return np.bincount(judged.true * size + judged.given, minlength=size**2).reshape(size, size)
