"""Estimates of the figures on another mix of products, by weighting the complaints of the file."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from training.bundle.thresholds import Floats
from training.data.groups import Groups
from training.evaluation.intervals import Intervals, intervals
from training.evaluation.measures import Figures, figures
from training.evaluation.scored_answers import Judged

BANK: Mapping[str, float] = {
    "Checking or savings account": 0.35,
    "Credit card": 0.22,
    "Mortgage": 0.12,
    "Payday loan, title loan, personal loan, or advance loan": 0.08,
    "Money transfer, virtual currency, or money service": 0.08,
    "Debt collection": 0.06,
    "Vehicle loan or lease": 0.04,
    "Credit reporting or other personal consumer reports": 0.02,
    "Prepaid card": 0.01,
    "Student loan": 0.01,
    "Debt or credit management": 0.01,
}
"""An assumed mix for a retail bank: most complaints are about accounts and cards, then lending. Replace it by the
bank's own counts.

It has hardly any credit reporting, although most complaints to CFPB are about it: they concern credit bureaus, while a
bank is only asked about what it reported to them."""


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Figures on another mix.

    absent: share of the mix in products without a complaint in the file; it is distributed over the others.
    effective: how many complaints of equal weight would give the same precision (Kish, Survey Sampling, 1965).
    """

    name: str
    effective: float
    absent: float
    figures: Figures
    intervals: Intervals = field(repr=False)


def bank_like(judged: Judged, groups: Groups, products: Sequence[str]) -> Mix | None:
    """Return the figures on the mix BANK, or None if the file has no complaint about its products."""
    counts = Counter(products)
    present = sum(share for product, share in BANK.items() if counts[product])
    if not present:
        return None
    weights = mix_weights(products, BANK)
    return Mix(
        name="bank-like",
        effective=float(weights.sum() ** 2 / (weights**2).sum()),
        absent=1 - present,
        figures=figures(judged, weights),
        intervals=intervals(judged, groups, weights=weights),
    )


def mix_weights(products: Sequence[str], mix: Mapping[str, float]) -> Floats:
    """Return the weight of each complaint, shape (n,): products get their shares in the mix, and the sum is n."""
    counts = Counter(products)
    weights: Floats = np.array([mix.get(product, 0.0) / counts[product] for product in products])
    weights *= len(products) / weights.sum()
    return weights
