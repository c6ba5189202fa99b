"""Preprocessing, shared by training and serving so that they cannot differ."""

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_SPACE = re.compile(r"\s+")


def clean(narrative: str) -> str:
    """NFC, without control characters or lone surrogates, and with every run of white space as one space.

    >>> clean("  two\\x00 \\n words ")
    'two words'
    """
    text = narrative.encode("utf-8", "replace").decode("utf-8")
    return _SPACE.sub(" ", _CONTROL.sub(" ", unicodedata.normalize("NFC", text))).strip()
