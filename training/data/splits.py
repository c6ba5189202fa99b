"""Splits data into train, validation and test, by time or at random.

Both splits keep near-duplicate groups whole. The time split tests as in service, on later letters with new templates.
The grouped random split ignores dates. The difference between their figures is what change over time costs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

GAP = timedelta(days=30)
"""Days left out before the test period, because follow-ups and campaigns of letters spread over weeks."""

PARTS = ("train", "validation", "test")

Indices = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]
Numbers = npt.NDArray[np.integer]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Split:
    """Row numbers of each part, ascending, and of the rows in no part: `purged` rows are within the gap, `straddling`
    rows belong to a group that also occurs on the other side."""

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
        """Each part's share of the rows that are in a part."""
        kept = sum(len(getattr(self, part)) for part in PARTS)
        return {part: len(getattr(self, part)) / kept for part in PARTS}


def time_split(
    received: Sequence[date], groups: Numbers, *, test_from: date, gap: timedelta = GAP, validation: float = 0.1
) -> Split:
    """Train on rows before the gap and test on rows from `test_from` on; rows in the gap are purged.

    A group belongs to the side of its first complaint. Its rows on the other side are left out, because a template must
    not be in both parts and later rows must not be trained on. The latest `validation` share of the
    training period, by the first complaint of each group, is the validation part.

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
        raise ValueError("no complaint was received before the gap: choose a later day to test from")
    validated = early & (first >= _start_of_latest(first[early], share=validation))
    purged = (days >= border) & (days < start)
    return _checked(early & ~validated, validated, late, purged=purged)


def grouped_split(groups: Numbers, *, test: float = 0.2, validation: float = 0.1, seed: int) -> Split:
    """Assign whole groups at random. test, validation: shares of all rows, exceeded by one group at most.

    Raises:
        ValueError: a part would be empty, or the shares leave nothing to train on.
    """
    _require_share(test=test, validation=validation, both=test + validation)
    groups = _numbered(groups, rows=len(groups))
    ends = np.array([test, test + validation]) * len(groups)
    of_row = np.searchsorted(ends, _rows_before(groups, seed=seed), side="right")[groups]
    return _checked(of_row == 2, of_row == 1, of_row == 0, purged=np.zeros(len(groups), dtype=np.bool_))


def latest(received: Sequence[date], *, share: float) -> date:
    """Return the first day of the latest `share` of the rows; if many came on that day, the share is larger."""
    _require_share(share=share)
    return sorted(received)[int(len(received) * (1 - share))]


def latest_groups(received: Sequence[date], groups: Numbers, *, share: float) -> Booleans:
    """Return whether each row is in the groups that began last, `share` of all rows or more; shape (n,)."""
    _require_share(share=share)
    first = _first_days(np.array(received, dtype="datetime64[D]"), _numbered(groups, rows=len(received)))
    late: Booleans = first >= _start_of_latest(first, share=share)
    return late


def some_groups(groups: Numbers, *, rows: int, seed: int) -> Indices:
    """Draw whole groups at random until they have `rows` rows or more, and return their places, ascending.

    With the same seed, a draw for fewer rows is a part of a draw for more.
    """
    groups = _numbered(groups, rows=len(groups))
    return np.flatnonzero((_rows_before(groups, seed=seed) < rows)[groups])


def _rows_before(groups: Numbers, *, seed: int) -> Indices:
    """Put the groups in random order and return how many rows come before each group, shape (groups,)."""
    sizes = np.bincount(groups)
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    before = np.empty(len(sizes), dtype=np.int64)
    before[shuffled] = np.cumsum(sizes[shuffled]) - sizes[shuffled]
    return before


def _numbered(groups: Numbers, *, rows: int) -> Numbers:
    """Renumber the groups as 0, 1, 2 … in the order of their numbers."""
    if len(groups) != rows:
        raise ValueError(f"{rows} rows have {len(groups)} groups")
    return np.unique(groups, return_inverse=True)[1]


def _first_days(days: Days, groups: Numbers) -> Days:
    """Return for each row the day of the first complaint of its group."""
    first = np.full(int(groups.max(initial=-1)) + 1, np.datetime64("9999-12-31"))
    np.minimum.at(first, groups, days)
    return first[groups]


def _start_of_latest(first: Days, *, share: float) -> Days:
    """Return the day, as an array of shape (), from which on `share` of the first days lie, or more."""
    start: Days = np.sort(first)[np.array(int(len(first) * (1 - share)))]
    return start


def _checked(train: Booleans, validation: Booleans, test: Booleans, *, purged: Booleans) -> Split:
    for name, rows in zip(PARTS, (train, validation, test), strict=True):
        if not rows.any():
            raise ValueError(f"the {name} part is empty: give more complaints, or choose another split")
    straddling = ~(train | validation | test | purged)
    return Split(*(np.flatnonzero(rows) for rows in (train, validation, test, purged, straddling)))


def _require_share(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 < share < 1:
            raise ValueError(f"{name} must be a share between 0 and 1, not {share}")
