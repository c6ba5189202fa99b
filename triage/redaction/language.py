"""Whether a text is in a language that the redactor covers: English alone.

Numbers are found in every language, names and addresses are not. What leaves therefore withholds other languages.
"""

import re
from typing import Final

from triage.redaction.entities import PLACEHOLDER

_FREQUENT = """
the be to of and a an in that have had has i it for not on with he as you do did at this but his by from they we say her
she or will my one all would there their what so up out if about who get which go me when make can like time just him
know take people into year your good some could them see other than then now look only come its over think also back
after use two how our work first well way even new want because any these give day most us is are was were been being
am does don don't didn't can't won't wasn't isn't no yes please account bank card credit money payment paid pay charged
called call told said never still months years days fee loan debt report letter number asked since while until before
again against more very every each such should must may might here where why went got let put own off down both few too
company complaint customer service refund balance interest late mortgage dispute received sent contacted been through
"""
ENGLISH: Final = frozenset(_FREQUENT.split())
"""The most frequent words of English, and of complaints; a third to a half of a letter's words are among them."""

LEAST: Final = 0.2
"""The share of a letter's words that have to be frequent English ones. Letters in other languages are below 0.19. Of
4,000 real letters five are below 0.22, of seven words at most (`python -m training.redaction`).
"""

LEAST_OF_A_SENTENCE: Final = 0.1
FEWEST_WORDS: Final = 5
"""A shorter sentence says too little about its language, and is judged with the letter."""

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_SCRUBBED = re.compile(r"[Xx]{2,}")


def is_covered(text: str) -> bool:
    """Whether a cleaned letter is in English, as far as its words tell. A text without words is.

    >>> is_covered("They closed my account and I want my money back."), is_covered("Sie haben mein Konto gesperrt.")
    (True, False)
    """
    return _covers(text, least=LEAST)


def is_covered_sentence(text: str) -> bool:
    """Whether a sentence of an English letter is in English too. A sentence of a few words is."""
    return _is_latin(text) and (len(_words(text)) < FEWEST_WORDS or _covers(text, least=LEAST_OF_A_SENTENCE))


def _covers(text: str, *, least: float) -> bool:
    words = _words(text)
    return _is_latin(text) and (not words or sum(word in ENGLISH for word in words) >= least * len(words))


def _words(text: str) -> list[str]:
    found = (word.replace("\u2019", "'").lower() for word in _WORD.findall(PLACEHOLDER.sub(" ", text)))
    return [word for word in found if not _SCRUBBED.fullmatch(word)]


def _is_latin(text: str) -> bool:
    """Whether at most a tenth of the letters are of another script: beyond the Latin blocks of Unicode."""
    letters = [character for character in text if character.isalpha()]
    return sum(character > "\u024f" for character in letters) <= len(letters) / 10
