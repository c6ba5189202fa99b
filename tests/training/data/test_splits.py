from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from training.data.splits import PARTS, Split, grouped_split, latest, some_groups, time_split

DAY = timedelta(days=1)
START = date(2024, 1, 1)
TEST_FROM = date(2024, 6, 1)

some_rows = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 25)), min_size=30, max_size=120)


def days(*numbers: int) -> list[date]:
    return [START + number * DAY for number in numbers]


def groups_in(split: Split, groups: np.ndarray) -> list[set[int]]:
    return [set(groups[getattr(split, part)].tolist()) for part in PARTS]


def is_disjoint(sets: list[set[int]]) -> bool:
    return sum(map(len, sets)) == len(set().union(*sets))


def split_by_time(rows: list[tuple[int, int]], **values) -> tuple[Split, list[date], np.ndarray]:
    received, groups = days(*(day for day, _ in rows)), np.array([group for _, group in rows])
    try:
        return time_split(received, groups, **{"test_from": TEST_FROM, **values}), received, groups
    except ValueError:
        assume(False)
        raise


@given(some_rows)
def test_no_group_is_in_two_parts_of_a_time_split(rows):
    split, _, groups = split_by_time(rows)
    assert is_disjoint(groups_in(split, groups))


@given(rows=some_rows, gap=st.integers(0, 60))
def test_training_ends_a_gap_before_the_test_begins(rows, gap):
    split, received, _ = split_by_time(rows, gap=gap * DAY)
    last = max(received[row] for row in (*split.train, *split.validation))
    assert last < TEST_FROM - gap * DAY
    assert min(received[row] for row in split.test) >= TEST_FROM


@given(some_rows)
def test_every_row_is_in_one_part_or_left_out_for_one_reason(rows):
    split, _, _ = split_by_time(rows)
    everything = np.concatenate([split.train, split.validation, split.test, split.purged, split.straddling])
    assert sorted(everything.tolist()) == list(range(len(rows)))
    assert sum(split.counts.values()) == len(rows)


@given(some_rows)
def test_validation_is_the_end_of_the_training_period(rows):
    split, received, groups = split_by_time(rows, validation=0.2)
    first = {group: min(day for day, other in zip(received, groups, strict=True) if other == group) for group in groups}
    assert max(first[groups[row]] for row in split.train) < min(first[groups[row]] for row in split.validation)


def test_a_template_cannot_be_smuggled_into_the_test():
    """If a group is on both sides of the split, its later letters are left out and counted."""
    received = days(0, 1, 2, 3, 10, 200, 201)
    split = time_split(received, np.array([0, 1, 2, 3, 4, 0, 5]), test_from=TEST_FROM, validation=0.2)
    assert (split.test.tolist(), split.straddling.tolist()) == ([6], [5])


def test_a_group_that_begins_in_the_gap_may_be_tested_with():
    received = days(0, 1, 140, 200)
    split = time_split(received, np.array([0, 1, 2, 2]), test_from=TEST_FROM, validation=0.5)
    assert (split.purged.tolist(), split.test.tolist()) == ([2], [3])


def test_a_group_that_reaches_into_validation_is_trained_on():
    received = days(0, 1, 2, 3, 4, 5, 200)
    split = time_split(received, np.array([0, 1, 2, 3, 0, 4, 5]), test_from=TEST_FROM, validation=0.1)
    assert (split.train.tolist(), split.validation.tolist()) == ([0, 1, 2, 3, 4], [5])


def test_without_a_gap_nothing_is_purged():
    received = days(0, 1, 152, 153)
    split = time_split(received, np.arange(4), test_from=TEST_FROM, gap=timedelta(0), validation=0.5)
    assert split.counts == {"train": 1, "validation": 1, "test": 2, "purged": 0, "straddling": 0}


