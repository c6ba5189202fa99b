"""Tests for one look at a fixed sample, shown beside the evidence for people who know them. No gate rests on them."""

import math
from statistics import NormalDist

from triage.contracts import Contract

EXACT_BELOW = 26
"""Discordant pairs; from here on the chi-square approximation is good."""

Z = NormalDist().inv_cdf(0.975)


class FixedTest(Contract):
    name: str
    p_value: float


def mcnemar(better: int, worse: int) -> FixedTest:
    """Two-sided, of the pairs of which only one side was right (McNemar, 1947; exact: the binomial test)."""
    discordant = better + worse
    if discordant < EXACT_BELOW:
        tail = sum(math.comb(discordant, k) for k in range(min(better, worse) + 1)) / 2**discordant
        return FixedTest(name="McNemar, exact", p_value=min(1.0, 2 * tail))
    chi = max(0.0, abs(better - worse) - 1) / math.sqrt(discordant)
    return FixedTest(name="McNemar, chi-square with continuity", p_value=2 * (1 - NormalDist().cdf(chi)))


def two_proportions(right: int, n: int, others_right: int, others_n: int) -> FixedTest:
    """Two-sided, of two independent samples of one complaint at least, with the pooled share as the variance."""
    pooled = (right + others_right) / (n + others_n)
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / others_n))
    z = abs(right / n - others_right / others_n) / deviation if deviation else 0.0
    return FixedTest(name="two proportions, z", p_value=2 * (1 - NormalDist().cdf(z)))
