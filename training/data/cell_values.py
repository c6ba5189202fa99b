"""Values of an export's cells, whatever wrote them: text, labels, moments, tags, flags.

None is a value that is missing. Each raises ValueError with what is wrong, and never with the value.
"""

import math
import re
from datetime import date, datetime

BLANKS = frozenset({"", "None", "N/A"})
"""How exports write the absence of a value in any column but the narrative."""

FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def to_text(value: object) -> str | None:
    """Numbers become text as they were before a spreadsheet or a data frame made them floats."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"holds a {type(value).__name__}, not text")
    return str(value) or None


def to_label(value: object) -> str | None:
    text = (to_text(value) or "").strip()
    return None if text in BLANKS else text


def to_moment(value: object) -> str | None:
    """ISO 8601, or the month/day/year of older exports, which becomes ISO."""
    if isinstance(value, date):
        return value.isoformat()
    text = to_label(value)
    if text is None:
        return None
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return _american_day(text)
    return text


def _american_day(text: str) -> str:
    try:
        return datetime.strptime(text, "%m/%d/%Y").date().isoformat()
    except ValueError:
        raise ValueError("is no date: neither YYYY-MM-DD nor MM/DD/YYYY") from None


def to_tags(value: object) -> tuple[str, ...] | None:
    """A list, or one text separated by commas or semicolons. Null means that the source does not say."""
    if value is None:
        return None
    parts = re.split("[,;]", value) if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError("holds neither text nor a list of texts")
    return tuple(tag for part in parts if (tag := part.strip()) not in BLANKS)


def to_tags_of_the_api(value: object) -> tuple[str, ...]:
    """CFPB's API writes null where the consumer stated no tag."""
    return to_tags(value) or ()


def to_flag(value: object) -> bool | None:
    text = str(value).strip().lower() if isinstance(value, bool) else (to_label(value) or "").lower()
    if text and text not in FLAGS:
        raise ValueError("is neither true nor false")
    return FLAGS.get(text)
