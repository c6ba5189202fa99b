"""Near-duplicate groups: letters on one template have the same group, so that a split cannot separate them.

MinHash over shingles of words, candidates by banding, then the share of equal minima (Broder, On the resemblance and
containment of documents, 1997; Leskovec et al., Mining of Massive Datasets, 2014). Written in numpy, because ten lines
on whole arrays are faster than a package that loops over shingles in Python.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

SHINGLE_WORDS = 3
BANDS, ROWS = 42, 3
"""Two texts are compared if one of 42 bands of 3 minima is equal. It is for 94 % of pairs with a resemblance of 0.4,
for all but a few in 10,000 at 0.6, and for 4 % at 0.1."""

THRESHOLD = 0.4
"""Two texts are near-duplicates if they share at least this part of their shingles. Real letters on one template share
more, also with some rewording; letters that only quote the same statute share less."""

SEED = 20170424

_WORD = re.compile(r"[^\W\d_]+")
_SCRUBBED = re.compile(r"x+")
_MIX = np.uint64(0x9E3779B97F4A7C15)

Hashes = npt.NDArray[np.uint64]
Signatures = npt.NDArray[np.uint32]
Groups = npt.NDArray[np.int64]


def near_duplicate_groups(
    texts: Sequence[str], *, threshold: float = THRESHOLD, on_compared: Callable[[int], None] = lambda pairs: None
) -> Groups:
    """Return the group of each text, shape (n,), numbered by the alphabetical order of each group's first text.

    Equal texts have the same group, and so do texts that a chain of near-duplicates links. The order of the texts does
    not matter. 15,000 complaints take ten seconds on one core. Letters on one template cost no more memory than others:
    only one of them is compared with all others.

    on_compared: called with the number of pairs, each time a text is compared with others.
    """
    distinct = sorted(set(texts))
    groups = _components(signatures(distinct), threshold=threshold, on_compared=on_compared)
    numbers = dict(zip(distinct, _in_order_of_appearance(groups).tolist(), strict=True))
    return np.array([numbers[text] for text in texts], dtype=np.int64)


def signatures(texts: Sequence[str]) -> Signatures:
    """Return MinHash signatures, shape (n, BANDS * ROWS)."""
    chance = np.random.default_rng(SEED)
    factors = chance.integers(0, 2**63, size=(BANDS * ROWS, 1), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    offsets = chance.integers(0, 2**63, size=(BANDS * ROWS, 1), dtype=np.uint64)
    result = np.empty((len(texts), BANDS * ROWS), dtype=np.uint32)
    for row, text in enumerate(texts):
        # Multiply and shift: the upper half of an odd multiple acts as a random permutation of 32 bits.
        result[row] = ((shingles(text) * factors + offsets) >> np.uint64(32)).min(axis=1)
    return result


def shingles(text: str) -> Hashes:
    """Return hashes of the distinct runs of SHINGLE_WORDS words, shape (m,), m >= 1.

    Numbers and words that CFPB scrubbed (`XXXX`) are ignored, because they differ between two copies of a template. A
    text with fewer words is a single shingle; a text without words is a shingle of all its characters.
    """
    words = [word for word in _WORD.findall(text.lower()) if not _SCRUBBED.fullmatch(word)]
    if len(words) < SHINGLE_WORDS:
        return np.array([_hash(" ".join(words) or f"\0{text}")], dtype=np.uint64)
    hashed = np.array([_hash(word) for word in words], dtype=np.uint64)
    runs = np.zeros(len(words) - SHINGLE_WORDS + 1, dtype=np.uint64)
    for start in range(SHINGLE_WORDS):
        runs = (runs ^ hashed[start : start + len(runs)]) * _MIX
        runs ^= runs >> np.uint64(29)
    return np.unique(runs)


@lru_cache(maxsize=100_000)
def _hash(word: str) -> int:
    """Return a hash that is the same in every run, unlike Python's own."""
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _components(minima: Signatures, *, threshold: float, on_compared: Callable[[int], None]) -> Groups:
    forest = _Forest(len(minima))
    for bucket in _buckets(minima):
        _join(minima, bucket, forest, threshold=threshold, on_compared=on_compared)
    return np.array([forest.root(row) for row in range(len(minima))], dtype=np.int64)


class _Forest:
    """Disjoint sets of rows, in as many numbers as there are rows (Galler and Fischer, 1964)."""

    def __init__(self, rows: int) -> None:
        self._above = list(range(rows))

    def root(self, row: int) -> int:
        above = self._above
        while above[row] != row:
            above[row] = above[above[row]]
            row = above[row]
        return row

    def join(self, row: int, other: int) -> None:
        self._above[self.root(other)] = self.root(row)


def _buckets(minima: Signatures) -> Iterator[list[int]]:
    """Yield rows with an equal band. Rows that are together in several bands are yielded once."""
    seen: set[tuple[int, ...]] = set()
    for band in range(BANDS):
        rows = np.ascontiguousarray(minima[:, band * ROWS : (band + 1) * ROWS])
        buckets: defaultdict[bytes, list[int]] = defaultdict(list)
        for row, key in enumerate(rows):
            buckets[key.tobytes()].append(row)
        for bucket in buckets.values():
            if len(bucket) > 1 and (key := tuple(bucket)) not in seen:
                seen.add(key)
                yield bucket


def _join(
    minima: Signatures,
    bucket: Sequence[int],
    forest: _Forest,
    *,
    threshold: float,
    on_compared: Callable[[int], None],
) -> None:
    """Join the rows of a bucket whose estimated resemblance reaches the threshold.

    A row is compared with rows of other groups alone. Of letters on one template the first joins all others, so that
    none of them is compared again.
    """
    others = np.array(bucket)
    roots = np.array([forest.root(row) for row in bucket])
    while len(others) and (roots != roots[0]).any():
        mine = roots == roots[0]
        waiting, others, roots = others[mine].tolist(), others[~mine], roots[~mine]
        while waiting and len(others):
            row = waiting.pop()
            on_compared(len(others))
            found = np.unique(roots[(minima[others] == minima[row]).mean(axis=1) >= threshold])
            for root in found.tolist():
                forest.join(row, root)
            joined = np.isin(roots, found)
            waiting += others[joined].tolist()
            others, roots = others[~joined], roots[~joined]


def _in_order_of_appearance(groups: Iterable[int]) -> Groups:
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(int(group), len(numbers)) for group in groups], dtype=np.int64)
