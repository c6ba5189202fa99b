import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.explanation.owen import Coalition, Group, Output, attributions, shares, united

WEIGHTS = st.lists(st.floats(-10, 10), min_size=1, max_size=9)


class Played:
    """A game whose worth is a function. It records every coalition that was evaluated."""

    def __init__(self, players, worth):
        self.players = players
        self._worth = worth
        self.known: dict[Coalition, Output] = {}

    def worth(self, coalitions):
        for coalition in coalitions:
            self.known[coalition] = self._worth(coalition)
        return [self.known[coalition] for coalition in coalitions]

    def unknown(self, coalitions):
        return len({*coalitions} - self.known.keys())


def added(weights):
    """Return a worth in which each player adds its weight, and half of it to the second output."""
    return lambda coalition: (sum(weights[p] for p in coalition), sum(weights[p] for p in coalition) / 2)


def tangled(weights):
    """Return a worth in which each player adds its weight, and each pair the product of its weights."""
    return lambda coalition: (
        sum(weights[p] for p in coalition)
        + sum(weights[p] * weights[q] for p in coalition for q in coalition if p < q),
    )


def found(game, *, evaluations=10_000, chance=None, sizes=None):
    sizes = sizes or [1] * game.players
    return attributions(shares(game, united(sizes, chance), evaluations=evaluations), sizes)


def along(tree: Group) -> list[list[int]]:
    """Return the orders of players that keep the players of each group together."""
    if tree.halves is None:
        return [[tree.first]]
    left, right = map(along, tree.halves)
    return [[*a, *b] for one, other in ((left, right), (right, left)) for a in one for b in other]


@given(WEIGHTS, st.integers(0, 40))
def test_attributions_sum_up_however_few_evaluations_there_were(weights, evaluations):
    game = Played(len(weights), tangled(weights))
    whole = game.worth([frozenset(), frozenset(range(len(weights)))])
    total = sum(value for (value,) in found(game, evaluations=evaluations))
    assert total == pytest.approx(whole[1][0] - whole[0][0], abs=1e-6)


@given(WEIGHTS)
def test_a_player_without_interactions_is_attributed_what_it_adds(weights):
    for value, weight in zip(found(Played(len(weights), added(weights))), weights, strict=True):
        assert value == pytest.approx((weight, weight / 2), abs=1e-6)


@given(WEIGHTS, st.data())
def test_a_player_that_changes_nothing_is_attributed_zero(weights, data):
    idle = data.draw(st.integers(0, len(weights) - 1))
    weights[idle] = 0.0
    assert found(Played(len(weights), tangled(weights)))[idle][0] == pytest.approx(0, abs=1e-9)


def test_equal_players_have_equal_values():
    values = found(Played(4, tangled([3.0, 3.0, 1.0, 1.0])))
    assert values[0] == pytest.approx(values[1]) and values[2] == pytest.approx(values[3])


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6))
def test_values_are_the_mean_over_all_orders_that_keep_groups_together(weights):
    worth, tree = tangled(weights), united([1] * len(weights))
    orders = along(tree)
    expected = [0.0] * len(weights)
    for order in orders:
        for place, player in enumerate(order):
            before, after = frozenset(order[:place]), frozenset(order[: place + 1])
            expected[player] += (worth(after)[0] - worth(before)[0]) / len(orders)
    assert [value for (value,) in found(Played(len(weights), worth))] == pytest.approx(expected, abs=1e-6)


def test_values_of_two_players_are_shapley_values():
    worth = tangled([2.0, 5.0])
    for player, (value,) in enumerate(found(Played(2, worth))):
        orders = [order[: order.index(player) + 1] for order in permutations(range(2))]
        steps = [worth(frozenset(order))[0] - worth(frozenset(order[:-1]))[0] for order in orders]
        assert value == pytest.approx(sum(steps) / 2)


@given(st.integers(2, 12), st.integers(0, 50))
def test_no_more_is_evaluated_than_allowed(players, evaluations):
    game = Played(players, tangled([float(player) for player in range(players)]))
    found(game, evaluations=evaluations)
    assert len(game.known) <= evaluations + 2


def test_the_effect_of_an_undivided_group_is_spread_by_size():
    assert found(Played(2, added([4.0, 0.0])), evaluations=0, sizes=[3, 1])[0][0] == pytest.approx(3.0)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.none() | st.integers(0, 5))
def test_a_tree_holds_each_player_once_in_order(sizes, seed):
    chance = None if seed is None else random.Random(seed)
    assert along(united(sizes, chance))[0] == list(range(len(sizes)))


def test_the_same_seed_draws_the_same_tree():
    trees = {united([5, 1, 4, 2, 3, 3], random.Random(seed)) for seed in (1, 1, 1)}
    assert len(trees) == 1
    assert len({united([5, 1, 4, 2, 3, 3], random.Random(seed)) for seed in range(20)}) > 1
