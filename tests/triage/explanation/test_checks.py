from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from tests.triage.explanation.test_owen import Played, added, found
from triage.explanation.checks import checked, faithfulness, rank_correlation, stability


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=12))
def test_ranks_correlate_as_scipy_says(pairs):
    one, other = zip(*pairs, strict=True)
    if len({*one}) > 1 and len({*other}) > 1:
        assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)


def test_the_rank_correlation_with_equal_values_is_one():
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 1.0


def test_an_explanation_that_names_what_matters_beats_chance():
    game = Played(6, added([5.0, 0.1, 0.1, 3.0, 0.1, -2.0]))
    measured = faithfulness(game, found(game), Random(0))
    assert measured is not None
    assert measured.deletion < measured.deletion_at_random
    assert measured.insertion > measured.insertion_at_random
    assert checked(0.0, measured, 0.9).passed


@pytest.mark.parametrize("players", [2, 3])
def test_with_few_parts_the_random_orders_average_over_all_of_them(players):
    weights = [5.0, 1.0, -2.0][:players]
    measured = faithfulness(Played(players, added(weights)), [(weight,) for weight in weights], Random(0))
    assert measured is not None
    assert measured.insertion_at_random == pytest.approx(sum(weights) / 2)
    assert measured.deletion_at_random == pytest.approx(sum(weights) / 2)


def test_random_orders_for_hiding_and_showing_share_their_evaluations():
    game = Played(8, added([1.0] * 8))
    faithfulness(game, [(float(n),) for n in range(8)], Random(0))
    assert len(game.known) <= 6 + 3 * 3


def test_one_that_names_the_opposite_fails():
    game = Played(6, added([5.0, 0.1, 0.1, 3.0, 0.1, -2.0]))
    opposite = [(-label, -other) for label, other in found(game)]
    assert len(checked(0.0, faithfulness(game, opposite, Random(0)), 0.9).failures) == 2


def test_a_large_residual_or_an_unstable_ranking_fails():
    assert not checked(0.01, None, None).passed
    assert not checked(0.0, None, 0.2).passed
    assert checked(1e-9, None, None).passed


def test_stability_is_the_lowest_correlation_of_two_trees():
    same, other = [(1.0,), (2.0,), (3.0,)], [(3.0,), (2.0,), (1.0,)]
    assert stability([same, same]) == 1.0
    assert stability([same, same, other]) == -1.0


def test_a_single_part_has_neither_stability_nor_faithfulness():
    assert stability([[(1.0,)], [(1.0,)]]) is None
    assert faithfulness(Played(1, added([1.0])), [(1.0, 0.5)], Random(0)) is None
