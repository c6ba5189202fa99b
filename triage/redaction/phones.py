"""Telephone numbers of people. The lines of firms (1-800, 0345 and the like) stay: they say who was called."""

import re
from collections.abc import Iterator

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType

from triage.redaction.entities import Entity, Span

_FREE = r"(?<![\w$£€./-])"
_END = r"(?![\w/]|[.-]\d)"
_EXTENSION = r"(?:,? ?(?:ext|extension|x)\.? ?\d{1,6}\b)?"
_SHAPES = (
    (
        re.compile(rf"{_FREE}(?:\+?1[ .-]?)?(?:\(\d{{3}}\) ?-?|[2-9]\d\d[ .-])\d{{3}}[ .-]\d{{4}}{_END}{_EXTENSION}"),
        "US",
    ),
    (re.compile(rf"{_FREE}(?:\+44|0044)[ .-]?(?:\(0\)[ .-]?)?\(?\d(?:[ .)-]{{0,2}}\d){{8,9}}{_END}"), "GB"),
    (re.compile(rf"{_FREE}\(?0\d{{2,4}}\)?[ .-]\d{{3,6}}(?:[ .-]\d{{3,4}})?{_END}"), "GB"),
    (re.compile(rf"{_FREE}\+\d(?:[ .()-]{{0,2}}\d){{7,14}}{_END}"), "US"),
)
_BARE = re.compile(rf"{_FREE}(?:\d{{3}}[.-]?\d{{4}}|\d{{10}}|[01]\d{{10}}){_END}")
_SAID = re.compile(
    r"\b(?:call(?:ed|s|ing)?|phone|ph|cell|mobile|tel(?:ephone)?|texts?|texted|landline|ring|rang|dial(?:ed|led)?|reach|contact|fax)"
    r"\b[^\d\n]{0,24}\Z",
    re.IGNORECASE,
)
_OTHERWISE = re.compile(
    r"\b(?:account|acct|loan|policy|member|customer|reference|ref|case|claim|mortgage|iban|routing|tracking)\b"
    r"[^\d\n.]{0,24}\Z",
    re.IGNORECASE,
)
_REACH = 40
"""Characters before a number in which it is called a telephone's or something else's."""

_OF_FIRMS = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
        PhoneNumberType.VOICEMAIL,
    }
)


def find_phones(text: str) -> Iterator[Span]:
    for pattern, region in _SHAPES:
        for match in pattern.finditer(text):
            if not _is_of_a_firm(match[0], region) and not _is_named(text, match.start()):
                yield Span(match.start(), match.end(), Entity.PHONE)
    for match in _BARE.finditer(text):
        if _is_said(text, match.start()) or (_is_in_use(match[0]) and not _is_named(text, match.start())):
            yield Span(match.start(), match.end(), Entity.PHONE)


def is_line_of_a_firm(number: str) -> bool:
    """Whether a number in any writing is one that only organisations have, in the US or the UK."""
    region = "GB" if number.startswith(("0", "+44", "(0")) else "US"
    return _is_of_a_firm(number, region)


def _is_of_a_firm(number: str, region: str) -> bool:
    parsed = _parsed(number, region)
    return parsed is not None and phonenumbers.number_type(parsed) in _OF_FIRMS


def _is_said(text: str, start: int) -> bool:
    return bool(_SAID.search(text, max(0, start - _REACH), start))


def _is_named(text: str, start: int) -> bool:
    return bool(_OTHERWISE.search(text, max(0, start - _REACH), start)) and not _is_said(text, start)


def _is_in_use(digits: str) -> bool:
    """By the numbering plans; so that ten digits of a person's telephone are not called an account."""
    if len(digits) < 10:
        return False
    region = "GB" if digits.startswith("0") else "US"
    parsed = _parsed(digits, region)
    return parsed is not None and phonenumbers.is_valid_number(parsed) and not _is_of_a_firm(digits, region)


def _parsed(number: str, region: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
