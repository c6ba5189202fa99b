import math
from collections import Counter
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import any_strategy
from triage.promotion.sample_ratio import mismatch_p_value
from triage.strategies.strategy import assign

SHARES = {"champion": 0.7, "b": 0.2, "c": 0.1}
EVEN = {"champion": 0.5, "next": 0.5}


def test_before_anything_was_delivered_nothing_is_wrong():
    assert mismatch_p_value({}, SHARES) == 1
    assert mismatch_p_value({"b": 0}, SHARES) == 1


def test_shares_as_intended_are_no_mismatch():
    assert mismatch_p_value({"champion": 7_000, "b": 2_000, "c": 1_000}, SHARES) == 1


def test_a_canary_that_gets_a_tenth_of_its_share_is_found():
    assert mismatch_p_value({"champion": 9_890, "canary": 110}, {"champion": 0.9, "canary": 0.1}) < 1e-6


def test_so_many_that_the_evidence_is_no_number_any_more_are_found_too():
    assert mismatch_p_value({"champion": 10**7, "canary": 10}, {"champion": 0.5, "canary": 0.5}) == 0


@pytest.mark.parametrize("intended", [{"champion": 1.0, "canary": 0.0}, {"champion": 1.0}])
def test_a_single_complaint_in_an_arm_without_a_share_is_a_mismatch(intended):
    assert mismatch_p_value({"champion": 10_000, "canary": 1}, intended) == 0


def test_an_arm_without_a_share_that_answers_nobody_is_none():
    assert mismatch_p_value({"champion": 10_000, "canary": 0}, {"champion": 1.0, "canary": 0.0}) == 1


@pytest.mark.parametrize("far", [{"champion": 40, "b": 40, "c": 20}, {"champion": 60, "b": 10, "c": 30}])
def test_it_is_the_mixture_of_lindon_and_malek(far):
    """Their ratio in closed form, with the multivariate beta function written out."""

    def log_beta(*values: float) -> float:
        return sum(map(math.lgamma, values)) - math.lgamma(sum(values))

    prior = [100 * share for share in SHARES.values()]
    posterior = [a + far[arm] for a, arm in zip(prior, SHARES, strict=True)]
    intended = sum(far[arm] * math.log(share) for arm, share in SHARES.items())
    log_ratio = log_beta(*posterior) - log_beta(*prior) - intended
    assert mismatch_p_value(far, SHARES) == pytest.approx(min(1.0, math.exp(-log_ratio)))


def test_its_inverse_is_a_bet_that_nobody_can_expect_to_win():
    """Over all sequences of five, the capital is one on average; p is its inverse where that is below one."""
    excess = 0.0
    for sequence in product(SHARES, repeat=5):
        chance = math.prod(SHARES[arm] for arm in sequence)
        p_value = mismatch_p_value(Counter(sequence), SHARES)
        excess += chance * (1 / p_value if p_value < 1 else 0)
    assert 0 < excess <= 1


@given(st.dictionaries(st.sampled_from(["champion", "b", "c"]), st.integers(0, 10**9)))
def test_any_counts_give_a_p_value(counts):
    assert 0 <= mismatch_p_value(counts, SHARES) <= 1


def test_an_assignment_as_intended_is_not_called_wrong_at_any_look():
    strategy = any_strategy({"champion": 7_000, "b": 2_000, "c": 1_000})
    counts = Counter[str]()
    smallest = 1.0
    for number in range(5_000):
        counts[assign(strategy, f"customer-{number}").arm.name] += 1
        smallest = min(smallest, mismatch_p_value(counts, SHARES))
    assert smallest > 0.001


def smallest_p_value(share: float, seed: int, complaints: int) -> float:
    """Of looks after each ten complaints, of which so many went to the challenger instead of half of them."""
    random, counts, smallest = Random(seed), Counter[str](), 1.0
    for _ in range(complaints // 10):
        counts.update("next" if random.random() < share else "champion" for _ in range(10))
        smallest = min(smallest, mismatch_p_value(counts, EVEN))
    return smallest


def test_equal_shares_are_rarely_called_unequal_at_any_look():
    """Of 300 runs 15 may be, on average; more than 35 would be in fewer than one of a hundred thousand such tests."""
    assert sum(smallest_p_value(0.5, seed, 2_000) < 0.05 for seed in range(300)) <= 35


def test_a_mismatch_of_five_points_is_found():
    assert all(smallest_p_value(0.45, seed, 6_000) < 0.001 for seed in range(20))
