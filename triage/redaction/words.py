"""The words of a text, and how each is written."""

import re
from dataclasses import dataclass

_WORD = re.compile(
    r"[^\W\d_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}-](?:O['\N{RIGHT SINGLE QUOTATION MARK}])?[^\W\d_]{2,})*"
)
_BRAND = re.compile(r"(?!Ma?c[A-Z]|De[A-Z]|La[A-Z]|Le[A-Z]|Van[A-Z]|Di[A-Z])[A-Z][a-z]+[A-Z][A-Za-z]*")
_BETWEEN = re.compile(r"[ \t]{1,2}")
_AFTER_INITIAL = re.compile(r"\.?[ \t]{0,2}")


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
        """One capital of many letters; a name like McDonald or O'Brien has a second."""
        return len(self.text) > 1 and self.text[0].isupper() and not self.text.isupper()

    @property
    def is_shouted(self) -> bool:
        return len(self.text) > 1 and self.text.isupper()

    @property
    def is_scrubbed(self) -> bool:
        """What CFPB writes in place of what it took out."""
        return self.text.startswith("XXXX") or (len(self.text) > 1 and not self.text.strip("Xx-"))

    @property
    def is_brand(self) -> bool:
        """Capitals within, as in LoanStar, but for those that names have: McKay, MacKay, O'Kay, DeKay."""
        return bool(_BRAND.fullmatch(self.text))


def words_of(text: str) -> list[Word]:
    return [Word(match.start(), match.end(), match[0]) for match in _WORD.finditer(text)]


def adjoin(text: str, left: Word, right: Word) -> bool:
    """Whether the two may be of one name: only a space is between them, or the stop of an initial."""
    between = _AFTER_INITIAL if left.is_initial else _BETWEEN
    return right.start > left.end and bool(between.fullmatch(text, left.end, right.start))
