"""What the figures would be on another mix of products, by weighting the complaints that there are."""

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
"""A retail bank's, assumed and not measured: most complaints are about accounts and cards, then lending.

Credit reporting, most of what CFPB receives, all but falls away: those complaints are about bureaus, and a bank is only
asked about what it reported. To be replaced by the bank's own counts."""


@dataclass(frozen=True, kw_only=True)
class Mix:
    """absent: share of the mix in products of which the file has no complaint; the others take it over.

    effective: complaints of equal weight that would be worth as much (Kish, Survey Sampling, 1965).
    """

    name: str
    effective: float
    absent: float
    figures: Figures
    intervals: Intervals = field(repr=False)


def bank_like(judged: Judged, groups: Groups, products: Sequence[str]) -> Mix | None:
    """None where the file has no complaint about a product of the mix."""
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
    """The weight of each complaint, shape (n,), such that products have the mix's shares and weights sum to n."""
    counts = Counter(products)
    weights: Floats = np.array([mix.get(product, 0.0) / counts[product] for product in products])
    weights *= len(products) / weights.sum()
    return weights
