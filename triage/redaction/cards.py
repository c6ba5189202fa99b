"""Numbers of payment cards, whole."""

import re
from collections.abc import Iterator

from triage.redaction.entities import Entity, Span

_DIGITS = re.compile(r"(?<![\w$£€.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_SAID = re.compile(
    r"\b(?:card|visa|master ?card|amex|american express|debit|credit|maestro)\b[^\d\n.]{0,20}\Z", re.IGNORECASE
)
_REACH = 40
"""Characters before a number in which it is called a card's."""

_GROUPED = re.compile(r"[3-6]\d{3}(?P<gap>[ -])(?:\d{4}(?P=gap)\d{4}(?P=gap)\d{4}|\d{6}(?P=gap)\d{5})")


def find_cards(text: str) -> Iterator[Span]:
    """By the check digit; also with a digit mistyped, where the groups or the words before it are a card's."""
    for match in _DIGITS.finditer(text):
        said = _SAID.search(text, max(0, match.start() - _REACH), match.start())
        if _GROUPED.fullmatch(match[0]) or (match[0][0] in "3456" and (said or _adds_up(match[0]))):
            yield Span(match.start(), match.end(), Entity.CARD)


def _adds_up(number: str) -> bool:
    """Luhn's check, of ISO/IEC 7812."""
    digits = [int(character) for character in reversed(number) if character.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
