"""Dates of birth: full dates that the words around them say are one. An age or a year alone is none."""

import re
from collections.abc import Iterator

from triage.redaction.entities import Entity, Span

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
DATE = (
    rf"(?:\d{{1,2}}[/.-]\d{{1,2}}[/.-]\d{{2}}(?:\d{{2}})?|\d{{4}}[/.-]\d{{1,2}}[/.-]\d{{1,2}}|\d{{8}}"
    rf"|{_DAY}(?: of)?[ .-]{{0,2}}{_MONTH}[ .,-]{{0,2}}\d{{2,4}}"
    rf"|{_MONTH}[ .-]{{1,2}}{_DAY}[ ,-]{{1,2}}\d{{4}})(?!\d)"
)
_LINK = (
    r"(?:(?:is|was|are|being|of|on|the|in|as|at|listed|shown|entered|recorded|given|wrongly|incorrectly|am|it|reads"
    r"|says|should|be|not|and|but|instead|than|rather|to|from|my|down|have|had|put|them|correct|actual|real|wrong)\b)"
)
_GAP = rf"(?:[\s:;,=#()\"'-]|\.(?!\d)|{_LINK}){{0,16}}"
_BORN = r"\b(?:d\.? ?o\.? ?b\b\.?|dates? of birth|birth[ -]?(?:date|day)s?|born)"
_BEFORE = re.compile(rf"{_BORN}{_GAP}(?P<date>{DATE})", re.IGNORECASE)
_AGAIN = re.compile(rf"(?:[\s,()]{{0,3}}{_LINK}){{1,6}}[\s:,'\"(]{{1,3}}(?P<date>{DATE})", re.IGNORECASE)
_AFTER = re.compile(rf"(?<!\d)(?P<date>{DATE})[ ,(-]{{1,3}}{_BORN}\b(?!{_GAP}{DATE})", re.IGNORECASE)


def find_births(text: str) -> Iterator[Span]:
    """A date after such words, any further one that stands against it, and a date just before such words."""
    for match in _BEFORE.finditer(text):
        found: re.Match[str] | None = match
        while found:
            yield Span(found.start("date"), found.end("date"), Entity.DATE_OF_BIRTH)
            found = _AGAIN.match(text, found.end("date"))
    for match in _AFTER.finditer(text):
        yield Span(match.start("date"), match.end("date"), Entity.DATE_OF_BIRTH)
