"""The outbox on `raw_complaints`: which executions were started, so that the sweeper starts again what was lost."""

import hashlib
import re
from datetime import datetime
from math import floor
from typing import Final

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
