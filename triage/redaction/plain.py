"""A text as recognisers read it, and the way back to the characters that were written.

People and programs write the same number with many dashes and spaces, and with characters that nobody sees. Recognisers
know ASCII alone, so they read a plain text; the spans they find are mapped back.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from triage.redaction.entities import Span

_INVISIBLE: Final = frozenset("\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\ufeff\u2800\u3164")
"""Soft hyphen, byte order mark and fillers; the category `Cf` has the other characters without a width."""

_DASHES: Final = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u30fc\ufe58\ufe63\uff0d\u207b\u05be")
_DOTS: Final = frozenset("\u00b7\u2022\u2024\u2027\u2219\u22c5\u30fb\uff0e\u3002")
_SLASHES: Final = frozenset("\u2044\u2215\u29f8\uff0f")
_APOSTROPHES: Final = frozenset("\u02bc\u2032\uff07")

_BETWEEN_DIGITS = re.compile(r"(?<=\d)(?: {0,2}[-./_|\\~] ?-? ?| {2,3})(?=\d)")


@dataclass(frozen=True)
class Plain:
    """origins: for each character of `text`, its place in the text that was written."""

    text: str
    origins: Sequence[int]

    def back(self, spans: Iterable[Span]) -> Iterable[Span]:
        """Yield the spans over the written text. Characters that are left out inside a span belong to it."""
        for span in spans:
            yield Span(self.origins[span.start], self.origins[span.end - 1] + 1, span.entity)


def plain(written: str) -> Plain:
    """Return the text with ASCII digits, hyphens, full stops, slashes and spaces, without invisible characters.

    >>> plain("41\\u00ad11\\u2011\\uff11").text
    '4111-1'
    """
    if written.isascii():
        return Plain(written, range(len(written)))
    kept = [(place, _ascii(character)) for place, character in enumerate(written)]
    return Plain("".join(character for _, character in kept), tuple(place for place, character in kept if character))


def joined(read: Plain) -> Plain:
    """Return the text with one hyphen for each separator between two digits, as in `4111 . 1111/1111 - 1111`."""
    pieces, origins, done = [], list[int](), 0
    for match in _BETWEEN_DIGITS.finditer(read.text):
        pieces += [read.text[done : match.start()], "-"]
        origins += [*read.origins[done : match.start()], read.origins[match.start()]]
        done = match.end()
    if not pieces:
        return read
    return Plain("".join([*pieces, read.text[done:]]), (*origins, *read.origins[done:]))


def _ascii(character: str) -> str:
    """Return the ASCII character that stands for a digit or separator, nothing for an invisible character, else it."""
    if character.isascii():
        return character
    if character in _DASHES:
        return "-"
    if character in _DOTS:
        return "."
    if character in _SLASHES:
        return "/"
    if character in _APOSTROPHES:
        return "'"
    category = unicodedata.category(character)
    if character in _INVISIBLE or category == "Cf":
        return ""
    if category in {"Zs", "Zl", "Zp"}:
        return " "
    if category == "Nd":
        return str(unicodedata.digit(character))
    compatible = unicodedata.normalize("NFKC", character)
    return compatible if len(compatible) == 1 and compatible.isascii() else character
