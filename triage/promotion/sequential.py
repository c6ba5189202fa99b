"""Confidence sequences for a mean difference, by betting: valid however often one looks.

Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, 2023. Bets that the mean is above m
have no expected gain if it is not; by Ville's inequality their capital then ever reaches 1 / alpha with a probability
of at most alpha. If it does, m is refuted. The bounds enclose every mean that is not refuted.
"""

import math
from collections import Counter
from typing import Literal, NamedTuple

STAKES = ((0.08, 0.15), (0.2, 0.35), (0.35, 0.30), (0.6, 0.15), (0.9, 0.05))
"""Constant stakes, as shares of the largest one that cannot lose everything, each with its share of the first capital.
Most capital is on stakes that find a difference of three points among 12 % of discordant pairs soonest; see
`python -m benchmarks.promotion`."""

PRECISION = 1e-5
"""The largest numerical error of a bound."""


class Weighted(NamedTuple):
    """A difference in [-1, 1] and its weight in (0, 1], proportional to the number of complaints it represents."""

    difference: float
    weight: float


Differences = Counter[Weighted]
"""How often each difference was seen. Their order does not matter, because stakes are constant."""


class Bounds(NamedTuple):
    """Bounds of a mean; each is one-sided at the same alpha."""

    lower: float
    upper: float


def bounds(differences: Differences, alpha: float) -> Bounds:
    """Return the bounds of the population's mean difference: -1 and 1 if there are no differences."""
    return Bounds(_bound(differences, alpha, 1), -_bound(differences, alpha, -1))


def mean(differences: Differences) -> float | None:
    """Return the weighted mean; None if there are no differences."""
    total = sum(seen.weight * count for seen, count in differences.items())
    if not total:
        return None
    return sum(seen.difference * seen.weight * count for seen, count in differences.items()) / total


def log_capital(differences: Differences, refuted: float, side: Literal[1, -1] = 1) -> float:
    """Return the logarithm of the capital, 1 at first, after betting against "the mean is at most `refuted`".

    side: -1 bets against "at least" instead, which is the same bet on the negated differences.
    """
    largest = 1 / (1 + side * refuted)
    grown = [
        math.log(part)
        + sum(
            count * math.log1p(stake * largest * seen.weight * side * (seen.difference - refuted))
            for seen, count in differences.items()
        )
        for stake, part in STAKES
    ]
    top = max(grown)
    return top + math.log(sum(math.exp(value - top) for value in grown))


def _bound(differences: Differences, alpha: float, side: Literal[1, -1]) -> float:
    """Return the largest refuted mean, or -1. All smaller means are refuted too. side: -1 negates the differences."""
    enough = -math.log(alpha)
    low, high = -1.0, 1.0
    if log_capital(differences, side * (low + PRECISION), side) < enough:
        return low
    while high - low > PRECISION:
        middle = (low + high) / 2
        if log_capital(differences, side * middle, side) >= enough:
            low = middle
        else:
            high = middle
    return low
