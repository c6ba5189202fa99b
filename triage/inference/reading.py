"""The part of a letter that models read: cut before it is redacted, so that no letter takes longer than any other."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from triage.redaction import redact_aligned

LONGEST_READ: Final = 40_000
"""Characters of a letter that are redacted and tokenized: about 9,000 tokens, more than any served model reads. The
longest real letter has 24,000. Where a model could read more, it does not."""

MARGIN: Final = 2_000
"""Characters after the cut that are redacted as well and then dropped, so that no number is cut in two and stays."""

KEPT: Final = 16


def cut(text: str, length: int = LONGEST_READ) -> str:
    """Return the beginning of a text, up to the last white space within `length` characters if there is one.

    >>> cut("one two three", 9)
    'one two'
    """
    if len(text) <= length:
        return text
    return text[: text.rfind(" ", 0, length + 1)] if " " in text[: length + 1].strip() else text[:length]


def redacted_beginning(text: str) -> str:
    """Return the beginning of a cleaned text with personal data replaced; redacting it again changes nothing."""
    kept = cut(text)
    if len(kept) == len(text):
        return redact_aligned(text)[0]
    redacted, origins = redact_aligned(text[: len(kept) + MARGIN])
    # A placeholder has the origin of its first character, so none is cut in two.
    return redact_aligned(redacted[: sum(origin < len(kept) for origin in origins)].rstrip())[0]


class Remembered:
    """Remembers the last results of a function of one text. Threads that ask for the same text at once wait for one.

    The models of a complaint read the same text, so it is redacted once.
    """

    def __init__(self, function: Callable[[str], str], *, kept: int) -> None:
        self._function = function
        self._kept = kept
        self._lock = threading.Lock()
        self._results: OrderedDict[str, str] = OrderedDict()
        self._working: dict[str, threading.Lock] = {}

    def __call__(self, text: str) -> str:
        with self._lock:
            working = self._working.setdefault(text, threading.Lock())
        with working:
            if text not in self._results:
                result = self._function(text)
                with self._lock:
                    self._results[text] = result
                    while len(self._results) > self._kept:
                        self._results.popitem(last=False)
            found = self._results.get(text)
        with self._lock:
            self._working.pop(text, None)
        return self._function(text) if found is None else found


_redacted = Remembered(redacted_beginning, kept=KEPT)


def read_by_models(text: str, *, redacted: bool) -> str:
    """Return what models read of a cleaned text. Training, serving and explanations share it."""
    return _redacted(text) if redacted else cut(text)
