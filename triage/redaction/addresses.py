"""Postal addresses of the US and the UK: a house in a street, a box or a postcode, with the place around it."""

import re
from collections.abc import Iterator

from triage.redaction.entities import Entity, Span
from triage.redaction.places import BUILDINGS, CLEAR_STREETS, LOWER_STATES, STATE_NAMES, STATES, STREETS

_SEP = r"[,\s]{1,3}"
_WORD = r"[A-Za-z][\w'\u2019.-]{0,20}"
_CAPITAL = r"(?:[A-Z][\w'\u2019-]{1,20}\.?|[A-Z]|\d{1,3}(?:st|nd|rd|th|ST|ND|RD|TH)\b)"
_DIRECTION = r"(?:[NSEW]\.?|NW|NE|SW|SE|North|South|East|West|NORTH|SOUTH|EAST|WEST)"
_COUNTY = r"(?i:(?:county|state|farm|rural) (?:road|rd|route|highway|hwy)|route|rte|highway|hwy) \d{1,4}\b"
_UNIT = r"(?:(?i:flat|apartment|apt|unit|suite|ste|room|floor)\b\.?\s?#?\s?|#\s?)\w{1,5}\b"
_HOUSE = r"(?<![\w$£€.,/#-])\d{1,5}[A-Za-z]?(?:-\d{1,4})?"
_NO_STREET = (
    r"(?:on|in|my|the|to|of|an?|and|or|for|from|at|is|was|days?|weeks?|months?|years?|miles?|minutes?|mins?|hours?|hrs?|times"
    r"|dollars|pounds|more|late|payments?|by|per|with|i|it|no|not|out|over|different|other|of|pm|am)\b"
)
_LOWER = rf"(?:(?!{_NO_STREET})[a-z][a-z'\u2019]{{1,19}}\s)"
_ZIP = r"\d{5}(?:-\d{4})?(?!\d)"
_POSTCODE = r"[A-Z]{1,2}\d[A-Z\d]?\s?\d[ABD-HJLNP-UW-Z]{2}(?!\w)"
_STATE = rf"(?:(?:{STATES}|(?i:{STATE_NAMES}))\b\.?)"

_STREET = re.compile(
    rf"{_HOUSE},?\s(?:(?i:{_DIRECTION})\s)?(?:{_COUNTY}|"
    rf"(?:{_CAPITAL}\s){{1,4}}?(?i:{STREETS})\b\.?"
    rf"|The\s{_CAPITAL}"
    rf"|(?:\d{{1,3}}(?:st|nd|rd|th)\s{_LOWER}{{0,2}}?|{_LOWER}{{1,3}}?)(?:{CLEAR_STREETS})\b\.?"
    rf")(?:\s{_DIRECTION}(?!\w))?"
)
_BOX = re.compile(r"\b(?:p\.?\s?o\.?\s?|post office )box\s#?\d{1,7}\b", re.IGNORECASE)
_SAID = re.compile(
    r"\b(?i:(?:li(?:ve|ves|ved|ving)|resid(?:e|es|ed|ing)|address(?: is| was|:)?|moved)(?: at| to)?)\s"
    rf"(?P<place>{_HOUSE},?\s{_CAPITAL}(?:\s{_CAPITAL}){{0,3}})"
)
_TAILS = tuple(
    re.compile(tail)
    for tail in (
        rf"(?:{_SEP}{_UNIT})?(?:{_SEP}{_WORD}){{1,5}}?{_SEP}(?:{_STATE}|(?i:{STATES}))(?:{_SEP}|-){_ZIP}",
        rf"(?:{_SEP}{_UNIT})?(?:{_SEP}{_WORD}){{0,6}}?{_SEP}(?i:{_POSTCODE})",
        rf"(?:{_SEP}{_UNIT})?(?:{_SEP}{_CAPITAL}){{1,3}}?{_SEP}{_STATE}",
        rf"(?:{_SEP}{_UNIT})?,\s(?:[a-z]{{2,20}}\s){{1,2}}?(?:{LOWER_STATES})\b",
        rf"{_SEP}{_UNIT}",
    )
)
_HEAD = re.compile(rf"(?:{_UNIT}{_SEP})?(?:(?:{_CAPITAL}\s){{1,2}}(?:{BUILDINGS})[,\s]{{1,2}})?\Z")
_HEAD_REACH = 60

_BEFORE_POSTCODE = re.compile(
    rf"(?<![\w$£€.,/#-])(?:\d{{1,4}}[a-z]?,?\s)?(?:{_CAPITAL}(?:\s{_CAPITAL}){{0,3}},\s){{0,4}}(?:{_CAPITAL}(?:\s{_CAPITAL}){{0,2}},?\s)?{_POSTCODE}"
)
_LOWER_POSTCODE = re.compile(r"\b[a-z]{1,2}\d[a-z\d]?\s\d[abd-hjlnp-uw-z]{2}\b")
_CITY = re.compile(rf"\b{_CAPITAL}(?:\s{_CAPITAL}){{0,2}},?\s{_STATE},?\s{_ZIP}")
_ZIP_SAID = re.compile(rf"\bzip(?:\s?code)?(?:\s(?:is|was))?[\s:#]{{1,2}}(?P<zip>{_ZIP})", re.IGNORECASE)


def find_addresses(text: str) -> Iterator[Span]:
    """Where a firm's address has the form of a person's, it goes as well."""
    for match in _STREET.finditer(text):
        yield Span(_with_head(text, match.start()), _with_tail(text, match.end()), Entity.ADDRESS)
    for match in _BOX.finditer(text):
        yield Span(match.start(), _with_tail(text, match.end()), Entity.ADDRESS)
    for match in _SAID.finditer(text):
        yield Span(match.start("place"), _with_tail(text, match.end("place")), Entity.ADDRESS)
    for pattern in (_BEFORE_POSTCODE, _LOWER_POSTCODE, _CITY):
        for match in pattern.finditer(text):
            yield Span(match.start(), match.end(), Entity.ADDRESS)
    for match in _ZIP_SAID.finditer(text):
        yield Span(match.start("zip"), match.end("zip"), Entity.ADDRESS)


def _with_head(text: str, start: int) -> int:
    """From the flat or the house's name that stands before its number."""
    head = _HEAD.search(text, max(0, start - _HEAD_REACH), start)
    return head.start() if head else start


def _with_tail(text: str, end: int) -> int:
    """To the end of town, state and postcode, as far as they are given."""
    return next((tail.end() for pattern in _TAILS if (tail := pattern.match(text, end))), end)
