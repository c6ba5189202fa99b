"""Near-duplicate groups: letters on one template have the same group, so that a split cannot separate them.

MinHash over shingles of words, candidates by banding, then the share of equal minima (Broder, On the resemblance and
containment of documents, 1997; Leskovec et al., Mining of Massive Datasets, 2014). Written in numpy, because ten lines
on whole arrays are faster than a package that loops over shingles in Python.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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


def near_duplicate_groups(texts: Sequence[str], *, threshold: float = THRESHOLD) -> Groups:
    """Return the group of each text, shape (n,), numbered by the alphabetical order of each group's first text.

    Equal texts have the same group, and so do texts that a chain of near-duplicates links. The order of the texts does
    not matter. 15,000 complaints take ten seconds on one core.
    """
    distinct = sorted(set(texts))
    groups = _components(signatures(distinct), threshold=threshold)
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


def _components(minima: Signatures, *, threshold: float) -> Groups:
    links = [link for bucket in _buckets(minima) for link in _links(minima, bucket, threshold=threshold)]
    left, right = np.array(links, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(len(minima), len(minima)))
    groups: Groups = connected_components(graph, directed=False)[1].astype(np.int64)
    return groups


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


def _links(minima: Signatures, bucket: Sequence[int], *, threshold: float) -> Iterator[tuple[int, int]]:
    """Yield the pairs whose estimated resemblance reaches the threshold."""
    rows = np.asarray(bucket)
    for position, row in enumerate(bucket[:-1]):
        others = rows[position + 1 :]
        alike = (minima[others] == minima[row]).mean(axis=1) >= threshold
        yield from ((row, other) for other in others[alike].tolist())


def _in_order_of_appearance(groups: Iterable[int]) -> Groups:
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(int(group), len(numbers)) for group in groups], dtype=np.int64)
