"""The digits that are left of a masked number: "ending in 4821", "****4821". They are what helplines ask for."""

import re
from collections.abc import Iterator

from triage.redaction.entities import Entity, Span

_NAMED = re.compile(
    r"\b(?:ending|ends|ended|last (?:four|4|five|5)(?: digits?| numbers?)?)"
    r"(?: (?:in|with|on|of|are|is|by|my|the|ssn|social(?: security)?(?: number)?|card|account|numbers?"
    r"|digits?)\b|[ ,:#-]){0,8} ?(?P<digits>\d{3,6})(?!\w|[.,/-]\d|%)",
    re.IGNORECASE,
)
_MASKED = re.compile(
    r"(?<![A-Za-z0-9/*•])[xX*•]{2,20}(?:[ -][xX*•]{2,20}){0,4}-?(?P<digits>\d{4,6}|(?<=\*)\d{3})(?![\w/])"
)
_SOCIAL_MASK = re.compile(r"[xX*•]{3}-[xX*•]{2}-")

_REACH = 45
"""Characters before the digits in which their owner is named."""

_OWNERS = (
    (re.compile(r"\b(?:ssn|social)\b", re.IGNORECASE), Entity.SOCIAL_SECURITY),
    (re.compile(r"\b(?:phone|cell|mobile|tele?phone)\b", re.IGNORECASE), Entity.PHONE),
    (re.compile(r"\b(?:card|visa|master ?card|amex|debit|maestro)\b", re.IGNORECASE), Entity.CARD),
    (re.compile(r"\b(?:account|acct|a/c|loan)", re.IGNORECASE), Entity.ACCOUNT),
)


def find_endings(text: str) -> Iterator[Span]:
    for match in _NAMED.finditer(text):
        owner = _owner(text, match)
        if owner or not _is_year(match["digits"]):
            yield Span(match.start("digits"), match.end("digits"), owner or Entity.ACCOUNT)
    for match in _MASKED.finditer(text):
        if _SOCIAL_MASK.match(match[0]):
            yield Span(match.start("digits"), match.end("digits"), Entity.SOCIAL_SECURITY)
        elif not _is_scrubbed_date(match):
            yield Span(match.start("digits"), match.end("digits"), _owner(text, match) or _by_groups(match))


def _owner(text: str, match: re.Match[str]) -> Entity | None:
    """Whoever is named last before the digits."""
    before = text[max(0, match.start("digits") - _REACH) : match.start("digits")]
    named = [(found.end(), entity) for pattern, entity in _OWNERS for found in pattern.finditer(before)]
    return max(named)[1] if named else None


def _by_groups(match: re.Match[str]) -> Entity:
    return Entity.CARD if len(re.findall(r"[xX*•]{4}", match[0])) == 3 else Entity.ACCOUNT


def _is_year(digits: str) -> bool:
    return len(digits) == 4 and digits[:2] in {"19", "20"}


def _is_scrubbed_date(match: re.Match[str]) -> bool:
    """CFPB writes XX/XX/2019, and its sources sometimes lose the strokes."""
    return "*" not in match[0] and "-" not in match[0] and _is_year(match["digits"])
