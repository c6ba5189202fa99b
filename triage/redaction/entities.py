"""What is found in a text, and what is written in its place."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Entity(StrEnum):
    """In the order of their claim: where two of one length overlap, the first names the whole.

    ACCOUNT: any number by which a firm finds a customer's record: account, loan, sort code, IBAN, reference, case.
    NAME: of any person, without title.
    """

    EMAIL = "email"
    NATIONAL_INSURANCE = "national_insurance"
    SOCIAL_SECURITY = "social_security"
    DATE_OF_BIRTH = "date_of_birth"
    CARD = "card"
    ADDRESS = "address"
    PHONE = "phone"
    ACCOUNT = "account"
    NAME = "name"

    @property
    def placeholder(self) -> str:
        return f"[{self.upper()}]"


CLAIM = {entity: place for place, entity in enumerate(Entity)}
PLACEHOLDER = re.compile("|".join(re.escape(entity.placeholder) for entity in Entity))
NOTHING = "\x00"
"""Stands for each character of a placeholder while a text is searched: no recogniser reads across it."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters `start` to `end`, exclusive, of the searched text."""

    start: int
    end: int
    entity: Entity


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """In order and apart from each other: what overlaps becomes one, so that no rest of either is left behind."""
    apart: list[Span] = []
    for span in sorted(spans):
        if apart and span.start < apart[-1].end:
            last = apart.pop()
            named = min(last, span, key=_claim)
            span = Span(last.start, max(last.end, span.end), named.entity)
        apart.append(span)
    return tuple(apart)


def _claim(span: Span) -> tuple[int, int]:
    """The longest first: what reads more of a text knows better what it is."""
    return span.start - span.end, CLAIM[span.entity]


def concealed(text: str) -> str:
    """The text with placeholders blanked out, of the same length."""
    return PLACEHOLDER.sub(lambda match: NOTHING * len(match[0]), text)
