"""A model's answers to complaints whose labels are known. All figures of an evaluation are computed from them alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from training.bundle.thresholds import Booleans, Floats, Integers, confidence_of_answers
from triage.bundle import Thresholds
from triage.errors import ModelFailedError
from triage.inference.engine import Engine

Labels = npt.NDArray[np.str_]

THREADS = 2
"""Texts that are scored at the same time; the engine uses one thread for each."""


def logits(
    engine: Engine,
    texts: Sequence[str],
    *,
    labels: int,
    threads: int = THREADS,
    on_scored: Callable[[int], None] = lambda scored: None,
) -> Floats:
    """Return the scores of cleaned texts, of shape (n, labels), computed one text at a time as in serving.

    on_scored: called after each text with the number of texts that are scored.

    Raises:
        ModelFailedError: the engine returned another number of scores than of labels, or one that is not finite.
    """
    rows = []
    with ThreadPoolExecutor(threads) as pool:
        for number, scores in enumerate(pool.map(engine.score, texts), start=1):
            if len(scores.logits) != labels or not np.isfinite(scores.logits).all():
                raise ModelFailedError(
                    f"the model did not return {labels} finite scores for text {number}: check that its weights and "
                    "labels belong together"
                )
            rows.append(scores.logits)
            on_scored(number)
    return np.array(rows, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Answers to n complaints, chosen from the probabilities as `triage.inference.classify` chooses them.

    probability: calibrated, shape (n, labels). truth: the true labels, shape (n,); a label that the model does not know
    counts as wrong. positive: the label that the task looks for, if it looks for one.
    """

    labels: tuple[str, ...]
    probability: Floats = field(repr=False)
    truth: Labels = field(repr=False)
    positive: str | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)

    def __len__(self) -> int:
        return len(self.truth)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The model's labels, followed by the true labels that it does not know."""
        return (*self.labels, *sorted(set(self.truth.tolist()) - set(self.labels)))

    @cached_property
    def true(self) -> Integers:
        """The places of the true labels in `classes`, shape (n,)."""
        places = {label: place for place, label in enumerate(self.classes)}
        return np.array([places[label] for label in self.truth.tolist()], dtype=np.int64)

    @property
    def given(self) -> Integers:
        """The places of the predicted labels, shape (n,)."""
        return self._answers[0]

    @property
    def confidence(self) -> Floats:
        """The probability of the predicted label, shape (n,)."""
        return self._answers[1]

    @cached_property
    def correct(self) -> Booleans:
        right: Booleans = np.equal(self.given, self.true)
        return right

    @cached_property
    def auto(self) -> Booleans:
        """Whether the answer is used without review by a person, shape (n,)."""
        least = np.inf if self.thresholds.auto is None else self.thresholds.auto
        alone: Booleans = np.greater_equal(self.confidence, least)
        return alone

    @property
    def positive_place(self) -> int | None:
        return None if self.positive is None else self.labels.index(self.positive)

    def at(self, rows: Integers | Booleans) -> "Judged":
        """Return the answers to some of the complaints."""
        return Judged(
            labels=self.labels,
            probability=self.probability[rows],
            truth=self.truth[rows],
            positive=self.positive,
            thresholds=self.thresholds,
        )

    @cached_property
    def _answers(self) -> tuple[Integers, Floats]:
        return confidence_of_answers(self.probability, positive=self.positive_place, flag=self.thresholds.flag)
