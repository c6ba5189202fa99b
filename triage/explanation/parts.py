"""Divides a text into sentences, and sentences into words. The parts joined together are the text."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from triage.explanation.record import Part

MOST_SENTENCES = 20
"""In a longer letter neighbours are joined, because more parts would need more evaluations than are allowed."""

MOST_WORDS = 24
"""Per sentence. In a longer sentence neighbours are joined."""

LONGEST_SENTENCE = 40
"""In words. A longer sentence is cut at its last comma within this length, or else at this length."""

SHORTEST_SENTENCE = 3
"""In words. A shorter sentence is joined to the one before it."""

_STOP = re.compile(r"[.!?…]+[\"')\]]*\s+")
_BEGINNING = re.compile(r"[\"'(\[]*[A-Z0-9]")
_ABBREVIATION = re.compile(r"(?:\b(?:[A-Z]|[Mm]rs?|[Mm]s|[Dd]r|[Ss]t|[Nn]o|[Ii]nc|[Ll]td|[Cc]orp|[Vv]s|[Ee]tc))\.\s+$")
_WORD = re.compile(r"\S+\s*")


def sentences(text: str) -> tuple[Part, ...]:
    """Return the sentences in order. Every character belongs to exactly one of them.

    >>> text = "Mr. Jones called me. He was rude! Twice."
    >>> [part.of(text) for part in sentences(text)]
    ['Mr. Jones called me. ', 'He was rude! Twice.']
    """
    pieces = [piece for sentence in _joined_short(_sentences(text), text) for piece in _cut(sentence, text)]
    return _merged(pieces, MOST_SENTENCES)


def words(text: str, within: Part) -> tuple[Part, ...]:
    """Return the words of a part, each with the white space that follows it."""
    return _merged(_words(text, within), MOST_WORDS)


def _sentences(text: str) -> list[Part]:
    stops = [match.end() for match in _STOP.finditer(text) if not _ABBREVIATION.search(text[: match.end()][-12:])]
    ends = [stop for stop in stops if _BEGINNING.match(text, stop)]
    if 2 * len(ends) < len(stops):
        # Most stops are followed by a small letter: the text is written without capitals, so every stop counts.
        ends = stops
    edges = [0, *(end for end in ends if end < len(text)), len(text)]
    return [Part(start=start, end=end) for start, end in pairwise(edges) if start < end]


def _joined_short(parts: Sequence[Part], text: str) -> list[Part]:
    joined: list[Part] = []
    for part in parts:
        if joined and len(part.of(text).split()) < SHORTEST_SENTENCE:
            part = Part(start=joined.pop().start, end=part.end)
        joined.append(part)
    return joined


def _cut(sentence: Part, text: str) -> Iterator[Part]:
    rest = _words(text, sentence)
    while len(rest) > LONGEST_SENTENCE:
        head = rest[:LONGEST_SENTENCE]
        commas = [n for n, word in enumerate(head, start=1) if word.of(text).rstrip().endswith((",", ";", ":"))]
        length = commas[-1] if commas and commas[-1] > LONGEST_SENTENCE // 2 else LONGEST_SENTENCE
        yield Part(start=head[0].start, end=head[length - 1].end)
        rest = rest[length:]
    if rest:
        yield Part(start=rest[0].start, end=rest[-1].end)


def _words(text: str, within: Part) -> list[Part]:
    found = [Part(start=match.start(), end=match.end()) for match in _WORD.finditer(text, within.start, within.end)]
    # White space before the first word becomes part of that word.
    return [Part(start=within.start, end=found[0].end), *found[1:]] if found else [within]


def _merged(parts: Sequence[Part], most: int) -> tuple[Part, ...]:
    """Join the shortest neighbours until at most `most` parts are left."""
    merged = list(parts)
    while len(merged) > most:
        place = min(range(len(merged) - 1), key=lambda n: merged[n + 1].end - merged[n].start)
        merged[place : place + 2] = [Part(start=merged[place].start, end=merged[place + 1].end)]
    return tuple(merged)
