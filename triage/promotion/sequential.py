"""Confidence sequences for a mean difference, by betting: valid however often one looks.

Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, 2023. Whoever bets on each difference
that the mean is above m cannot expect to win where it is not; by Ville's inequality the capital then ever reaches
1 / alpha with a probability of alpha at most. What no bet has refuted so far lies inside the bounds.
"""

import math
from collections import Counter
from typing import Literal, NamedTuple

STAKES = ((0.08, 0.15), (0.2, 0.35), (0.35, 0.30), (0.6, 0.15), (0.9, 0.05))
"""Constant stakes, as parts of the largest one that cannot lose everything, and how the first capital is spread over
them. Most of it lies where three points of difference among 12 % of discordant pairs are found soonest; see
`python -m benchmarks.promotion`."""

PRECISION = 1e-5
"""Of a bound, in parts of one."""


class Weighted(NamedTuple):
    """A difference in [-1, 1] and its weight in (0, 1]: how many complaints of all it stands for, in proportion."""

    difference: float
    weight: float


Differences = Counter[Weighted]
"""How often each was seen. Their order does not matter, since no stake depends on what was seen before."""


class Bounds(NamedTuple):
    """Each is one-sided at the level it was asked for."""

    lower: float
    upper: float


def bounds(differences: Differences, alpha: float) -> Bounds:
    """Of the population's mean difference. Without any difference they are -1 and 1."""
    return Bounds(_bound(differences, alpha, 1), -_bound(differences, alpha, -1))


def mean(differences: Differences) -> float | None:
    """Weighted; None where there is none."""
    total = sum(seen.weight * count for seen, count in differences.items())
    if not total:
        return None
    return sum(seen.difference * seen.weight * count for seen, count in differences.items()) / total


def log_capital(differences: Differences, refuted: float, side: Literal[1, -1] = 1) -> float:
    """The logarithm of what betting against "the mean is `refuted` at most" has made of a capital of one.

    side: -1 bets against "at least", which is the same bet on the differences with their signs turned.
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
    """The largest mean, in the direction of `side`, that the bets have refuted; they refute every smaller one too."""
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
