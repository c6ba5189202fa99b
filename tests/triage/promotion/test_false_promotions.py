"""A short run of `make simulate`: few false promotions, and enough true ones for the number of labels."""

from functools import cache

import pytest
from scipy.stats import binom

from benchmarks.promotion import SCENARIOS, Outcome, Scenario, by, run

RUNS, LAST = 200, 2_000
EQUAL, WORSE, BETTER, AT_THE_MARGIN, AS_GOOD = SCENARIOS
UNLIKELY = 1e-6
MOST = int(binom.isf(UNLIKELY, RUNS, 0.05))
"""So many of the runs an engine that is wrong in 5 % of them exceeds once in a million."""


@cache
def simulated(scenario: Scenario, runs: int = RUNS) -> list[Outcome]:
    return [run(scenario, number, LAST) for number in range(runs)]


@pytest.mark.parametrize("scenario", [EQUAL, AT_THE_MARGIN], ids=lambda scenario: scenario.name)
def test_a_challenger_that_has_nothing_to_show_is_seldom_promoted_however_often_one_looks(scenario):
    found = simulated(scenario)
    assert by((one.promoted for one in found), LAST) <= MOST
    assert by((one.alone for one in found), LAST) <= MOST, "the bounds themselves, whatever other gates add"


def test_looking_again_and_again_at_a_fixed_sample_test_is_wrong_more_often():
    """Shows that the test above can fail."""
    found = simulated(EQUAL)
    assert by((one.naive for one in found), LAST) > by((one.alone for one in found), LAST)


def test_a_worse_challenger_is_rolled_back_and_not_promoted():
    found = simulated(WORSE, 100)
    assert by((one.promoted for one in found), LAST) == 0
    assert by((one.rolled_back for one in found), LAST) > 80


def test_a_better_one_is_promoted_and_not_rolled_back():
    found = simulated(BETTER, 100)
    assert by((one.promoted for one in found), LAST) > 60
    assert by((one.rolled_back for one in found), LAST) <= 5


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_looks_that_are_left_out_would_have_changed_nothing(scenario):
    for number in range(3):
        assert run(scenario, number, 1_000) == run(scenario, number, 1_000, thorough=True)


def test_a_run_is_the_same_each_time():
    assert run(BETTER, 7, 800) == run(BETTER, 7, 800) == run(BETTER, 7, 800)
    assert simulated(BETTER, 5) != simulated(EQUAL, 5)
