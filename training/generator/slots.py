"""The names, amounts and dates in a letter's sentences."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from random import Random

from training.generator.phrases import Phrases

ONE_PER_LETTER = frozenset({"app", "bureau", "collector", "dealer", "merchant", "person", "school"})
"""Who a letter is about does not change within it."""

_SLOT = re.compile(r"\{(\w+)\}")


def _money(rng: Random, low: float, high: float) -> str:
    """Skewed to the low end, and written as people write it."""
    value = low + (high - low) * rng.random() ** 3
    style = rng.random()
    if style < 0.5:
        return f"${value:,.2f}"
    return f"${value:.0f}" if style < 0.8 else f"{value:,.0f} dollars"


def _day(rng: Random, received: datetime) -> str:
    """A day in the four months before the complaint."""
    day = received - timedelta(days=rng.randint(3, 120))
    style = rng.random()
    if style < 0.4:
        return f"{day:%B} {day.day}"
    if style < 0.7:
        return f"{day.month:02d}/{day.day:02d}/{day.year}"
    return f"{day:%b} {day.day}" if style < 0.85 else f"{day.year}-{day.month:02d}-{day.day:02d}"


_COMPUTED: Mapping[str, Callable[[Random, datetime], str]] = {
    "amount": lambda rng, _: _money(rng, 80, 9_000),
    "small": lambda rng, _: _money(rng, 3, 95),
    "date": _day,
    "days": lambda rng, _: str(rng.choice((5, 7, 10, 14, 21, 30, 45, 60, 90))),
    "years": lambda rng, _: str(rng.randint(2, 30)),
    "minutes": lambda rng, _: str(rng.choice((25, 40, 45, 50, 75, 90))),
    "times": lambda rng, _: str(rng.randint(3, 14)),
    "points": lambda rng, _: str(rng.randint(20, 110)),
    "score": lambda rng, _: str(rng.randint(640, 820)),
    "age": lambda rng, _: str(rng.randint(66, 91)),
    "rate": lambda rng, _: f"{rng.choice((4.5, 6.9, 9.9, 17, 24.9, 29.99, 36, 160, 390))}%",
}


class Slots:
    """Fills sentences of one letter.

    nouns: what the letter calls its product. new: take names that only drift brings in, where there are any.
    """

    def __init__(self, rng: Random, phrases: Phrases, *, received: datetime, new: bool) -> None:
        self._rng = rng
        self._words = {**phrases.slots, **phrases.new_slots} if new else phrases.slots
        self._received = received
        self._settled: dict[str, str] = {}

    def fill(self, sentence: str, nouns: tuple[str, ...]) -> str:
        """Replace every slot, and begin with a capital. Raises KeyError for a slot nobody knows."""
        parts = _parts(sentence)
        filled = "".join(self._value(part, nouns) if place % 2 else part for place, part in enumerate(parts))
        return filled[0].upper() + filled[1:]

    def _value(self, slot: str, nouns: tuple[str, ...]) -> str:
        if slot == "noun":
            return self._rng.choice(nouns)
        if slot in _COMPUTED:
            return _COMPUTED[slot](self._rng, self._received)
        if slot not in ONE_PER_LETTER:
            return self._rng.choice(self._words[slot])
        if slot not in self._settled:
            self._settled[slot] = self._rng.choice(self._words[slot])
        return self._settled[slot]


@cache
def _parts(sentence: str) -> tuple[str, ...]:
    """Text and slot names in turn, text first."""
    return tuple(_SLOT.split(sentence))
