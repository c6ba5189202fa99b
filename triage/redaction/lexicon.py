"""Which words are names. The lists in `lexicon.json` are built by `training.redaction.word_lists`."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Lexicon:
    """given: first names that are nothing else; ambiguous: first names that are also words, places or brands.

    ordinary: words of complaints whose writers' names had been scrubbed, and so hardly names.
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
        """A first or last name that is no word of complaints."""
        return self.is_given(word) or (self.is_surname(word) and not self.is_ordinary(word))


def parts(word: str) -> list[str]:
    """As the lists write them: in lower case, without apostrophes, and double names apart."""
    return word.lower().replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", "").split("-")


@cache
def load_lexicon() -> Lexicon:
    lists = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return Lexicon(**{name: frozenset(" ".join(lines).split()) for name, lines in lists.items()})
