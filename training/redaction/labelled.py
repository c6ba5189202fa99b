"""The labelled set: texts in which personal data is marked, as `My name is <name>John Smith</name>`.

Recognisers were written with an eye on the tuned parts. Of the held-out ones only figures were looked at, but some
rules followed from these. The unseen part was written when the rules were done: whoever reads its errors to write a
rule moves it to the tuned ones and writes another. Handwritten texts stand in `labelled/`,
one a line, with `\\n` for a new line; the others are made from `templates.toml`, where tuned and held-out share neither
sentences, names, places nor formats.
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
"""Texts in each generated part."""

_FOLDER = Path(__file__).with_name("labelled")
_TAG = re.compile(rf"<(/?)({'|'.join(Entity)})>")
_OPEN, _CLOSE = "\ue000", "\ue001"


@dataclass(frozen=True)
class Example:
    """spans: in order, apart from each other."""

    text: str
    spans: tuple[Span, ...]


def load_parts() -> dict[str, list[Example]]:
    """Every part by its name, cleaned as in serving. Raises ValueError for a text whose marks do not match."""
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
    """Raises ValueError for marks that do not match."""
    tags = list(_TAG.finditer(marked))
    entities = [Entity(tag[2]) for tag in tags[::2]]
    pairs = zip(tags[::2], tags[1::2], strict=False)
    if len(tags) % 2 or any(opened[1] or not closed[1] or opened[2] != closed[2] for opened, closed in pairs):
        raise ValueError(f"marks do not match: {marked}")
    return _placed(clean(_TAG.sub(lambda tag: _CLOSE if tag[1] else _OPEN, marked)), entities)


def _placed(text: str, entities: Iterable[Entity]) -> Example:
    """The marks taken out of a text, each pair as a span."""
    pieces = re.split(f"[{_OPEN}{_CLOSE}]", text)
    ends = [0]
    for piece in pieces:
        ends.append(ends[-1] + len(piece))
    spans = [Span(start, end, entity) for start, end, entity in zip(ends[1::2], ends[2::2], entities, strict=False)]
    return Example(text="".join(pieces), spans=tuple(spans))
