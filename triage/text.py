"""How a narrative is cleaned. Training and serving share it, so that models read the same text in both."""

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_SPACE = re.compile(r"\s+")


def clean(narrative: str) -> str:
    """Return the text in Unicode's form NFC, without control characters, with one space for each run of white space.

    A lone surrogate becomes a question mark.

    >>> clean("  two\\x00 \\n words ")
    'two words'
    """
    text = narrative.encode("utf-8", "replace").decode("utf-8")
    return _SPACE.sub(" ", _CONTROL.sub(" ", unicodedata.normalize("NFC", text))).strip()
