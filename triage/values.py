"""How values are read, wherever they come from: items of tables, rows of files, and what the command is given.

A spreadsheet, a data frame and a database each write the same value in another way. Every function raises ValueError
for what it does not know; the message never contains the value. Whoever reads a complaint turns it into a doubt.
"""

import ast
import json
import math
import re
import unicodedata
from decimal import Decimal
from typing import Any, Final

ABSENT: Final = frozenset(
    {"", "none", "null", "nil", "n/a", "na", "#n/a", "nan", "<na>", "nat", "undefined", "-", "--"}
)
"""How exports write a missing value, in lower case."""

MOST: Final = 10**100
"""No id is as large a number, and writing one out may take for ever."""

LONGEST_LIST: Final = 10_000
"""Characters of tags that are written as one text."""

FLAGS: Final = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False),
}

VULNERABLE_TAGS: Final = frozenset({"Older American", "Servicemember"})

_MARKUP = re.compile(r"<[^<>]*>|&(?:nbsp|zwnj|zwj|shy|ensp|emsp|thinsp|#160|#8203|#xa0);?", re.IGNORECASE)
_FLOATED = re.compile(r"(-?\d+)\.0+")
_SEPARATORS = re.compile(r"[,;|\n\t]")


def visible(text: str) -> str:
    """Return the text without byte order marks and characters without a width, and without spaces around it."""
    return "".join(character for character in text if unicodedata.category(character) != "Cf").strip()


def is_absent(value: object) -> bool:
    """Whether a value stands for none. A text that has only markup, spaces or unseen characters does as well."""
    if isinstance(value, str):
        return visible(_MARKUP.sub(" ", value)).casefold() in ABSENT
    # Not by comparison, which a signalling NaN refuses.
    return value is None or (
        isinstance(value, float | Decimal) and str(value).lower() in {"nan", "-nan", "snan", "-snan"}
    )


def to_text(value: object) -> str | None:
    """Return text. A whole number that became a float loses its `.0`; numbers become text."""
    if is_absent(value):
        return None
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and _is_whole(value):
        return str(int(value))
    raise ValueError(f"must be text, not a value of type {type(value).__name__}")


def _is_whole(number: float | Decimal) -> bool:
    return math.isfinite(number) and -MOST < number < MOST and number == int(number)


def to_id(value: object) -> str | None:
    """Return an id as text. `30000000.0` is what a column of floats makes of `30000000`."""
    text = to_text(value)
    floated = _FLOATED.fullmatch(text or "")
    return floated[1] if floated else text


def to_flag(value: object) -> bool | None:
    if is_absent(value):
        return None
    if isinstance(value, bool):
        return value
    text = visible(str(value)).casefold() if isinstance(value, str | int | float | Decimal) else ""
    if text not in FLAGS:
        raise ValueError("must be true or false")
    return FLAGS[text]


def to_tags(value: object) -> tuple[str, ...]:
    """Read tags: a list or set, one text with separators, or a list that was written as text, by JSON or by Python.

    >>> to_tags("['Older American']"), to_tags("older_american | Servicemember; VIP"), to_tags("None")
    (('Older American',), ('Older American', 'Servicemember', 'VIP'), ())
    """
    if is_absent(value):
        return ()
    parts = _listed(value) if isinstance(value, str) else value
    if isinstance(parts, dict) or not isinstance(parts, list | tuple | set | frozenset):
        raise ValueError("must be text or a list of texts")
    tags: list[str] = []
    for part in parts:
        if is_absent(part):
            continue
        if not isinstance(part, str):
            raise ValueError("must be text or a list of texts")
        tags += [known_tag(one) or visible(one) for one in _SEPARATORS.split(part) if not is_absent(one)]
    return tuple(dict.fromkeys(tags))


def known_tag(tag: str) -> str | None:
    """Return a tag that makes a customer vulnerable in CFPB's spelling, None for any other.

    >>> known_tag("OLDER-AMERICANS"), known_tag("VIP")
    ('Older American', None)
    """
    return _BY_LETTERS.get(_letters(tag))


def _letters(tag: str) -> str:
    return re.sub(r"[\W_]+", "", visible(tag).casefold()).removesuffix("s")


_BY_LETTERS: Final = {_letters(tag): tag for tag in VULNERABLE_TAGS}


def _listed(text: str) -> Any:
    """Return what a text lists. Only what begins with a bracket is parsed."""
    plain = visible(text)
    if len(plain) > LONGEST_LIST:
        raise ValueError("must be text or a list of texts")
    if plain[:1] not in {"[", "(", "{", '"', "'"}:
        return [plain]
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(plain)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        return [found] if isinstance(found, str) else found
    raise ValueError("must be text or a list of texts")
