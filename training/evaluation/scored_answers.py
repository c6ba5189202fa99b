"""What a model said of complaints whose labels are known. All figures are computed from this alone."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from training.bundle.thresholds import Booleans, Floats, Integers, confidence_of_answers
from triage.bundle import Thresholds

Labels = npt.NDArray[np.str_]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Answers to n complaints, given as `triage.inference.classify` gives them.

    probability: calibrated, shape (n, labels). truth: the true labels, shape (n,); one that the model does not know is
    missed. positive: the label that the task looks for, where it looks for one.
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
        """The model's labels, then those it does not know."""
        return (*self.labels, *sorted(set(self.truth.tolist()) - set(self.labels)))

    @cached_property
    def true(self) -> Integers:
        """Places of the true labels among `classes`, shape (n,)."""
        places = {label: place for place, label in enumerate(self.classes)}
        return np.array([places[label] for label in self.truth.tolist()], dtype=np.int64)

    @property
    def given(self) -> Integers:
        """Places of the labels that were given, shape (n,)."""
        return self._answers[0]

    @property
    def confidence(self) -> Floats:
        """Probability of the label that was given, shape (n,)."""
        return self._answers[1]

    @cached_property
    def correct(self) -> Booleans:
        right: Booleans = np.equal(self.given, self.true)
        return right

    @cached_property
    def auto(self) -> Booleans:
        """Whether no person sees the answer, shape (n,)."""
        least = np.inf if self.thresholds.auto is None else self.thresholds.auto
        alone: Booleans = np.greater_equal(self.confidence, least)
        return alone

    @property
    def positive_place(self) -> int | None:
        return None if self.positive is None else self.labels.index(self.positive)

    def at(self, rows: Integers | Booleans) -> "Judged":
        """The same model on some of the complaints."""
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
