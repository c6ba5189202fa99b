"""Compares the answers of the int8 graph with those of the float32 graph."""

from dataclasses import dataclass

import numpy as np

from training.bundle.thresholds import Floats, Integers, probabilities
from training.data.groups import Groups
from training.evaluation.intervals import bootstrap

INT8_MAY_COST = 0.005
"""Largest loss of validation accuracy in int8. A model that loses more is served in float32, four times as large."""


@dataclass(frozen=True)
class Parity:
    """What int8 changes on the validation part.

    agreement: share of texts with the same most probable label. probability_difference: the largest of any label.
    accuracy_change: int8 minus float32, with the bounds of its 95 % interval.
    """

    agreement: float
    probability_difference: float
    accuracy_change: float
    accuracy_change_low: float
    accuracy_change_high: float

    @property
    def holds(self) -> bool:
        return self.accuracy_change >= -INT8_MAY_COST


def compare(exact: Floats, quantised: Floats, truth: Integers, groups: Groups) -> Parity:
    """Compare logits of shape (n, labels); true labels and near-duplicate groups are of shape (n,)."""
    difference = np.abs(probabilities(exact, 1.0) - probabilities(quantised, 1.0)).max()
    right = [(logits.argmax(axis=1) == truth).astype(float) for logits in (exact, quantised)]
    change = right[1] - right[0]
    interval = bootstrap({"change": lambda weights: (weights @ change) / weights.sum(axis=1)}, groups)["change"]
    low, high = interval if interval is not None else (float("nan"), float("nan"))
    return Parity(
        agreement=float((exact.argmax(axis=1) == quantised.argmax(axis=1)).mean()),
        probability_difference=float(difference),
        accuracy_change=float(change.mean()),
        accuracy_change_low=low,
        accuracy_change_high=high,
    )