@pytest.mark.parametrize(
    ("received", "message"),
    [
        (days(200, 201, 202), "no complaint was received before the gap"),
        (days(0, 1, 2), "the test part is empty"),
        (days(0, 200, 201), "the train part is empty"),
    ],
)
def test_a_time_split_that_leaves_a_part_empty_is_refused(received, message):
    with pytest.raises(ValueError, match=message):
        time_split(received, np.arange(3), test_from=TEST_FROM)


def test_rows_without_a_group_are_refused():
    with pytest.raises(ValueError, match="3 rows have 2 groups"):
        time_split(days(0, 1, 200), np.arange(2), test_from=TEST_FROM)


@given(groups=st.lists(st.integers(0, 60), min_size=60, max_size=200), seed=st.integers(0, 99))
def test_no_group_is_in_two_parts_of_a_random_split(groups, seed):
    assume(len(set(groups)) > 20)
    split = grouped_split(np.array(groups), seed=seed)
    assert is_disjoint(groups_in(split, np.array(groups)))
    assert sum(split.counts.values()) == len(groups)


@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=40, max_size=120), seed=st.integers(0, 99))
def test_a_part_exceeds_its_share_by_one_group_at_most(sizes, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    split = grouped_split(groups, test=0.3, validation=0.2, seed=seed)
    assert 0 <= len(split.test) - 0.3 * len(groups) < max(sizes)
    assert len(split.validation) < 0.2 * len(groups) + max(sizes)


def test_shares_are_of_the_rows_in_a_part():
    received = days(*range(8), 140, 200, 201)
    split = time_split(received, np.arange(11), test_from=TEST_FROM, validation=0.25)
    assert split.shares == {"train": 0.6, "validation": 0.2, "test": 0.2}
    assert split.counts["purged"] == 1


@given(st.data())
def test_a_random_split_follows_the_rows_when_they_are_shuffled(data):
    groups = np.arange(30) // 2
    order = np.array(data.draw(st.permutations(range(30))))
    split, shuffled = grouped_split(groups, seed=3), grouped_split(groups[order], seed=3)
    assert set(order[shuffled.test].tolist()) == set(split.test.tolist())


def test_another_seed_gives_another_random_split():
    groups = np.arange(100)
    splits = [grouped_split(groups, seed=seed).test.tolist() for seed in (1, 1, 2)]
    assert splits[0] == splits[1] != splits[2]


def test_shares_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(ValueError, match="both must be a share between 0 and 1"):
        grouped_split(np.arange(10), test=0.6, validation=0.4, seed=0)


def test_one_group_cannot_be_split():
    with pytest.raises(ValueError, match="the train part is empty"):
        grouped_split(np.zeros(50, dtype=int), seed=0)


def test_the_latest_share_begins_on_a_day_of_its_own():
    assert latest(days(3, 0, 2, 1, 4), share=0.4) == START + 3 * DAY
    assert latest(days(0, 1, 1, 1, 1), share=0.2) == START + DAY


some_numbers = st.lists(st.integers(0, 25), min_size=1, max_size=120)


@given(groups=some_numbers, rows=st.integers(1, 120), seed=st.integers(0, 9))
def test_a_part_of_whole_groups_has_the_rows_it_was_asked_for_and_at_most_one_group_more(groups, rows, seed):
    numbers = np.array(groups)
    chosen = some_groups(numbers, rows=rows, seed=seed)
    assert not set(numbers[chosen]) & set(np.delete(numbers, chosen))
    assert min(rows, len(groups)) <= len(chosen) < rows + max(groups.count(group) for group in groups)


@given(groups=some_numbers, seed=st.integers(0, 9))
def test_what_is_chosen_for_fewer_rows_is_a_part_of_what_is_chosen_for_more(groups, seed):
    chosen = [set(some_groups(np.array(groups), rows=rows, seed=seed).tolist()) for rows in range(1, len(groups) + 1)]
    assert all(fewer <= more for fewer, more in pairwise(chosen))
    assert chosen[-1] == set(range(len(groups)))
