"""The outbox on `raw_complaints`: which executions were started, so that the sweeper starts again what was lost."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import floor
from typing import Any, Final

STARTED: Final = "started"
ALLOCATED: Final = "allocated"
PARKED: Final = "parked"

DAY: Final = 86_400
"""In seconds."""

ATTRIBUTES: Final = (
    "triage_state",
    "triage_started_at",
    "triage_execution",
    "triage_attempts",
    "expires_at",
)
"""The only attributes of a raw complaint, with its id, that intake and sweeper may read and change."""

AHEAD: Final = timedelta(hours=1)
"""How far a clock may be ahead. A later start was not written by this system."""

_STARTED_AT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
"""As `complaint.timestamp` writes it. An index finds a complaint by this text, so another form would hide it."""

_EXECUTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


def execution_name(complaint_id: str, *, again_at: datetime | None = None) -> str:
    """Return the execution's name: the complaint's id, or its hash where Step Functions would refuse the id.

    Step Functions refuses a second execution of the same name. again_at: the time of a further attempt, which makes a
    new name.

    >>> execution_name("8123456")
    '8123456'
    """
    fits = _EXECUTION_NAME.fullmatch(complaint_id) is not None
    name = complaint_id if fits else "sha256-" + hashlib.sha256(complaint_id.encode()).hexdigest()[:48]
    return name if again_at is None else f"{name}-{round(again_at.timestamp() * 1000)}"


def slice_at(scheduled: datetime, *, every_seconds: int, slices: int) -> int:
    """Return the number of the slice of the table that is read by the sweep of this time, from 0.

    Consecutive sweeps read consecutive slices, so nothing has to be remembered between them. A sweep may be scheduled
    up to half a period too early or too late.

    >>> from datetime import UTC
    >>> [slice_at(datetime(2026, 3, 2, 0, minute, tzinfo=UTC), every_seconds=300, slices=288) for minute in (0, 5, 11)]
    [0, 1, 2]
    """
    return floor(scheduled.timestamp() / every_seconds + 0.5) % slices


def expiry(now: datetime, retention_days: int) -> int:
    """Return when an item expires, in seconds since the epoch, as DynamoDB's time to live needs it."""
    return round(now.timestamp()) + retention_days * DAY


def is_expired(item: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a complaint's retention has ended. DynamoDB removes it, and its story, within days."""
    stated = item.get("expires_at")
    return isinstance(stated, int | Decimal) and stated <= now.timestamp()


def doubt(item: Mapping[str, Any], *, has_allocation: bool, now: datetime) -> str | None:
    """Return why the state that a complaint claims is not believed, or None.

    Whoever puts a complaint may write any state into it, as a restore or a migration does. A state is believed where
    its record exists: an allocation in the story, or the attributes by which people and the sweeper find the complaint.

    >>> doubt({"triage_state": "allocated"}, has_allocation=False, now=datetime.now(UTC))
    'it claims to be allocated, and its story has no allocation'
    """
    state = item.get("triage_state")
    if state == ALLOCATED:
        return None if has_allocation else "it claims to be allocated, and its story has no allocation"
    if state not in (STARTED, PARKED):
        return "its state is none that triage writes"
    execution, attempts = item.get("triage_execution"), item.get("triage_attempts")
    if not isinstance(execution, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", execution):
        return f"it claims to be {state}, and names no execution"
    if not isinstance(attempts, int | Decimal) or isinstance(attempts, bool):
        return f"it claims to be {state}, and counts no attempts"
    if not _is_past(item.get("triage_started_at"), now):
        return f"it claims to be {state}, and states no time at which it started"
    return None


def _is_past(stated: Any, now: datetime) -> bool:
    try:
        return isinstance(stated, str) and datetime.strptime(stated, _STARTED_AT).replace(tzinfo=UTC) <= now + AHEAD
    except ValueError:
        return False
