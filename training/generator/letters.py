"""A letter: which sentences, in which order and tone, with which slips of the pen."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from training.generator.people import Person
from training.generator.phrases import Matter, Phrases
from training.generator.slots import Slots

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
    """What a letter is about: a matter, perhaps a second one in passing, and who writes."""

    matter: Matter
    second: Matter | None
    writer: Person
    new: bool


def compose(rng: Random, phrases: Phrases, subject: Subject, slots: Slots) -> list[str]:
    """Return between SHORTEST and LONGEST sentences, without their full stops.

    The matter gets one to three of them; what else there is room for is drawn from all that people add.
    """
    nouns = phrases.products[subject.matter.product].nouns
    needed = _needed(rng, phrases, subject, slots)
    length = rng.randint(SHORTEST, LONGEST)
    candidates = _candidates(rng, phrases, subject)
    added = rng.sample(candidates, min(max(length - len(needed), SHORTEST - len(needed), 0), len(candidates)))
    parts = [(place, slots.fill(sentence, nouns)) for place, sentence in added]
    return _ordered(rng, [*needed, *parts])


def write(rng: Random, sentences: Sequence[str], *, typo_rate: float) -> str:
    """Join sentences in one of the tones people write in, with typos.

    typo_rate: of the words with four letters or more.
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
"""A sentence and where it belongs: 0 opens the letter, 1 is its body, 2 asks for something, 3 closes it."""


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
    """Two of what people repeat, one of what they say once; asides and distractors only in some letters."""
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
    """Keep the matter first in two letters of three, and shuffle the rest of the body."""
    body = _at(1, parts)
    first = body[:1] if rng.random() < 0.65 else []
    rest = body[len(first) :]
    rng.shuffle(rest)
    return [*_at(0, parts), *first, *rest, *_at(2, parts), *_at(3, parts)]


def _at(place: int, parts: list[Placed]) -> list[str]:
    return [sentence for where, sentence in parts if where == place]


def _slip(rng: Random, word: str) -> str:
    """Swap, drop or double a letter, or use a common misspelling; names, numbers and short words stay."""
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
