"""A complaint as operations put it into `raw_complaints`, read so that nothing in it can stop triage."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

from triage.contracts import Contract
from triage.text import clean

MAX_ITEM_BYTES = 400 * 1024
"""DynamoDB refuses larger items."""


class RawComplaint(Contract):
    """What operations write. Only the id and the narrative are needed; the rest sharpens the answer.

    `tags` are stated on the form (`Older American`, `Servicemember`); `account_vulnerable` is the account's flag.
    The `triage_*` and `expires_at` attributes are the outbox, kept by intake, sweeper and state machine: absent before
    the intake has seen the complaint, then `started`, and at last `allocated` or `parked`.
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
    expires_at: int | None = None


class Complaint(Contract):
    """A raw item as far as it could be read.

    received_at: ISO 8601, None where operations state no such time. unreadable: why no model may judge it, or None.
    doubts: what was ill-formed beside the narrative; a doubt on vulnerability makes the journey specialist.
    """

    complaint_id: str
    narrative: str
    subject: str
    tags: tuple[str, ...]
    account_vulnerable: bool
    received_at: str | None
    unreadable: str | None
    doubts: tuple[str, ...]

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> Self:
        """Read an item of any shape. The reasons it gives name attributes, never their values.

        >>> Complaint.read({"complaint_id": "7", "narrative": 3}).unreadable
        'narrative is not text'
        """
        complaint_id = str(item["complaint_id"])
        doubts: list[str] = []
        narrative, unreadable = _read_narrative(item)
        return cls(
            complaint_id=complaint_id,
            narrative=narrative,
            subject=_read_text(item, "customer_id", doubts) or complaint_id,
            tags=_read_tags(item, doubts),
            account_vulnerable=_read_flag(item, "account_vulnerable", doubts),
            received_at=_read_time(item.get("received_at")),
            unreadable=unreadable,
            doubts=tuple(doubts),
        )


def _read_narrative(item: Mapping[str, Any]) -> tuple[str, str | None]:
    value = item.get("narrative")
    if value is None:
        return "", "narrative is missing"
    if not isinstance(value, str):
        return "", "narrative is not text"
    text = clean(value)
    return (text, None) if text else ("", "narrative is empty")


def _read_text(item: Mapping[str, Any], name: str, doubts: list[str]) -> str | None:
    value = item.get(name)
    if value is None or isinstance(value, str):
        return value or None
    doubts.append(f"{name} is not text")
    return None


def _read_time(value: Any) -> str | None:
    """Nothing depends on it, so that what is no time is left out without a doubt."""
    try:
        return value if isinstance(value, str) and datetime.fromisoformat(value) else None
    except ValueError:
        return None


def _read_tags(item: Mapping[str, Any], doubts: list[str]) -> tuple[str, ...]:
    """A list or set of strings, or one comma-separated string as CFPB exports it."""
    value = item.get("tags")
    if value is None:
        return ()
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple | set) or not all(isinstance(part, str) for part in parts):
        doubts.append("tags are not a list of texts")
        return ()
    return tuple(sorted(part.strip() for part in parts if part.strip()))


def _read_flag(item: Mapping[str, Any], name: str, doubts: list[str]) -> bool:
    value = item.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    doubts.append(f"{name} is not a boolean")
    return False


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds: sorts as text.

    >>> timestamp(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05.000Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
