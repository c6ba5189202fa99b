"""The labelled set: texts in which personal data are marked, as in `My name is <name>John Smith</name>`.

The handwritten texts are in `labelled/`, one text a line, with `\\n` for a new line and `\\N{EN DASH}` for a character
that cannot be seen or told from another. The generated texts are made from
`templates.toml`, whose tuned and held-out parts share no sentences, names, places or formats.

- Tuned parts: the recognisers were written while looking at them.
- Held-out parts: only their figures were looked at, but some rules were written because of these figures.
- Unseen part: it was written after the rules. Whoever writes a rule because of its errors must move the part to the
  tuned ones, and write a new one.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from triage.redaction import Entity, Span
from triage.redaction.numbers import passes_luhn
from triage.text import clean

TUNED = ("handwritten, tuned", "generated, tuned")
HELD_OUT = ("handwritten, held out", "generated, held out", "handwritten, unseen")

GENERATED = 400
"""The number of texts in each generated part."""

_FOLDER = Path(__file__).parent
_TAG = re.compile(rf"<(/?)({'|'.join(Entity)})>")
_OPEN, _CLOSE = "\ue000", "\ue001"
_NAMED_CHARACTER = re.compile(r"\\N\{([A-Z -]+)\}")
_SLOT = re.compile(r"\{(\w+)\}")
_LETTERS = "ABCEGHJKLMNPRSTWXYZ"

Pools = Mapping[str, list[str]]


@dataclass(frozen=True)
class Example:
    """A cleaned text and the spans that are marked in it, in order and not overlapping."""

    text: str
    spans: tuple[Span, ...]


def load_parts() -> dict[str, list[Example]]:
    """Return the examples of each part. Raises ValueError at a text whose marks do not match."""
    marked = {
        "handwritten, tuned": _handwritten("handwritten_tuned.txt"),
        "generated, tuned": generated("tuned", GENERATED, seed=1),
        "handwritten, held out": _handwritten("handwritten_held_out.txt"),
        "generated, held out": generated("held_out", GENERATED, seed=2),
        "handwritten, unseen": _handwritten("handwritten_unseen.txt"),
    }
    return {part: [read(text) for text in texts] for part, texts in marked.items()}


def foreign() -> dict[str, list[str]]:
    """Return letters in other languages, by the code of the language (ISO 639-1)."""
    letters: dict[str, list[str]] = {}
    for line in (_FOLDER / "labelled" / "languages.txt").read_text(encoding="utf-8").splitlines():
        language, text = line.split("\t", maxsplit=1)
        letters.setdefault(language, []).append(clean(text))
    return letters


def _handwritten(name: str) -> Iterator[str]:
    for line in (_FOLDER / "labelled" / name).read_text(encoding="utf-8").splitlines():
        yield _NAMED_CHARACTER.sub(lambda match: unicodedata.lookup(match[1]), line.replace("\\n", "\n"))


def read(marked: str) -> Example:
    """Clean a marked text as serving does, and turn its marks into spans. Raises ValueError if marks do not match."""
    tags = list(_TAG.finditer(marked))
    entities = [Entity(tag[2]) for tag in tags[::2]]
    pairs = zip(tags[::2], tags[1::2], strict=False)
    if len(tags) % 2 or any(opened[1] or not closed[1] or opened[2] != closed[2] for opened, closed in pairs):
        raise ValueError(f"marks do not match: {marked}")
    pieces = re.split(f"[{_OPEN}{_CLOSE}]", clean(_TAG.sub(lambda tag: _CLOSE if tag[1] else _OPEN, marked)))
    ends = [0]
    for piece in pieces:
        ends.append(ends[-1] + len(piece))
    spans = [Span(start, end, entity) for start, end, entity in zip(ends[1::2], ends[2::2], entities, strict=False)]
    return Example(text="".join(pieces), spans=tuple(spans))


def generated(part: str, count: int, *, seed: int) -> Iterator[str]:
    """Yield marked texts of one to three sentences, made from one part of the templates."""
    pools, chance = _templates()[part], Random(seed)
    for _ in range(count):
        sentences = chance.sample(pools["sentence"], chance.choice((1, 2, 2, 3)))
        yield " ".join(_filled(sentence, pools, chance) for sentence in sentences)


@cache
def _templates() -> Mapping[str, Pools]:
    return tomllib.loads((_FOLDER / "templates.toml").read_text(encoding="utf-8"))


def _filled(pattern: str, pools: Pools, chance: Random) -> str:
    """Fill each slot from the pool of its name until no slot is left, and draw digits and letters for the signs."""
    pattern = _drawn(pattern, chance)
    while _SLOT.search(pattern):
        pattern = _SLOT.sub(lambda slot: _drawn(chance.choice(pools[slot[1]]), chance), pattern)
    return pattern


def _drawn(pattern: str, chance: Random) -> str:
    """Replace `#` by a digit, `%` by a digit except 0, `^` by a letter, and `=` by the check digit of a card number."""
    signs = {"#": "0123456789", "%": "123456789", "^": _LETTERS}
    drawn = "".join(chance.choice(signs[sign]) if sign in signs else sign for sign in pattern)
    if "=" not in drawn:
        return drawn
    return next(card for digit in "0123456789" if passes_luhn(card := drawn.replace("=", digit)))
