"""A complaint as operations put it into `raw_complaints`. An item of any shape can be read."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

from triage.contracts import Contract
from triage.letter import read_letter
from triage.text import clean
from triage.values import is_absent, known_tag, to_flag, to_id, to_tags

MAX_ITEM_BYTES = 400 * 1024
"""DynamoDB refuses larger items."""

LONGEST_HEARD = 60_000
"""Characters that are searched for words of vulnerability; the longest real letter has 24,000. More would take seconds,
so a longer letter is a doubt, and goes to a specialist.
"""


class RawComplaint(Contract):
    """The attributes of an item. Operations must write the id and the narrative, and may write the next seven.

    tags: as stated on the form, such as `Older American` or `Servicemember`. account_vulnerable: the account's flag.
    `triage.values` reads them as every export writes them.
    triage_state: absent before the intake has seen the complaint, then `started`, at last `allocated` or `parked`.
    Intake, sweeper and state machine write it, the other `triage_*` attributes and `expires_at`.
    triage_held: `yes` while a legal hold is in force, so that no erasure overtakes it. The hold writes it.
    """

    complaint_id: str
    narrative: str
    received_at: str | None = None
    customer_id: str | None = None
    tags: tuple[str, ...] = ()
    account_vulnerable: bool | None = None
    company: str | None = None
    state: str | None = None
    submitted_via: str | None = None

    triage_state: str | None = None
    triage_started_at: str | None = None
    triage_execution: str | None = None
    triage_attempts: int | None = None
    triage_held: str | None = None
    expires_at: int | None = None


class Complaint(Contract):
    """What could be read of an item.

    narrative: the newest message of the letter, cleaned, which models read. said: everything that the letter says, with
    the narrative first, also signatures and quoted messages; the rules for vulnerability hear it, and people read it.
    as_written: the letter cleaned, with markup and quotations, as models read it before there was `triage.letter`.
    subject: the customer's id, else the complaint's; it determines the arm of a strategy. received_at: ISO 8601, None
    where operations state no such time. unreadable: why no model can judge the narrative, or None. doubts: which other
    attributes could not be read.
    """

    complaint_id: str
    narrative: str
    said: str
    as_written: str
    subject: str
    tags: tuple[str, ...]
    account_vulnerable: bool
    received_at: str | None
    unreadable: str | None
    doubts: tuple[str, ...]

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> Self:
        """Read an item of any shape. `unreadable` and `doubts` name attributes, never their values.

        >>> Complaint.read({"complaint_id": "7", "narrative": 3}).unreadable
        'narrative is not text'
        """
        complaint_id = str(item["complaint_id"])
        doubts: list[str] = []
        narrative, said, unreadable = _read_narrative(item)
        if len(said) > LONGEST_HEARD:
            doubts.append("narrative is too long to be searched for vulnerability")
        return cls(
            complaint_id=complaint_id,
            narrative=narrative,
            said=said,
            as_written="" if unreadable else clean(item["narrative"]),
            subject=_read_id(item, "customer_id", doubts) or complaint_id,
            tags=_read_tags(item, doubts),
            account_vulnerable=_read_flag(item, "account_vulnerable", doubts),
            received_at=_read_time(item.get("received_at")),
            unreadable=unreadable,
            doubts=tuple(doubts),
        )


def _read_narrative(item: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """Return the narrative, all that is said, and why the letter cannot be judged."""
    value = item.get("narrative")
    if value is None:
        return "", "", "narrative is missing"
    if not isinstance(value, str):
        return "", "", "narrative is not text"
    letter = read_letter(value)
    text = letter.spoken
    return ("", "", "narrative is empty") if is_absent(text) else (text, letter.said, None)


def _read_id(item: Mapping[str, Any], name: str, doubts: list[str]) -> str | None:
    try:
        return to_id(item.get(name))
    except ValueError:
        doubts.append(f"{name} is not text")
        return None


def _read_time(value: Any) -> str | None:
    """Return valid ISO 8601 text, else None. No decision uses the time, so an invalid one is not listed in `doubts`."""
    try:
        return value if isinstance(value, str) and datetime.fromisoformat(value) else None
    except ValueError:
        return None


def _read_tags(item: Mapping[str, Any], doubts: list[str]) -> tuple[str, ...]:
    try:
        tags = to_tags(item.get("tags"))
    except ValueError:
        doubts.append("tags are not a list of texts")
        return ()
    if not all(map(known_tag, tags)):
        doubts.append("tags have one that is not known")
    return tuple(sorted(tags))


def _read_flag(item: Mapping[str, Any], name: str, doubts: list[str]) -> bool:
    try:
        return bool(to_flag(item.get(name)))
    except ValueError:
        doubts.append(f"{name} is not a boolean")
        return False


def timestamp(moment: datetime) -> str:
    """Return ISO 8601 text in UTC with milliseconds. The texts sort as the times do.

    >>> timestamp(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05.000Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
