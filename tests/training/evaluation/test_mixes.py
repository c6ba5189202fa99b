from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.evaluation.examples import LABELS, any_judged
from training.evaluation.mixes import BANK, bank_like, mix_weights
from triage.taxonomy import load_taxonomy

products_of = st.lists(st.sampled_from(sorted(BANK)), min_size=1, max_size=60)


def test_the_mix_is_of_the_taxonomys_products_and_complete():
    assert BANK.keys() == {product.name for product in load_taxonomy().products}
    assert sum(BANK.values()) == pytest.approx(1)


@given(products_of)
def test_weights_sum_to_the_number_of_complaints(products):
    assert mix_weights(products, BANK).sum() == pytest.approx(len(products))


@given(products_of)
def test_products_get_the_shares_of_the_mix(products):
    weights, counts = mix_weights(products, BANK), Counter(products)
    present = sum(BANK[product] for product in counts)
    for product in counts:
        got = sum(weight for weight, of in zip(weights, products, strict=True) if of == product)
        assert got / len(products) == pytest.approx(BANK[product] / present)


def test_a_file_that_has_the_mix_is_not_changed_by_it():
    products = ["a"] * 3 + ["b"]
    assert mix_weights(products, {"a": 0.75, "b": 0.25}).tolist() == [1, 1, 1, 1]


def test_weighting_lowers_the_effective_number_of_complaints():
    judged = any_judged(80)
    mix = bank_like(judged, np.arange(80), ["Credit card"] * 70 + ["Mortgage"] * 10)
    assert mix is not None
    assert 30 < mix.effective < 80
    assert mix.absent == pytest.approx(1 - BANK["Credit card"] - BANK["Mortgage"])


def test_a_mix_moves_accuracy_to_the_products_it_has_more_of():
    judged = any_judged(40)
    products = np.where(judged.correct, "Credit card", "Student loan").tolist()
    mix = bank_like(judged, np.arange(40), products)
    assert mix is not None
    assert mix.figures["accuracy"] == pytest.approx(22 / 23)


def test_a_file_of_other_products_has_no_bank_like_mix():
    assert bank_like(any_judged(4), np.arange(4), ["a", "b", "c", "d"]) is None


def test_the_natural_mix_weighs_every_complaint_alike():
    products = [product for product in LABELS for _ in range(5)]
    assert mix_weights(products, dict.fromkeys(LABELS, 0.25)).tolist() == pytest.approx([1.0] * 20)
