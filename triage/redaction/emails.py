"""Addresses of electronic mail, also where somebody spelled one out to hide it from machines."""

import re
from collections.abc import Iterator

from triage.redaction.entities import Entity, Span

_LOCAL = r"(?<![\w.+%'-])[\w.+%'-]{1,64}"
_LABEL = r"[A-Za-z0-9](?:[\w-]{0,62})"
_PLAIN = re.compile(rf"{_LOCAL} ?@ ?{_LABEL}(?:\.{_LABEL}){{1,5}}")

_AT = r"(?: ?[(\[{<] ?(?:at|@) ?[)\]}>] ?| at )"
_DOT = r"(?: ?[(\[{<] ?(?:dot|\.) ?[)\]}>] ?| dot )"
_NAMED_DOT = rf"(?:{_DOT}|\.)"
_TOP = r"(?:com|net|org|edu|gov|info|biz|io|me|us|uk|co|ac|ie|eu|de|fr|ca|au|in|pl|ru)\b"
_SPELLED = re.compile(
    # Without brackets "at" is a common word: the dot has to be spelled as well.
    rf"(?<![\w.+%-])(?:[\w+%-]{{1,30}}{_NAMED_DOT}){{0,3}}[\w+%-]{{1,30}}"
    rf"(?:{_AT}(?:[\w-]{{1,30}}{_DOT}){{1,3}}{_TOP}| ?[(\[{{] ?at ?[)\]}}] ?(?:[\w-]{{1,30}}\.){{1,3}}{_TOP})",
    re.IGNORECASE,
)


def find_emails(text: str) -> Iterator[Span]:
    """Those of firms as well: by its form, nobody can tell a person's from a role's."""
    if "@" in text:
        yield from (Span(match.start(), match.end(), Entity.EMAIL) for match in _PLAIN.finditer(text))
    yield from (Span(match.start(), match.end(), Entity.EMAIL) for match in _SPELLED.finditer(text))
