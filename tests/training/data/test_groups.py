import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.near_duplicates import campaign
from training.data.groups import near_duplicate_groups, shingles
from triage.text import clean

SAMPLE = Path(__file__).parents[4] / "shared/data/cfpb.parquet"

TEMPLATE = (
    "I am writing to dispute the account of {company} on my report. I never opened it, I have asked them twice for "
    "a signed contract and they have sent me nothing but the same printed statement. The balance of ${amount} is not "
    "mine. "
    "Please have it removed within thirty days as the law demands, and tell me in writing when that is done."
)
OTHER = (
    "My debit card stopped working while I was abroad. The branch told me to ring the card line, the card line told me "
    "to visit the branch, and after three weeks I still cannot reach my own savings or pay the rent on my flat."
)

some_texts = st.lists(st.text(max_size=60) | st.sampled_from([TEMPLATE, OTHER, "", "XXXX", "XX/XX/2019"]), max_size=12)


def groups_of(*texts: str) -> list[int]:
    return [int(group) for group in near_duplicate_groups(texts)]


def test_letters_on_one_template_share_a_group():
    first, second = (TEMPLATE.format(company=name, amount=n) for name, n in (("Acme Bank", 512), ("XXXX XXXX", 9000)))
    assert groups_of(first, OTHER, second) == [0, 1, 0]


def test_an_added_paragraph_does_not_hide_a_template():
    longer = TEMPLATE + " My sister had the same trouble with them last year and gave up."
    assert groups_of(TEMPLATE, longer, OTHER) == [0, 0, 1]


def test_letters_of_different_people_do_not_share_a_group():
    assert len(set(groups_of(TEMPLATE, OTHER, "They charged me twice and will not refund the fee."))) == 3


def test_a_chain_of_near_duplicates_is_one_group():
    words = [f"word{chr(97 + first)}{chr(97 + second)}" for first in range(10) for second in range(26)]
    links = [" ".join(words[start : start + 120]) for start in (0, 20, 40, 60, 80)]
    assert len(set(groups_of(links[0], links[-1]))) == 2
    assert len(set(groups_of(*links))) == 1


def compared(count: int) -> int:
    """How many pairs of letters on one template are compared."""
    pairs: list[int] = []
    groups = near_duplicate_groups(campaign(count), on_compared=pairs.append)
    assert set(groups.tolist()) == {0}
    return sum(pairs)


def test_letters_on_one_template_are_compared_with_one_of_them_and_not_with_each_other():
    """As many comparisons as letters; all pairs of 1,600 letters are 16 times those of 400."""
    few, many = compared(400), compared(1_600)
    assert many <= 4.5 * few
    assert many < 2 * 1_600


def test_letters_on_one_template_that_name_others_are_compared_about_as_often_as_there_are_bands():
    names = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}bank" for n in range(300)]
    few, many = (pairs_of([TEMPLATE.format(company=name, amount=1) for name in names[:count]]) for count in (75, 300))
    assert many <= 5 * few


def pairs_of(texts: list[str]) -> int:
    pairs: list[int] = []
    near_duplicate_groups(texts, on_compared=pairs.append)
    return sum(pairs)


def test_texts_without_words_share_a_group_only_when_they_are_equal():
    assert groups_of("XXXX", "12345", "XXXX", "", "") == [2, 1, 2, 0, 0]


def test_a_high_threshold_separates_what_a_low_one_joins():
    longer = f"{TEMPLATE} {OTHER}"
    assert len(set(near_duplicate_groups([TEMPLATE, longer], threshold=0.4).tolist())) == 1
    assert len(set(near_duplicate_groups([TEMPLATE, longer], threshold=0.95).tolist())) == 2


def test_no_texts_have_no_groups():
    assert groups_of() == []


@settings(max_examples=40, deadline=None)
@given(some_texts)
def test_equal_texts_always_share_a_group(texts):
    groups = groups_of(*texts, *texts)
    assert groups[: len(texts)] == groups[len(texts) :]


@settings(max_examples=40, deadline=None)
@given(texts=some_texts, data=st.data())
def test_the_order_of_the_texts_does_not_matter(texts, data):
    order = data.draw(st.permutations(range(len(texts))))
    groups = groups_of(*texts)
    assert groups_of(*(texts[row] for row in order)) == [groups[row] for row in order]


@settings(max_examples=40, deadline=None)
@given(some_texts)
def test_groups_are_numbered_without_gaps(texts):
    groups = groups_of(*texts)
    assert set(groups) == set(range(len(set(groups))))


@given(st.text())
def test_every_text_has_a_shingle(text):
    assert len(shingles(text)) >= 1


def test_shingles_leave_out_what_differs_between_copies():
    plain = shingles("they charged me on the day")
    assert np.array_equal(plain, shingles("They charged me $25.00 on XX/XX/2019, the XXXX day"))


def test_the_real_sample_is_grouped_in_well_under_a_minute():
    parquet = pytest.importorskip("pyarrow.parquet")
    if not SAMPLE.exists():
        pytest.skip(f"{SAMPLE.name} is not beside the repository")
    texts = [clean(text) for text in parquet.read_table(SAMPLE, columns=["narrative"])["narrative"].to_pylist()]
    started = time.process_time()
    sizes = np.bincount(near_duplicate_groups(texts))
    assert time.process_time() - started < 60
    assert 0.9 < len(sizes) / len(texts) < 0.97
    assert sizes.max() < 0.01 * len(texts), "a chain has swallowed letters that have nothing in common"
