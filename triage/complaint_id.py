"""Ids of complaints that a spreadsheet has changed, so that several complaints may share one."""

import re
from typing import Final

_MONTHS: Final = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_MANGLED: Final = (
    (re.compile(r"[+-]?\d+([.,]\d+)?[eE][+-]?\d+"), "a rounded number, whose last digits are lost"),
    (re.compile(r"[+-]?\d+[.,]0+"), "a number with decimals, and not the id itself"),
    (re.compile(rf"\d{{1,2}}-({_MONTHS})(-\d{{2,4}})?|({_MONTHS})-\d{{2,4}}", re.IGNORECASE), "a date"),
    (re.compile(r"#{2,}|#(N/A|REF!|VALUE!|NAME\?|NUM!|DIV/0!|NULL!)", re.IGNORECASE), "an error of a formula"),
)


def mangled(complaint_id: str) -> str | None:
    """Return what a spreadsheet has made of an id; None for an id that no spreadsheet writes by itself.

    >>> mangled("2.02611E+12")
    'a rounded number, whose last digits are lost'
    >>> mangled("30000000.0")
    'a number with decimals, and not the id itself'
    >>> mangled("8123456")
    """
    return next((made for pattern, made in _MANGLED if pattern.fullmatch(complaint_id.strip())), None)
