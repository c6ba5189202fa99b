"""Converts the cells of an export to text, labels, times, tags and flags; a missing value becomes None.

Every function raises ValueError for a wrong value. The message never contains the value.
"""

import math
import re
from datetime import date, datetime

BLANKS = frozenset({"", "None", "N/A"})
"""How exports write a missing value, in every column except the narrative."""

EARLIEST_YEAR, LATEST_YEAR = 1900, 2100
"""Of a complaint. Another year is a typing error, or the start of a computer's time."""

FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def to_text(value: object) -> str | None:
    """Return text. A whole number that a spreadsheet or data frame made a float loses its `.0`."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"must be text, not a value of type {type(value).__name__}")
    return str(value) or None


def to_label(value: object) -> str | None:
    text = (to_text(value) or "").strip()
    return None if text in BLANKS else text


def to_moment(value: object) -> str | None:
    """Return ISO 8601 text from ISO 8601 or from the month/day/year of older exports."""
    if isinstance(value, date):
        return _in_range(value, value.isoformat())
    text = to_label(value)
    if text is None:
        return None
    try:
        moment: date = datetime.fromisoformat(text)
    except ValueError:
        moment = _american_day(text)
        text = moment.isoformat()
    return _in_range(moment, text)


def _in_range(moment: date, text: str) -> str:
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise ValueError(f"must be a day of the years {EARLIEST_YEAR} to {LATEST_YEAR}")
    return text


def _american_day(text: str) -> date:
    try:
        return datetime.strptime(text, "%m/%d/%Y").date()
    except ValueError:
        raise ValueError("is not a date: it must be YYYY-MM-DD or MM/DD/YYYY") from None


def to_tags(value: object) -> tuple[str, ...] | None:
    """Read a list, or one text with commas or semicolons. None means that the source does not contain tags."""
    if value is None:
        return None
    parts = re.split("[,;]", value) if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be text or a list of texts")
    return tuple(tag for part in parts if (tag := part.strip()) not in BLANKS)


def to_tags_of_the_api(value: object) -> tuple[str, ...]:
    """Read tags of CFPB's API, which writes null if the consumer stated none."""
    return to_tags(value) or ()


def to_flag(value: object) -> bool | None:
    text = str(value).strip().lower() if isinstance(value, bool) else (to_label(value) or "").lower()
    if text and text not in FLAGS:
        raise ValueError("must be true or false")
    return FLAGS.get(text)
