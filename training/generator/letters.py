"""Letters: their sentences, the names and amounts in them, their order and tone, and their typing errors."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import Random

from training.generator.phrases import Matter, Person, Phrases

ONE_PER_LETTER = frozenset({"app", "bureau", "collector", "dealer", "merchant", "person", "school"})
"""Slots that get the same name everywhere in a letter."""

_SLOT = re.compile(r"\{(\w+)\}")


def _money(rng: Random, low: float, high: float) -> str:
    """Return an amount, more often a low one, in one of the forms in which people write it."""
    value = low + (high - low) * rng.random() ** 3
    style = rng.random()
    if style < 0.5:
        return f"${value:,.2f}"
    return f"${value:.0f}" if style < 0.8 else f"{value:,.0f} dollars"


def _day(rng: Random, received: datetime) -> str:
    """Return a day in the four months before the complaint, in one of the forms in which people write it."""
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
    """Fills the slots in the sentences of one letter. new: whether names from new scams may be used."""

    def __init__(self, rng: Random, phrases: Phrases, *, received: datetime, new: bool) -> None:
        self._rng = rng
        self._words = {**phrases.slots, **phrases.new_slots} if new else phrases.slots
        self._received = received
        self._settled: dict[str, str] = {}

    def fill(self, sentence: str, nouns: tuple[str, ...]) -> str:
        """Return the sentence with each slot filled and a capital at its start.

        nouns: words for the product of the letter.

        Raises: KeyError for a slot that phrases.toml does not define.
        """
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
    """Return text and slot names in turn, text first."""
    return tuple(_SLOT.split(sentence))


SHORTEST, LONGEST = 2, 12
"""Sentences in a letter."""

MISSPELLINGS = {
    "account": "acount",
    "received": "recieved",
    "because": "becuase",
    "separate": "seperate",
    "their": "thier",
    "payment": "payement",
    "interest": "intrest",
    "business": "buisness",
    "company": "compnay",
    "really": "realy",
    "definitely": "definately",
    "without": "with out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a letter is about, and who writes it.

    second: a matter that is mentioned in passing. new: whether the letter tells of a new scam.
    """

    matter: Matter
    second: Matter | None
    writer: Person
    new: bool


def compose(rng: Random, phrases: Phrases, subject: Subject, slots: Slots) -> list[str]:
    """Return between SHORTEST and LONGEST sentences, without their full stops.

    One to three of them describe the matter. The others are things that people add to a complaint, drawn at random.
    """
    nouns = phrases.products[subject.matter.product].nouns
    needed = _needed(rng, phrases, subject, slots)
    length = rng.randint(SHORTEST, LONGEST)
    candidates = _candidates(rng, phrases, subject)
    added = rng.sample(candidates, min(max(length - len(needed), SHORTEST - len(needed), 0), len(candidates)))
    parts = [(place, slots.fill(sentence, nouns)) for place, sentence in added]
    return _ordered(rng, [*needed, *parts])


def write(rng: Random, sentences: Sequence[str], *, typo_rate: float) -> str:
    """Return the sentences as one text, sometimes in capitals or without any, with typing errors.

    typo_rate: the share of misspelt words among those with four letters or more.
    """
    tone = rng.random()
    stop = "!" if tone > 0.92 else "."
    gap = "\n\n" if rng.random() < 0.1 else " "
    text = gap.join(sentence + stop for sentence in sentences)
    if tone < 0.03:
        text = text.upper()
    elif tone < 0.11:
        text = text.lower()
    if not typo_rate:
        return text
    return " ".join(_slip(rng, word) if rng.random() < typo_rate else word for word in text.split(" "))


Placed = tuple[int, str]
"""A place and a sentence: 0 opens the letter, 1 is its body, 2 is a demand, 3 closes it."""


def _needed(rng: Random, phrases: Phrases, subject: Subject, slots: Slots) -> list[Placed]:
    matter, second = subject.matter, subject.second
    (number,) = rng.choices((1, 2, 3), (0.35, 0.45, 0.20))
    chosen = rng.sample(matter.sentences, min(number, len(matter.sentences)))
    if subject.new and matter.drifted:
        chosen[0] = rng.choice(matter.drifted)
    if subject.writer.cues:
        chosen.append(rng.choice(subject.writer.cues))
    nouns = phrases.products[matter.product].nouns
    needed = [(1, slots.fill(sentence, nouns)) for sentence in chosen]
    if second:
        needed.append((1, slots.fill(rng.choice(second.sentences), phrases.products[second.product].nouns)))
    return needed


def _candidates(rng: Random, phrases: Phrases, subject: Subject) -> list[Placed]:
    """Return sentences that a letter may add to its matter; asides and distractors occur in three letters of ten."""
    letter = phrases.letter
    body = rng.sample(phrases.products[subject.matter.product].context, 2)
    body += rng.sample(letter["contacts"], 2) + rng.sample(letter["consequences"], 2)
    body.append(rng.choice(phrases.vague))
    if rng.random() < 0.3:
        body.append(rng.choice(letter["asides"]))
    if rng.random() < 0.3:
        body.append(rng.choice(phrases.distractors))
    if subject.new:
        body.append(rng.choice(phrases.new_anywhere))
    frame = [(0, rng.choice(letter["openers"])), (2, rng.choice(letter["demands"])), (3, rng.choice(letter["closers"]))]
    return [*((1, sentence) for sentence in body), *frame]


def _ordered(rng: Random, parts: list[Placed]) -> list[str]:
    """Return the sentences in the order of their places, with a shuffled body that mostly begins with the matter."""
    body = _at(1, parts)
    first = body[:1] if rng.random() < 0.65 else []
    rest = body[len(first) :]
    rng.shuffle(rest)
    return [*_at(0, parts), *first, *rest, *_at(2, parts), *_at(3, parts)]


def _at(place: int, parts: list[Placed]) -> list[str]:
    return [sentence for where, sentence in parts if where == place]


def _slip(rng: Random, word: str) -> str:
    """Return a common misspelling, or the word with one letter swapped, dropped or doubled.

    Numbers, words of fewer than four letters and words with other characters stay as they are.
    """
    if len(word) < 4 or not word.isalpha():
        return word
    if word in MISSPELLINGS:
        return MISSPELLINGS[word]
    place = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(3)
    if kind == 0:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if kind == 1:
        return word[:place] + word[place + 1 :]
    return word[:place] + word[place] + word[place:]
