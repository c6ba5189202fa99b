"""Whether an explanation deserves belief: it adds up, it names what matters, and chance does not change it."""

from collections.abc import Sequence
from itertools import combinations
from random import Random
from statistics import fmean

from triage.explanation.owen import Game, Output
from triage.explanation.record import Checks, Faithfulness

LARGEST_RESIDUAL = 1e-4
LOWEST_STABILITY = 0.5
"""Of single trees, which have a part of the evaluations each: their mean, which is the explanation, is steadier."""

AT_RANDOM = 3
"""Orders in which parts are hidden and shown at random: turns of one, so that each part is hidden about as often."""

STOPS = (0.25, 0.5, 0.75)
"""Shares of the parts after which the answer is looked at."""


def checked(residual: float, faithfulness: Faithfulness | None, stability: float | None) -> Checks:
    failures = []
    if residual > LARGEST_RESIDUAL:
        failures.append(f"the attributions miss the model's answer by {residual:.2g}")
    if faithfulness is not None and faithfulness.deletion >= faithfulness.deletion_at_random:
        failures.append("hiding what it names lowers the answer no more than hiding at random")
    if faithfulness is not None and faithfulness.insertion <= faithfulness.insertion_at_random:
        failures.append("showing what it names raises the answer no more than showing at random")
    if stability is not None and stability < LOWEST_STABILITY:
        failures.append(f"another division of the letter ranks its sentences differently (agreement {stability:.2f})")
    return Checks(
        additivity_residual=residual, faithfulness=faithfulness, stability=stability, failures=tuple(failures)
    )


def faithfulness(game: Game, attributed: Sequence[Output], random: Random) -> Faithfulness | None:
    """None where there is but one part."""
    players = list(range(game.players))
    stops = sorted({min(max(round(stop * len(players)), 1), len(players) - 1) for stop in STOPS})
    if len(players) < 2:
        return None
    best = sorted(players, key=lambda player: -attributed[player][0])
    turned = _turns(random.sample(players, len(players)))
    showing = [[frozenset(order[:stop]) for stop in stops] for order in (best, *turned)]
    # At random parts are hidden from the back: most of what is left has been shown from the front.
    hiding = [[frozenset(order[stop:]) for stop in stops] for order in (best, *(order[::-1] for order in turned))]
    # All at once, so that they are evaluated side by side.
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
    """each: the attributions along each tree."""
    if len(each[0]) < 2:
        return None
    firsts = [[output[0] for output in attributed] for attributed in each]
    return min(rank_correlation(one, other) for one, other in combinations(firsts, 2))


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's; 1 where either does not vary at all, for then there is nothing to contradict.

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
    """Equal values share the mean of their ranks."""
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) - 1) / 2 for value in values]
