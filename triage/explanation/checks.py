"""Checks of an explanation: its figures add up, it names the parts with an effect, and chance does not change it."""

from collections.abc import Sequence
from itertools import combinations
from random import Random
from statistics import fmean

from triage.explanation.owen import Game, Output
from triage.explanation.record import Checks, Faithfulness

LARGEST_RESIDUAL = 1e-4
LOWEST_STABILITY = 0.5
"""The least rank correlation that passes, between two trees. The explanation is their mean, which varies less."""

AT_RANDOM = 3
"""Number of random orders. They are rotations of one order, so that each part is hidden about as often."""

STOPS = (0.25, 0.5, 0.75)
"""The answer is evaluated after these shares of the parts."""


def checked(residual: float, faithfulness: Faithfulness | None, stability: float | None) -> Checks:
    """Return the figures with a sentence for each check that they fail."""
    failures = []
    if residual > LARGEST_RESIDUAL:
        failures.append(f"the attributions differ from the model's answer by {residual:.2g}")
    if faithfulness is not None and faithfulness.deletion >= faithfulness.deletion_at_random:
        failures.append(
            "hiding the strongest sentences first lowers the probability no more than hiding in random order"
        )
    if faithfulness is not None and faithfulness.insertion <= faithfulness.insertion_at_random:
        failures.append(
            "showing the strongest sentences first raises the probability no more than showing in random order"
        )
    if stability is not None and stability < LOWEST_STABILITY:
        failures.append(
            f"two divisions of the letter rank its sentences differently (rank correlation {stability:.2f})"
        )
    return Checks(
        additivity_residual=residual, faithfulness=faithfulness, stability=stability, failures=tuple(failures)
    )


def faithfulness(game: Game, attributed: Sequence[Output], random: Random) -> Faithfulness | None:
    """Compare the order of the attributions with random orders. Return None for a single part."""
    players = list(range(game.players))
    stops = sorted({min(max(round(stop * len(players)), 1), len(players) - 1) for stop in STOPS})
    if len(players) < 2:
        return None
    best = sorted(players, key=lambda player: -attributed[player][0])
    turned = _turns(random.sample(players, len(players)))
    showing = [[frozenset(order[:stop]) for stop in stops] for order in (best, *turned)]
    # Random orders are hidden from the back, so that most of these coalitions are those of `showing`, evaluated once.
    hiding = [[frozenset(order[stop:]) for stop in stops] for order in (best, *(order[::-1] for order in turned))]
    # One call evaluates all coalitions in parallel.
    worth = iter(game.worth([coalition for curve in (*hiding, *showing) for coalition in curve]))
    means = [fmean(next(worth)[0] for _ in stops) for _ in (*hiding, *showing)]
    hidden, shown = means[: len(hiding)], means[len(hiding) :]
    return Faithfulness(
        deletion=hidden[0],
        deletion_at_random=fmean(hidden[1:]),
        insertion=shown[0],
        insertion_at_random=fmean(shown[1:]),
    )


def _turns(order: Sequence[int]) -> list[list[int]]:
    turns = min(AT_RANDOM, len(order))
    firsts = [len(order) * turn // turns for turn in range(turns)]
    return [[*order[first:], *order[:first]] for first in firsts]


def stability(each: Sequence[Sequence[Output]]) -> float | None:
    """Return the lowest rank correlation of two trees; None for a single part. each: the attributions of each tree."""
    if len(each[0]) < 2:
        return None
    firsts = [[output[0] for output in attributed] for attributed in each]
    return min(rank_correlation(one, other) for one, other in combinations(firsts, 2))


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Return Spearman's rank correlation, or 1 if all values of one side are equal.

    >>> rank_correlation([1, 2, 3], [10, 20, 15])
    0.5
    """
    first, second = _ranks(one), _ranks(other)
    middle = (len(first) - 1) / 2
    spread = [sum((rank - middle) ** 2 for rank in ranks) for ranks in (first, second)]
    if not all(spread):
        return 1.0
    together = sum((a - middle) * (b - middle) for a, b in zip(first, second, strict=True))
    return float(together / (spread[0] * spread[1]) ** 0.5)


def _ranks(values: Sequence[float]) -> list[float]:
    """Return ranks from 0; equal values share the mean of their ranks."""
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) - 1) / 2 for value in values]
