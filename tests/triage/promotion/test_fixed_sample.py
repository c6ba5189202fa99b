import pytest
from scipy.stats import binomtest, chi2, norm

from triage.promotion.fixed_sample import EXACT_BELOW, mcnemar, two_proportions


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (1, 0), (5, 5), (9, 2), (2, 9), (25, 0)])
def test_few_discordant_pairs_get_the_exact_binomial_test(better, worse):
    test = mcnemar(better, worse)
    expected = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert test.name == "McNemar, exact"
    assert test.p_value == pytest.approx(expected)


@pytest.mark.parametrize(("better", "worse"), [(13, 13), (20, 6), (45, 75), (400, 500)])
def test_many_get_the_approximation_which_is_close_to_it(better, worse):
    test = mcnemar(better, worse)
    assert better + worse >= EXACT_BELOW
    assert test.name == "McNemar, chi-square with continuity"
    assert test.p_value == pytest.approx(chi2.sf(max(0, abs(better - worse) - 1) ** 2 / (better + worse), df=1))
    assert test.p_value == pytest.approx(binomtest(better, better + worse).pvalue, abs=0.01)


def test_two_independent_samples_are_compared_by_their_proportions():
    # Fleiss, Levin and Paik, chapter 3: z = (p1 - p2) / sqrt(p q (1 / n1 + 1 / n2)), without continuity.
    test = two_proportions(80, 100, 140, 200)
    assert test.p_value == pytest.approx(2 * norm.sf(0.1 / (220 / 300 * 80 / 300 * 3 / 200) ** 0.5))
    assert two_proportions(140, 200, 80, 100) == test


@pytest.mark.parametrize("right", [0, 1])
def test_samples_that_are_all_alike_do_not_differ(right):
    assert two_proportions(right * 7, 7, right * 9, 9).p_value == pytest.approx(1)
