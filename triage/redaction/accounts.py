"""Numbers by which a firm finds a customer's record."""

import re
from collections.abc import Iterator

from triage.redaction.entities import Entity, Span
from triage.redaction.phones import is_line_of_a_firm

_RECORD = (
    r"(?:accounts?|accts?|acc|a/c|loan|mortgage|policy|member(?:ship)?|customer|client|reference|ref|case|claim|ticket"
    r"|confirmation|tracking|routing|aba|application|complaint|file|invoice|dispute|transaction|reservation|swift)"
)
_NUMBER = r"(?:numbers?|nos?\.?|num\b|nbr|id\b|code|#|№)"
_LINK = r"(?:[ \t,:#=(\"'-]|\b(?:is|was|of|on|in|your|my|the|their|letter|statement|for|as|being)\b)"
_VALUE = r"[A-Za-z]{0,5}[/-]?\d[\dA-Za-z*/-]{2,24}(?: \d{2,6}(?![\w/.,%-])){0,4}"
_NAMED = re.compile(
    rf"\b(?:(?P<surely>{_RECORD}(?: (?:account|card|report))?[ .]{{0,2}}{_NUMBER}|{_RECORD} ?#|sort[ -]?code|s/c|iban)"
    rf"|{_RECORD}){_LINK}{{0,10}}(?P<value>{_VALUE})",
    re.IGNORECASE,
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_SORT_CODE = re.compile(
    r"\b(?:sort[ -]?codes?|s/c)\W{0,3}(?:(?:is|was|of)\b ?)?(?P<value>\d{2}[ -]?\d{2}[ -]?\d{2})(?!\d)", re.I
)
_LONG = re.compile(
    r"(?<![\w$£€.,/@#-])#?(?P<value>\d(?:-?\d){7,21})(?![\w/@%]|[.,-]\d)(?! ?(?:dollars|pounds|USD|GBP)\b)"
)
_GROUPS = re.compile(
    r"(?<![\w$£€.,/-])(?P<value>\d{3,6}(?P<gap>[ -])\d{3,6}(?:(?P=gap)\d{2,6}){1,5})(?![\w/%]|[.,-]\d)"
)

_DATES = re.compile(
    r"(?:19|20)\d{2}-?[01]\d-?[0-3]\d|\d{1,2}-\d{1,2}-(?:\d{2}|\d{4})|[01]?\d[0-3]\d(?:19|20)\d{2}"
    # Years from and to, and sections of a law from and to.
    r"|\d{4}-\d{4}"
)
_SURE, _UNSURE = 4, 5
"""Digits that a value needs where it is called a number, and where it only follows the word."""


def find_accounts(text: str) -> Iterator[Span]:
    yield from _named(text)
    for pattern, group in ((_IBAN, 0), (_SORT_CODE, "value")):
        for match in pattern.finditer(text):
            yield Span(match.start(group), match.end(group), Entity.ACCOUNT)
    for pattern in (_LONG, _GROUPS):
        for match in pattern.finditer(text):
            if not _DATES.fullmatch(match["value"]) and not is_line_of_a_firm(match["value"]):
                yield Span(match.start("value"), match.end("value"), Entity.ACCOUNT)


def _named(text: str) -> Iterator[Span]:
    for match in _NAMED.finditer(text):
        value = match["value"].rstrip("-/")
        digits = sum(map(str.isdigit, value))
        if digits >= (_SURE if match["surely"] else _UNSURE) and not _DATES.fullmatch(value.replace("/", "-")):
            yield Span(match.start("value"), match.start("value") + len(value), Entity.ACCOUNT)
