"""Dates of birth, National Insurance numbers (UK) and Social Security numbers (US)."""

import re
from collections.abc import Iterator

from triage.redaction.entities import Entity, Span, matches

_NATIONAL_INSURANCE = re.compile(
    # Prefixes that HMRC does not issue are accepted: its own examples use QQ, and people mistype.
    r"(?<!\w)[A-Z]{2}(?: ?[./_-]? ?\d{2}){3} ?[./_-]? ?[A-D](?!\w)",
    re.IGNORECASE,
)

_SOCIAL_SECURITY = re.compile(r"(?<![\w$£€.-])\d{3}(?P<gap>[ \u2010-\u2014-])\d{2}(?P=gap)\d{4}(?![\w-])")
_NAMED_SOCIAL_SECURITY = re.compile(
    r"\b(?:ssn|ss(?= ?#)|social(?: security)?)(?: ?(?:numbers?|num|no|card|#)\.?)*"
    r"(?:(?: (?:is|was|of|as|being))|[ ,:#=(-]){0,4}(?P<number>\d{3}[ -]?\d{2}[ -]?\d{4})(?!\w)",
    re.IGNORECASE,
)

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = (
    rf"(?:\d{{1,2}} ?[/.-] ?\d{{1,2}} ?[/.-] ?\d{{2}}(?:\d{{2}})?|\d{{1,2}} \d{{1,2}} \d{{4}}"
    rf"|\d{{4}}[/.-]\d{{1,2}}[/.-]\d{{1,2}}|\d{{8}}"
    rf"|{_DAY}(?: of)?[ .-]{{0,2}}{_MONTH}[ .,-]{{0,2}}\d{{2,4}}"
    rf"|{_MONTH}[ .-]{{1,2}}{_DAY}[ ,-]{{1,2}}\d{{4}})(?!\d)"
)
_LINK = (
    r"(?:(?:is|was|are|being|of|on|the|in|as|at|listed|shown|entered|recorded|given|wrongly|incorrectly|am|it|reads"
    r"|says|should|be|not|and|but|instead|than|rather|to|from|my|down|have|had|put|them|correct|actual"
    r"|real|wrong)\b)"
)
_GAP = rf"(?:[\s:;,=#()\"'-]|\.(?!\d)|{_LINK}){{0,16}}"
_BORN = r"\b(?:d\.? ?o\.? ?b(?:\b|(?=\d))\.?|dates? of birth|birth[ -]?(?:date|day)s?|born(?=\W|\d))"
_DATE_AFTER_BORN = re.compile(rf"{_BORN}{_GAP}(?P<date>{_DATE})", re.IGNORECASE)
_NEXT_DATE = re.compile(rf"(?:[\s,()]{{0,3}}{_LINK}){{1,6}}[\s:,'\"(]{{1,3}}(?P<date>{_DATE})", re.IGNORECASE)
_DATE_BEFORE_BORN = re.compile(rf"(?<!\d)(?P<date>{_DATE})[ ,(-]{{1,3}}{_BORN}\b(?!{_GAP}{_DATE})", re.IGNORECASE)


def find_national_insurance(text: str) -> Iterator[Span]:
    return matches(_NATIONAL_INSURANCE, text, Entity.NATIONAL_INSURANCE)


def find_social_security(text: str) -> Iterator[Span]:
    """Numbers that were never issued are found too: a mistyped number also identifies somebody."""
    yield from matches(_SOCIAL_SECURITY, text, Entity.SOCIAL_SECURITY)
    yield from matches(_NAMED_SOCIAL_SECURITY, text, Entity.SOCIAL_SECURITY, "number")


def find_births(text: str) -> Iterator[Span]:
    """Find full dates next to words for birth, and further dates given instead ("entered as 4 March 1961").

    An age or a year alone is not found.
    """
    for match in _DATE_AFTER_BORN.finditer(text):
        found: re.Match[str] | None = match
        while found:
            yield Span(found.start("date"), found.end("date"), Entity.DATE_OF_BIRTH)
            found = _NEXT_DATE.match(text, found.end("date"))
    yield from matches(_DATE_BEFORE_BORN, text, Entity.DATE_OF_BIRTH, "date")
