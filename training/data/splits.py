"""Train, validation and test, such that what is measured is what will be served: later letters, on templates not seen.

Both splits keep near-duplicate groups whole. The time split is the honest one; the grouped random split differs from it
only in ignoring dates, so the difference between their figures is what time costs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

GAP = timedelta(days=30)
"""A complaint and its follow-up, or a campaign of letters, spread over weeks."""

PARTS = ("train", "validation", "test")

Indices = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]
Numbers = npt.NDArray[np.integer]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Split:
    """Row numbers of each part, ascending, and of what is in none: `purged` within the gap, `straddling` in a group
    that the training period already knows."""

    train: Indices
    validation: Indices
    test: Indices
    purged: Indices
    straddling: Indices

    @property
    def counts(self) -> Mapping[str, int]:
        return {name: len(rows) for name, rows in vars(self).items()}

    @property
    def shares(self) -> Mapping[str, float]:
        """Of the rows that are in a part."""
        kept = sum(len(getattr(self, part)) for part in PARTS)
        return {part: len(getattr(self, part)) / kept for part in PARTS}


def time_split(
    received: Sequence[date], groups: Numbers, *, test_from: date, gap: timedelta = GAP, validation: float = 0.1
) -> Split:
    """Train before the gap, test from `test_from` on; the gap's rows are purged.

    A group belongs wholly to the side of its first complaint: its rows on the other side are left out, since a template
    once trained on is nothing to be tested with, and later rows may not be trained on. Validation is the latest
    `validation` share of the training period, again by each group's first complaint.

    Raises:
        ValueError: a part would be empty, or the sequences differ in length.
    """
    _require_share(validation=validation)
    days = np.array(received, dtype="datetime64[D]")
    groups = _numbered(groups, rows=len(days))
    first = _first_days(days, groups)
    border, start = np.datetime64(test_from - gap), np.datetime64(test_from)
    early = days < border
    late = (days >= start) & (first >= border)
    if not early.any():
        raise ValueError("nothing was received before the gap: choose a later test_from")
    validated = early & (first >= _start_of_latest(first[early], share=validation))
    purged = (days >= border) & (days < start)
    return _checked(early & ~validated, validated, late, purged=purged)


def grouped_split(groups: Numbers, *, test: float = 0.2, validation: float = 0.1, seed: int) -> Split:
    """Whole groups at random; `test` and `validation` are shares of all rows, exceeded by one group at most.

    Raises:
        ValueError: a part would be empty, or the shares leave nothing to train on.
    """
    _require_share(test=test, validation=validation, both=test + validation)
    groups = _numbered(groups, rows=len(groups))
    ends = np.array([test, test + validation]) * len(groups)
    of_row = np.searchsorted(ends, _rows_before(groups, seed=seed), side="right")[groups]
    return _checked(of_row == 2, of_row == 1, of_row == 0, purged=np.zeros(len(groups), dtype=np.bool_))


def latest(received: Sequence[date], *, share: float) -> date:
    """The day from which on the latest `share` of the rows was received, or more where many came on that day."""
    _require_share(share=share)
    return sorted(received)[int(len(received) * (1 - share))]


def latest_groups(received: Sequence[date], groups: Numbers, *, share: float) -> Booleans:
    """Which rows are in the groups that began last, `share` of the rows or more; shape (n,)."""
    _require_share(share=share)
    first = _first_days(np.array(received, dtype="datetime64[D]"), _numbered(groups, rows=len(received)))
    late: Booleans = first >= _start_of_latest(first, share=share)
    return late


def some_groups(groups: Numbers, *, rows: int, seed: int) -> Indices:
    """Places of whole groups at random, ascending: so many rows, or as many more as the last group has. What is chosen
    for fewer rows is a part of what is chosen for more."""
    groups = _numbered(groups, rows=len(groups))
    return np.flatnonzero((_rows_before(groups, seed=seed) < rows)[groups])


def _rows_before(groups: Numbers, *, seed: int) -> Indices:
    """With the groups in random order: how many rows the groups before each of them have, shape (groups,)."""
    sizes = np.bincount(groups)
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    before = np.empty(len(sizes), dtype=np.int64)
    before[shuffled] = np.cumsum(sizes[shuffled]) - sizes[shuffled]
    return before


def _numbered(groups: Numbers, *, rows: int) -> Numbers:
    """Groups as 0, 1, 2 … in the order of their numbers."""
    if len(groups) != rows:
        raise ValueError(f"{rows} rows have {len(groups)} groups")
    return np.unique(groups, return_inverse=True)[1]


def _first_days(days: Days, groups: Numbers) -> Days:
    """The day of the first complaint of each row's group."""
    first = np.full(int(groups.max(initial=-1)) + 1, np.datetime64("9999-12-31"))
    np.minimum.at(first, groups, days)
    return first[groups]


def _start_of_latest(first: Days, *, share: float) -> Days:
    """The latest first days, as an array of shape (): from there on `share` of them lie, or more."""
    start: Days = np.sort(first)[np.array(int(len(first) * (1 - share)))]
    return start


def _checked(train: Booleans, validation: Booleans, test: Booleans, *, purged: Booleans) -> Split:
    for name, rows in zip(PARTS, (train, validation, test), strict=True):
        if not rows.any():
            raise ValueError(f"the {name} part is empty: there are too few rows or groups for this split")
    straddling = ~(train | validation | test | purged)
    return Split(*(np.flatnonzero(rows) for rows in (train, validation, test, purged, straddling)))


def _require_share(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 < share < 1:
            raise ValueError(f"{name} is a share between 0 and 1, not {share}")
