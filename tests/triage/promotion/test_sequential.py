import math
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.promotion.sequential import PRECISION, STAKES, Differences, Weighted, bounds, log_capital, mean

SEEN = st.dictionaries(
    st.builds(Weighted, st.floats(-1, 1).map(lambda d: round(d, 6)), st.floats(0.001, 1)),
    st.integers(1, 500),
    max_size=6,
).map(Counter)
ALPHA = 0.05
RUNS = 100
FAR_TOO_MANY = 17
"""Of 100 runs, at a true rate of 5 %, in about one of a hundred thousand such tests."""


def pairs(*, better: int = 0, worse: int = 0, equal: int = 0, weight: float = 1.0) -> Differences:
    counts = {1.0: better, -1.0: worse, 0.0: equal}
    return Counter({Weighted(difference, weight): count for difference, count in counts.items() if count})


def turned(seen: Differences) -> Differences:
    found: Differences = Counter()
    for (difference, weight), count in seen.items():
        found[Weighted(-difference, weight)] += count
    return found


def test_the_first_capital_is_one_and_no_stake_can_lose_everything():
    assert sum(part for _, part in STAKES) == pytest.approx(1)
    assert all(0 < stake < 1 for stake, _ in STAKES)


@given(st.floats(-0.9, 0.9), st.floats(0.01, 1), st.integers(1, 6))
def test_nobody_can_expect_to_win_where_the_mean_is_what_was_bet_against(refuted, weight, rounds):
    """Sums over all outcomes of a difference that is 1 or -1 and has the mean `refuted`."""
    chance = (1 + refuted) / 2
    expected = sum(
        math.comb(rounds, better)
        * chance**better
        * (1 - chance) ** (rounds - better)
        * math.exp(log_capital(pairs(better=better, worse=rounds - better, weight=weight), refuted))
        for better in range(rounds + 1)
    )
    assert expected == pytest.approx(1)


def test_nobody_can_expect_to_win_where_what_is_rare_among_labels_is_common_among_complaints():
    """Half are better by 1 and always labelled; half are worse by 1 and labelled with probability 1/10."""
    better, worse = Weighted(1.0, 0.1), Weighted(-1.0, 1.0)
    shares = {better: 1 / 1.1, worse: 0.1 / 1.1}
    assert sum(share * math.exp(log_capital(Counter([one]), 0.0)) for one, share in shares.items()) == pytest.approx(1)


@pytest.mark.parametrize("truth", [0.0, -0.03, 0.1])
def test_either_bound_holds_the_truth_at_every_look(truth):
    """Looks after every hundred of a thousand pairs, of which 12 % differ."""
    missed = Counter[str]()
    for seed in range(RUNS):
        random, seen, missed_here = Random(seed), pairs(), set[str]()
        chances = ((0.12 + truth) / 2, (0.12 - truth) / 2, 0.88)
        for _ in range(10):
            drawn = random.choices((1.0, -1.0, 0.0), chances, k=100)
            seen += Counter(Weighted(difference, 1.0) for difference in drawn)
            lower, upper = bounds(seen, ALPHA)
            missed_here |= {"lower"} if lower > truth else set()
            missed_here |= {"upper"} if upper < truth else set()
        missed.update(missed_here)
    assert max(missed["lower"], missed["upper"]) < FAR_TOO_MANY


@given(SEEN, st.integers(2, 5))
def test_more_of_the_same_never_widens_the_bounds(seen, times):
    once = bounds(seen, ALPHA)
    often = bounds(Counter({one: times * count for one, count in seen.items()}), ALPHA)
    assert once.lower <= often.lower and often.upper <= once.upper


def test_the_bounds_close_in_on_the_difference():
    widths = []
    for times in (1, 10, 100):
        lower, upper = bounds(pairs(better=75 * times, worse=45 * times, equal=880 * times), ALPHA)
        widths.append(upper - lower)
    assert widths[0] > 2 * widths[1] > 2 * widths[2]


def test_without_any_difference_nothing_is_known():
    assert bounds(Counter(), ALPHA) == (-1, 1)
    assert mean(Counter()) is None


def test_the_bounds_are_what_the_bets_just_refute():
    seen = pairs(better=75, worse=45, equal=880)
    lower, upper = bounds(seen, ALPHA)
    enough = -math.log(ALPHA)
    assert log_capital(seen, lower) >= enough > log_capital(seen, lower + 2 * PRECISION)
    assert log_capital(seen, upper, -1) >= enough > log_capital(seen, upper - 2 * PRECISION, -1)


@given(SEEN)
def test_bounds_hold_the_mean_between_them(seen):
    lower, upper = bounds(seen, ALPHA)
    middle = mean(seen)
    assert -1 <= lower <= upper <= 1
    if middle is not None:
        assert lower - PRECISION <= middle <= upper + PRECISION


@given(SEEN)
def test_the_other_side_sees_the_same_with_its_sign_turned(seen):
    lower, upper = bounds(seen, ALPHA)
    assert bounds(turned(seen), ALPHA) == pytest.approx((-upper, -lower))


@given(SEEN, st.floats(-0.99, 0.99), st.floats(-0.99, 0.99))
def test_who_refutes_a_mean_refutes_every_smaller_one(seen, one, other):
    low, high = sorted((one, other))
    assert log_capital(seen, low) >= log_capital(seen, high) - 1e-9


@given(SEEN, st.floats(0.001, 1))
def test_a_better_difference_lowers_no_bound(seen, weight):
    worse = bounds(seen + Counter([Weighted(-0.5, weight)]), ALPHA)
    better = bounds(seen + Counter([Weighted(0.5, weight)]), ALPHA)
    assert better.lower >= worse.lower and better.upper >= worse.upper


@given(SEEN)
def test_whoever_wants_to_be_surer_gets_wider_bounds(seen):
    wide, narrow = bounds(seen, 0.01), bounds(seen, 0.1)
    assert wide.lower <= narrow.lower and narrow.upper <= wide.upper


def test_three_points_among_twelve_per_cent_of_discordant_pairs_are_seen_within_a_thousand_labels():
    assert bounds(pairs(better=75, worse=45, equal=880), ALPHA).lower > 0


def test_labels_that_stand_for_few_say_little():
    """Therefore `min_inclusion` should be the probability with which most labels are drawn."""
    full, faint = (bounds(pairs(better=75, worse=45, equal=880, weight=weight), ALPHA) for weight in (1.0, 0.05))
    assert full.lower > 0 > faint.lower


def test_the_mean_weighs_labels_by_what_they_stand_for():
    assert mean(Counter({Weighted(1.0, 0.1): 10, Weighted(-1.0, 1.0): 3})) == pytest.approx(-0.5)
