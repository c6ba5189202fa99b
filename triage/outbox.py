"""The outbox on `raw_complaints`: what was started, and under which name, so that whatever is lost heals by itself."""

import hashlib
import re
from datetime import datetime
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
"""What intake and sweeper may see and change of a raw complaint, beside its id."""

_EXECUTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


def execution_name(complaint_id: str, *, again_at: datetime | None = None) -> str:
    """The execution's name: the complaint's id, or its hash where Step Functions would refuse the id.

    Equal names make a second start of the same complaint fail. `again_at` makes a new name for a further attempt.

    >>> execution_name("8123456")
    '8123456'
    """
    fits = _EXECUTION_NAME.fullmatch(complaint_id) is not None
    name = complaint_id if fits else "sha256-" + hashlib.sha256(complaint_id.encode()).hexdigest()[:48]
    return name if again_at is None else f"{name}-{round(again_at.timestamp() * 1000)}"


def expiry(now: datetime, retention_days: int) -> int:
    """Seconds since the epoch, as DynamoDB's time to live wants it."""
    return round(now.timestamp()) + retention_days * DAY
