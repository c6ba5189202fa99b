"""National Insurance numbers of the UK and Social Security numbers of the US."""

import re
from collections.abc import Iterator

from triage.redaction.entities import Entity, Span

_NATIONAL_INSURANCE = re.compile(
    # Letters that HMRC does not use are taken as well: QQ stands in its own examples, and people mistype.
    r"(?<!\w)[A-Z]{2}[ -]?\d{2}[ -]?\d{2}[ -]?\d{2}[ -]?[A-D](?!\w)",
    re.IGNORECASE,
)
_WRITTEN = re.compile(r"(?<![\w$£€.-])\d{3}(?P<gap>[ \u2010-\u2014-])\d{2}(?P=gap)\d{4}(?![\w-])")
_NAMED = re.compile(
    r"\b(?:ssn|ss(?= ?#)|social(?: security)?)(?: ?(?:numbers?|num|no|card|#)\.?)*"
    r"(?:(?: (?:is|was|of|as|being))|[ ,:#=(-]){0,4}(?P<number>\d{3}[ -]?\d{2}[ -]?\d{4})(?!\w)",
    re.IGNORECASE,
)


def find_national_insurance(text: str) -> Iterator[Span]:
    for match in _NATIONAL_INSURANCE.finditer(text):
        yield Span(match.start(), match.end(), Entity.NATIONAL_INSURANCE)


def find_social_security(text: str) -> Iterator[Span]:
    """Any number of the form, also one that was never issued: a slip of the pen identifies as well."""
    for match in _WRITTEN.finditer(text):
        yield Span(match.start(), match.end(), Entity.SOCIAL_SECURITY)
    for match in _NAMED.finditer(text):
        yield Span(match.start("number"), match.end("number"), Entity.SOCIAL_SECURITY)
