"""Statistics in pure Python: intervals of shares, calibration, sample ratios, and tests for one look at a sample."""

import math
from collections.abc import Iterable, Mapping
from statistics import NormalDist

from triage.contracts import Contract

Z = NormalDist().inv_cdf(0.975)
"""Standard deviations between the mean and either end of a 95 % interval."""

BINS = 10
EXACT_BELOW = 26
"""With fewer discordant pairs McNemar's test is exact; from here on its chi-square approximation is good."""

CONCENTRATION = 100.0
"""Weight of the prior around the intended shares, in observations: 100 finds mismatches of a few points soonest."""


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return the 95 % interval of a share of `n` observations (Wilson, 1927). n: above 0; may be an effective size."""
    spread = Z * Z / n
    centre = share + spread / 2
    half = Z * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, (centre - half) / (1 + spread)), min(1.0, (centre + half) / (1 + spread))


class Bin(Contract):
    """Answers with a confidence from `low` to below the next bin: their weight, mean confidence and accuracy."""

    low: float
    weight: float
    confidence: float
    accuracy: float


class Calibration(Contract):
    """How far confidence and accuracy lie apart.

    error: expected calibration error (Naeini et al., 2015), None without answers. bins: those with answers.
    """

    error: float | None
    bins: tuple[Bin, ...]


def calibration(answers: Iterable[tuple[float, bool, float]]) -> Calibration:
    """Return the calibration of (confidence, whether right, weight), in ten bins of equal width."""
    filled: dict[int, list[tuple[float, bool, float]]] = {}
    for answer in answers:
        filled.setdefault(min(int(answer[0] * BINS), BINS - 1), []).append(answer)
    bins = []
    for number, inside in sorted(filled.items()):
        weight = sum(w for _, _, w in inside)
        confidence = sum(c * w for c, _, w in inside) / weight
        accuracy = sum(right * w for _, right, w in inside) / weight
        bins.append(Bin(low=number / BINS, weight=weight, confidence=confidence, accuracy=accuracy))
    total = sum(b.weight for b in bins)
    error = sum(b.weight * abs(b.confidence - b.accuracy) for b in bins) / total if total else None
    return Calibration(error=error, bins=tuple(bins))


def mismatch_p_value(counts: Mapping[str, int], intended: Mapping[str, float]) -> float:
    """Return the p-value of counts if the intended shares are true. It stays valid however often it is looked at.

    It is the inverse of the likelihood ratio of a Dirichlet mixture to the shares (Lindon and Malek, Anytime-valid
    inference for multinomial count data, 2022).

    intended: the share of every counted arm; they sum to one. A count in an arm without a share gives 0.
    """
    if any(count and not intended.get(arm) for arm, count in counts.items()):
        return 0.0
    shares = {arm: share for arm, share in intended.items() if share}
    total = sum(counts.get(arm, 0) for arm in shares)
    evidence = math.lgamma(CONCENTRATION) - math.lgamma(CONCENTRATION + total)
    for arm, share in shares.items():
        count, prior = counts.get(arm, 0), CONCENTRATION * share
        evidence += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    return math.exp(-max(0.0, evidence))


class FixedTest(Contract):
    """A two-sided test for one look at a sample whose size was fixed beforehand. No gate uses it."""

    name: str
    p_value: float


def mcnemar(better: int, worse: int) -> FixedTest:
    """Test the pairs of which only one side was right (McNemar, 1947). Few pairs get the exact binomial test."""
    discordant = better + worse
    if discordant < EXACT_BELOW:
        tail = sum(math.comb(discordant, k) for k in range(min(better, worse) + 1)) / 2**discordant
        return FixedTest(name="McNemar, exact", p_value=min(1.0, 2 * tail))
    chi = max(0.0, abs(better - worse) - 1) / math.sqrt(discordant)
    return FixedTest(name="McNemar, chi-square with continuity", p_value=2 * (1 - NormalDist().cdf(chi)))


def two_proportions(right: int, n: int, others_right: int, others_n: int) -> FixedTest:
    """Test two independent samples, each of one complaint at least, with the variance of the pooled share."""
    pooled = (right + others_right) / (n + others_n)
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / others_n))
    z = abs(right / n - others_right / others_n) / deviation if deviation else 0.0
    return FixedTest(name="two proportions, z", p_value=2 * (1 - NormalDist().cdf(z)))
