"""The kinds of personal data, the spans in which they are found, and the placeholders that replace them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Entity(StrEnum):
    """In order of precedence: where two overlapping spans have the same length, the kind listed first is reported.

    ACCOUNT: any number by which a firm finds a customer's record: account, loan, sort code, IBAN, reference, case.
    NAME: the name of any person, without the title. SECRET: PIN, password, or the security code of a card.
    VEHICLE: licence plate or identification number. DEVICE: IP or MAC address. HANDLE: a person's name on the web.
    """

    EMAIL = "email"
    SECRET = "secret"
    NATIONAL_INSURANCE = "national_insurance"
    SOCIAL_SECURITY = "social_security"
    DATE_OF_BIRTH = "date_of_birth"
    CARD = "card"
    ADDRESS = "address"
    PHONE = "phone"
    ACCOUNT = "account"
    VEHICLE = "vehicle"
    DEVICE = "device"
    HANDLE = "handle"
    NAME = "name"

    @property
    def placeholder(self) -> str:
        return f"[{self.upper()}]"


PRECEDENCE = {entity: place for place, entity in enumerate(Entity)}
PLACEHOLDER = re.compile("|".join(re.escape(entity.placeholder) for entity in Entity))
BLANK = "\x00"
"""Replaces each character of a placeholder while a text is searched. No recogniser matches across it."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The characters of the searched text from `start` up to, but not including, `end`."""

    start: int
    end: int
    entity: Entity


def matches(pattern: re.Pattern[str], text: str, entity: Entity, group: str | int = 0) -> Iterator[Span]:
    """Yield the span of `group` in each match."""
    return (Span(match.start(group), match.end(group), entity) for match in pattern.finditer(text))


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the spans in order, overlapping ones united, so that no part of either stays in the text."""
    apart: list[Span] = []
    for span in sorted(spans):
        if apart and span.start < apart[-1].end:
            last = apart.pop()
            named = min(last, span, key=_precedence)
            span = Span(last.start, max(last.end, span.end), named.entity)
        apart.append(span)
    return tuple(apart)


def _precedence(span: Span) -> tuple[int, int]:
    """The longer span comes first: a recogniser that matches more of a text is more likely to be right."""
    return span.start - span.end, PRECEDENCE[span.entity]


def blanked(text: str) -> str:
    """Return a text of the same length with NULs for the placeholders, so that nothing is recognised across them."""
    return PLACEHOLDER.sub(lambda match: BLANK * len(match[0]), text)
