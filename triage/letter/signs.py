"""The lines by which mail programs and people part a letter. `words.toml` holds the words of each language.

Each line is looked at a bounded number of times, and only the first characters of a long one.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LONGEST_SIGN: Final = 300
"""Characters of a line that introduces an older message."""

LONGEST_SIGNATURE: Final = 8
LONGEST_SIGNATURE_LINE: Final = 60

_WORDS: Final[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
_LABELS: Final = {label: kind for kind, labels in _WORDS["labels"].items() for label in labels}
_DASHED: Final = re.compile(r"[-_=* ]{2,40}([^-_=*]{4,60})[-_=* ]{2,40}")
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_TIME: Final = re.compile(r"(?<!\d)[0-2]?\d[:.h][0-5]\d(?!\d)")
_DELIMITERS: Final = frozenset(("-- ", "--", "—"))
_RULE: Final = re.compile(r"[_-]{10,200}")


@dataclass(frozen=True)
class Sign:
    """lines: of which it consists. opens: all that follows is an older message. forwards: it was forwarded."""

    lines: int
    opens: bool = True
    forwards: bool = False


def at(lines: Sequence[str], place: int, angled: Sequence[bool]) -> Sign | None:
    """Return the sign that begins on a line, or None."""
    line = _plain(lines[place])
    if not line:
        return None
    dashed = _DASHED.fullmatch(line)
    if dashed and (words := dashed[1].strip()) in _WORDS["dashed"]["original"] + _WORDS["dashed"]["forwarded"]:
        return Sign(1 + _headers(lines, place + 1), forwards=words in _WORDS["dashed"]["forwarded"])
    if line in _WORDS["bare"]["forwarded"]:
        return Sign(1 + _headers(lines, place + 1), forwards=True)
    if _kind(line) == "from" and (headers := _headers(lines, place)) >= 3:
        return Sign(headers)
    if _RULE.fullmatch(line) and (headers := _headers(lines, place + 1)) >= 3:
        return Sign(1 + headers)
    return _wrote(lines, place, angled)


def angled(lines: Sequence[str]) -> list[bool]:
    """Return for each line whether its `>` quotes: once one stands beside another, or below a line that introduces it.

    The only `>` of a letter is an arrow or a comparison.
    """
    starts = [line.lstrip()[:1] == ">" for line in lines]
    for place, start in enumerate(starts):
        above = [line for line in lines[max(0, place - 2) : place] if line.strip()]
        if start and above and (above[-1].lstrip()[:1] == ">" or _plain(above[-1]).endswith(":")):
            return starts
    return [False] * len(lines)


def unangled(line: str) -> tuple[int, str]:
    """Return how deep a line is quoted, and the line without the signs of it.

    >>> unangled("> >> Hello")
    (3, 'Hello')
    """
    words = line.lstrip("> \t")
    return line[: len(line) - len(words)].count(">"), words


def signed_off(lines: list[str], *, is_mail: bool) -> tuple[list[str], list[str]]:
    """Return the lines without the signature at their end, and the signature."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    start = end
    while start and end - start < 3 and _plain(lines[start - 1]).startswith(tuple(_WORDS["signature"]["device"])):
        start -= 1
        while start and not lines[start - 1].strip():
            start -= 1
    for place in range(max(0, start - LONGEST_SIGNATURE - 1), start):
        if lines[place].rstrip("\r\n") in _DELIMITERS:
            return lines[:place], lines[place:end]
    closing = _closing(lines, start) if is_mail else start
    return lines[:closing], lines[closing:end]


def _closing(lines: list[str], end: int) -> int:
    """Return where a closing begins below which there are only short lines that say nothing; else `end`."""
    filled = 0
    for place in range(end - 1, max(-1, end - 2 * LONGEST_SIGNATURE), -1):
        line = lines[place].strip()
        if not line:
            continue
        if _plain(line).rstrip(",.! ") in _WORDS["signature"]["closings"]:
            return place if place else end
        filled += 1
        if filled > LONGEST_SIGNATURE or len(line) > LONGEST_SIGNATURE_LINE or line.endswith((".", "!", "?", ":")):
            return end
    return end


def _wrote(lines: Sequence[str], place: int, angled: Sequence[bool]) -> Sign | None:
    """Recognise "On ... wrote:", which programs break into up to three lines.

    Without quoted lines below it, it needs a date with a time, or an address: people also write "On Monday she wrote:".
    """
    line = ""
    for count in range(1, 4):
        if place + count > len(lines):
            return None
        line = f"{line} {_plain(lines[place + count - 1])}".strip()
        if count == 1 and not line.startswith(_BEGINNINGS):
            return None
        if len(line) > LONGEST_SIGN:
            return None
        if line.endswith(":"):
            break
    else:
        return None
    if not any(line.startswith(start) and f" {verb}" in line for start, verb in _WORDS["wrote"].items()):
        return None
    following = next(
        (index for index in range(place + count, min(place + count + 3, len(lines))) if lines[index].strip()), None
    )
    if following is not None and angled[following]:
        return Sign(count, opens=False)
    strong = "@" in line or (_YEAR.search(line) and _TIME.search(line))
    return Sign(count) if strong else None


def _headers(lines: Sequence[str], place: int) -> int:
    """Return over how many lines a block of headers goes: 0 if it has not at least the sender and two others."""
    kinds: set[str] = set()
    last = place
    for index in range(place, min(place + 12, len(lines))):
        line = _plain(lines[index])
        kind = _kind(line)
        if kind is None and line and (not kinds or len(kinds) > 3):
            break
        if kind is not None:
            kinds.add(kind)
            last = index + 1
        elif not line and kinds:
            break
    return last - place if "from" in kinds and len(kinds) > 2 else 0


def _kind(line: str) -> str | None:
    label, colon, _ = line.partition(":")
    return _LABELS.get(label.strip(" *\t\xa0")) if colon else None


def _plain(line: str) -> str:
    """Return the beginning of a line in lower case, without the signs of a quotation before it."""
    return " ".join(line[: LONGEST_SIGN + 1].lstrip("> \t").split()).casefold().replace("ß", "ss")


_BEGINNINGS: Final = tuple(_WORDS["wrote"])
