"""Owen values (Owen, 1977): Shapley values of a game whose players are united along a tree of neighbours.

A letter is divided into halves, those into quarters, and so on down to its parts. The value of a half is the mean of
what it adds without the other half and with it. `shap.PartitionExplainer` estimates the same values.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Protocol

Coalition = frozenset[int]
"""The players whose parts of the text are shown."""

Output = tuple[float, ...]
"""One number for each explained output. The first decides which groups are divided."""

AT_A_TIME = 8
"""Evaluations in one round, enough to occupy every processor. It is constant, so that results depend on no machine."""


class Game(Protocol):
    @property
    def players(self) -> int: ...

    def worth(self, coalitions: Sequence[Coalition]) -> list[Output]: ...

    def unknown(self, coalitions: Sequence[Coalition]) -> int:
        """Return how many of these coalitions have not been evaluated yet."""
        ...


@dataclass(frozen=True)
class Group:
    """The players from `first` up to, but without, `end`. halves: None for a single player."""

    first: int
    end: int
    halves: "tuple[Group, Group] | None" = None

    @property
    def members(self) -> Coalition:
        return frozenset(range(self.first, self.end))


@dataclass(frozen=True)
class Share:
    """What a group added to one coalition: the outputs before and after. weight: how much this counts in the mean."""

    company: Coalition
    group: Group
    before: Output
    after: Output
    weight: float

    @property
    def moved(self) -> float:
        return self.weight * abs(self.after[0] - self.before[0])


def united(sizes: Sequence[int], random: Random | None = None) -> Group:
    """Return a tree of neighbours, cut into halves of about equal size. `random` chooses between the two best cuts."""
    return _united(sizes, 0, len(sizes), random)


def _united(sizes: Sequence[int], first: int, end: int, random: Random | None) -> Group:
    if end - first == 1:
        return Group(first, end)
    half = sum(sizes[first:end]) / 2
    places = sorted(range(first + 1, end), key=lambda place: abs(sum(sizes[first:place]) - half))
    place = random.choice(places[:2]) if random else places[0]
    return Group(first, end, (_united(sizes, first, place, random), _united(sizes, place, end, random)))


def shares(game: Game, tree: Group, *, evaluations: int) -> list[Share]:
    """Divide the groups with the largest effect first, until no evaluation is left or only single players are left."""
    before, after = game.worth([frozenset(), tree.members])
    order = count()
    waiting = [(0.0, next(order), Share(frozenset(), tree, before, after, 1.0))]
    found: list[Share] = []
    left = evaluations
    while waiting:
        divided: list[tuple[Share, tuple[Group, Group]]] = []
        asked: list[Coalition] = []
        while waiting and game.unknown(asked) < AT_A_TIME:
            share = heapq.heappop(waiting)[2]
            coalitions = [share.company | half.members for half in share.group.halves or ()]
            if share.group.halves is None or game.unknown([*asked, *coalitions]) > left:
                found.append(share)
            else:
                divided.append((share, share.group.halves))
                asked += coalitions
        left -= game.unknown(asked)
        worth = game.worth(asked)
        for (share, halves), first, second in zip(divided, worth[::2], worth[1::2], strict=True):
            for part in _divided(share, halves, first, second):
                heapq.heappush(waiting, (-part.moved, next(order), part))
    return found


def _divided(share: Share, halves: tuple[Group, Group], with_left: Output, with_right: Output) -> tuple[Share, ...]:
    """Return the shares of both halves, each without and with the other half."""
    left, right = halves
    half = share.weight / 2
    return (
        Share(share.company, left, share.before, with_left, half),
        Share(share.company, right, share.before, with_right, half),
        Share(share.company | right.members, left, with_right, share.after, half),
        Share(share.company | left.members, right, with_left, share.after, half),
    )


def attributions(found: Sequence[Share], sizes: Sequence[int]) -> list[Output]:
    """Return the value of each player. The effect of an undivided group is spread over its players by their sizes."""
    outputs = len(found[0].before)
    sums = [[0.0] * outputs for _ in sizes]
    for share in found:
        whole = sum(sizes[share.group.first : share.group.end]) or 1
        for player in range(share.group.first, share.group.end):
            for output in range(outputs):
                change = share.weight * (share.after[output] - share.before[output])
                sums[player][output] += change * sizes[player] / whole
    return [tuple(values) for values in sums]
