"""Which words are names, which belong to firms, and how a word is written.

`training.redaction.word_lists` builds the lists in `lexicon.json`.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_WORD = re.compile(
    r"[^\W\d_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}-](?:O['\N{RIGHT SINGLE QUOTATION MARK}])?[^\W\d_]{2,})*"
)
_BRAND = re.compile(r"(?!Ma?c[A-Z]|De[A-Z]|La[A-Z]|Le[A-Z]|Van[A-Z]|Di[A-Z])[A-Z][a-z]+[A-Z][A-Za-z]*")
_BETWEEN = re.compile(r"[ \t]{1,2}")
_AFTER_INITIAL = re.compile(r"\.?[ \t]{0,2}")

_FIRMS = """
allen tate, annie mac, ashley furniture, ashley homestore, brooks bros, brooks brothers, calvin klein, charles schwab,
clydesdale bank, dave ramsey, edward jones, fannie mae, freddie mac, ginnie mae, goldman sachs, hancock whitney,
harley davidson, j c penney, j p morgan, jackson hewitt, jc penney, john deere, john hancock, john lewis, johnson mark,
jp morgan, jpmorgan chase, kay jewelers, lloyds bank, louis vuitton, marks spencer, mercedes benz, merrill lynch,
michael hill, michael kors, mini miranda, mini-miranda, miranda warning, miranda warnings, morgan stanley, mr cooper,
penny mac, ralph lauren, raymond james, sallie mae, virgin money, wells fargo
"""
"""Firms whose names look like names of people, and phrases that begin with a first name, in lower case."""

_FIRM_WORDS = """
law associates assoc llc inc llp pc plc ltd corp co company bank financial finance capital services servicing group
mortgage motors furniture jewelers credit insurance realty properties management recovery sons partners holdings auto
homes portfolio asset assets apc agency collection collections collector collectors savings education travel car card
cards debt loan loans customer stores
"""
FIRM_WORDS = frozenset(_FIRM_WORDS.split())
"""Words that, after a name, show that it is the name of a firm."""


@dataclass(frozen=True, slots=True)
class Word:
    start: int
    end: int
    text: str

    @property
    def is_initial(self) -> bool:
        return len(self.text) == 1 and self.text.isupper()

    @property
    def is_capitalised(self) -> bool:
        """Whether the first letter is a capital and not all are; names like McDonald and O'Brien have two capitals."""
        return len(self.text) > 1 and self.text[0].isupper() and not self.text.isupper()

    @property
    def is_all_capitals(self) -> bool:
        return len(self.text) > 1 and self.text.isupper()

    @property
    def is_scrubbed(self) -> bool:
        """Whether CFPB wrote the word in place of personal data that it removed."""
        return self.text.startswith("XXXX") or (len(self.text) > 1 and not self.text.strip("Xx-"))

    @property
    def is_brand(self) -> bool:
        """Whether it has a capital inside, as in LoanStar, that is not usual in a name, as in McKay or DeKay."""
        return bool(_BRAND.fullmatch(self.text))


def words_of(text: str) -> list[Word]:
    return [Word(match.start(), match.end(), match[0]) for match in _WORD.finditer(text)]


def adjoin(text: str, left: Word, right: Word) -> bool:
    """Whether two words may belong to one name: only spaces are between them, or the full stop of an initial."""
    between = _AFTER_INITIAL if left.is_initial else _BETWEEN
    return right.start > left.end and bool(between.fullmatch(text, left.end, right.start))


@dataclass(frozen=True)
class Lexicon:
    """given: words that are first names and nothing else. ambiguous: first names that are also words, places or brands.

    ordinary: words found in complaints from which names had been removed, so they are hardly ever names.
    """

    given: frozenset[str]
    ambiguous: frozenset[str]
    surnames: frozenset[str]
    ordinary: frozenset[str]

    def is_given(self, word: str) -> bool:
        return any(part in self.given for part in parts(word))

    def may_be_given(self, word: str) -> bool:
        return any(part in self.given or part in self.ambiguous for part in parts(word))

    def is_surname(self, word: str) -> bool:
        return any(part in self.surnames for part in parts(word))

    def is_ordinary(self, word: str) -> bool:
        return all(part in self.ordinary for part in parts(word))

    def is_name(self, word: str) -> bool:
        """Whether it is a first name, or a last name that is no ordinary word."""
        return self.is_given(word) or (self.is_surname(word) and not self.is_ordinary(word))


def parts(word: str) -> list[str]:
    """Return the parts of a double name, in lower case and without apostrophes, as the lists have them."""
    return word.lower().replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", "").split("-")


@cache
def load_lexicon() -> Lexicon:
    lists = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return Lexicon(**{name: frozenset(" ".join(lines).split()) for name, lines in lists.items()})


@cache
def firms() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Return, by the first word of a firm's name, the words that may follow it."""
    split = [firm.split() for firm in _FIRMS.replace("\n", " ").split(",")]
    return {first: tuple(tuple(rest) for head, *rest in split if head == first) for first, *_ in split}
