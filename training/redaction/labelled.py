"""The labelled set: texts in which personal data are marked, as in `My name is <name>John Smith</name>`.

The rules of the redactor were written to fit the tuned parts. For the held-out parts, only the figures were read, but
some rules followed from them. The unseen part was written after the rules. If its errors are read to write a rule, move
it to the tuned parts and write a new one. Handwritten texts are in `labelled/`, one a line, with `\\n` for a new line.
The others are made from `templates.toml`, where tuned and held-out parts have no sentences, names, places or formats in
common.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training.redaction.templates import written
from triage.redaction import Entity, Span
from triage.text import clean

TUNED = ("handwritten, tuned", "generated, tuned")
HELD_OUT = ("handwritten, held out", "generated, held out", "handwritten, unseen")

GENERATED = 400
"""Number of texts in each generated part."""

_FOLDER = Path(__file__).with_name("labelled")
_TAG = re.compile(rf"<(/?)({'|'.join(Entity)})>")
_OPEN, _CLOSE = "\ue000", "\ue001"


@dataclass(frozen=True)
class Example:
    """A text with its personal data. spans: in order, without overlap."""

    text: str
    spans: tuple[Span, ...]


def load_parts() -> dict[str, list[Example]]:
    """Return every part by name, cleaned as in serving. Raises ValueError if the marks of a text do not match."""
    marked = {
        "handwritten, tuned": _lines("handwritten_tuned.txt"),
        "generated, tuned": written("tuned", GENERATED, seed=1),
        "handwritten, held out": _lines("handwritten_held_out.txt"),
        "generated, held out": written("held_out", GENERATED, seed=2),
        "handwritten, unseen": _lines("handwritten_unseen.txt"),
    }
    return {part: [read(text) for text in texts] for part, texts in marked.items()}


def _lines(name: str) -> Iterator[str]:
    for line in (_FOLDER / name).read_text(encoding="utf-8").splitlines():
        yield line.replace("\\n", "\n")


def read(marked: str) -> Example:
    """Read a text with marks. Raises ValueError if they do not match."""
    tags = list(_TAG.finditer(marked))
    entities = [Entity(tag[2]) for tag in tags[::2]]
    pairs = zip(tags[::2], tags[1::2], strict=False)
    if len(tags) % 2 or any(opened[1] or not closed[1] or opened[2] != closed[2] for opened, closed in pairs):
        raise ValueError(f"marks do not match: {marked}")
    return _placed(clean(_TAG.sub(lambda tag: _CLOSE if tag[1] else _OPEN, marked)), entities)


def _placed(text: str, entities: Iterable[Entity]) -> Example:
    """Remove the marks from a text and return each pair as a span."""
    pieces = re.split(f"[{_OPEN}{_CLOSE}]", text)
    ends = [0]
    for piece in pieces:
        ends.append(ends[-1] + len(piece))
    spans = [Span(start, end, entity) for start, end, entity in zip(ends[1::2], ends[2::2], entities, strict=False)]
    return Example(text="".join(pieces), spans=tuple(spans))
