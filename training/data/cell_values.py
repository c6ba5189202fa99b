"""Converts the cells of an export to labels and times, on top of `triage.values`; a missing value becomes None.

Every function raises ValueError for a wrong value. The message never contains the value.
"""

import math
from datetime import date, datetime

from triage.values import to_id

EARLIEST_YEAR, LATEST_YEAR = 1900, 2100
"""Of a complaint. Another year is a typing error, or the start of a computer's time."""


def to_narrative(value: object) -> str | None:
    """Return the text as it is written: who reads the complaint decides whether it says anything."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if not isinstance(value, str):
        raise ValueError(f"must be text, not a value of type {type(value).__name__}")
    return value or None


def to_label(value: object) -> str | None:
    return to_id(value)


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
