"""The newest message of a letter's lines, apart from the older ones that it quotes and from its signature."""

from dataclasses import dataclass
from typing import Final

from triage.letter import signs

QUOTED: Final = "\x02"
SIGNED: Final = "\x01"
"""Before a line of extracted markup, for each quotation that it stands in, and for a signature."""

DEEPEST: Final = 50
"""Quotations in each other that are told apart."""

BARE_FORWARD: Final = 40
"""A forwarded message belongs to what a customer says who wrote fewer characters above it, such as `FYI`."""


@dataclass(frozen=True)
class Mark:
    """Where a line stands. level: the number of quotations around it."""

    level: int = 0
    signed: bool = False

    def within(self, inner: "Mark") -> "Mark":
        return Mark(min(DEEPEST, self.level + inner.level), self.signed or inner.signed)

    def __str__(self) -> str:
        return QUOTED * self.level + SIGNED * self.signed


@dataclass(frozen=True)
class Parted:
    message: str
    signature: str = ""
    quoted: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Line:
    words: str
    mark: Mark
    header: bool = False
    """It introduces a quotation."""


def parted(text: str, *, is_mail: bool) -> Parted:
    """Return the parts of a text. is_mail: it came as markup or as a whole mail, so that a closing is a signature.

    In a plain letter a closing is part of what is said, and all of it is returned as it is.
    """
    lines = [_read(line) for line in text.splitlines()]
    own, quoted, forwarded = _split(lines)
    if not quoted and not any(line.mark.signed for line in own):
        message, signature = signs.signed_off([line.words for line in own], is_mail=is_mail)
        whole = not signature and QUOTED not in text and SIGNED not in text
        return Parted(text) if whole or not "".join(message).strip() else Parted(_joined(message), _joined(signature))
    signed = [line.words for line in own if line.mark.signed]
    message, signature = signs.signed_off([line.words for line in own if not line.mark.signed], is_mail=True)
    signature += signed
    older = _by_level(quoted)
    said = _joined(message)
    if older and (not said or (forwarded and len(said) < BARE_FORWARD)):
        # The first level may hold no more than the line that introduces the message.
        level = next((level for level in older if any(not line.header for line in older[level])), min(older))
        told = [line.words for line in older[level] if not line.header] or [line.words for line in older[level]]
        kept = [line for line in older[level] if line.header] if said or told else []
        older = {**older, level: kept}
        said = _joined([said, *told])
    if not said:
        said, signature = _joined(signature), []
    texts = (_joined([line.words for line in older[level]]) for level in sorted(older))
    return Parted(said, _joined(signature), tuple(filter(None, texts)))


def _read(line: str) -> _Line:
    """Return a line without its marks. `>` counts as a mark once `_split` has seen that it quotes."""
    words = line.lstrip(QUOTED + SIGNED)
    marks = line[: len(line) - len(words)]
    return _Line(words, Mark(min(DEEPEST, marks.count(QUOTED)), SIGNED in marks))


def _split(lines: list[_Line]) -> tuple[list[_Line], list[_Line], bool]:
    """Return the own lines, the quoted ones, and whether the older messages were forwarded."""
    own: list[_Line] = []
    quoted: list[_Line] = []
    words = [line.words for line in lines]
    angled = signs.angled(words)
    below, forwarded, skip = 0, False, 0
    introduces = 0
    for place, line in enumerate(lines):
        level = line.mark.level
        text = line.words
        if angled[place]:
            depth, text = signs.unangled(text)
            level += depth
        if place >= skip:
            sign = signs.at(words, place, angled)
            if sign is not None:
                skip = place + sign.lines
                introduces = skip
                forwarded = forwarded or (sign.forwards and not quoted)
                # What is already quoted by marks is in its place.
                if sign.opens and level == 0:
                    below += 1
        header = place < introduces
        level = min(DEEPEST, level + below + (1 if header and not level and not below else 0))
        read = _Line(text, Mark(level, line.mark.signed), header)
        (quoted if level else own).append(read)
    return own, quoted, forwarded


def _by_level(quoted: list[_Line]) -> dict[int, list[_Line]]:
    levels: dict[int, list[_Line]] = {}
    for line in quoted:
        levels.setdefault(line.mark.level, []).append(line)
    return dict(sorted(levels.items()))


def _joined(lines: list[str]) -> str:
    return "\n".join(lines).strip()
