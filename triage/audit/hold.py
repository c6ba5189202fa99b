"""A legal hold keeps a complaint, whatever its age, until it is lifted."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from triage.complaint import timestamp
from triage.contracts import Contract
from triage.errors import HoldRefusedError
from triage.outbox import expiry
from triage.steps import ShortText
from triage.stored_story import StoredStory
from triage.story import HoldEntry


class HoldRequest(Contract):
    complaint_id: str = Field(min_length=1)
    kind: Literal["place", "lift"]
    requester: ShortText
    reason: ShortText


class Held(Contract):
    """kept: how many records stopped expiring, or, after lifting, expire again."""

    hold: HoldEntry
    kept: int


def placed(request: HoldRequest, *, now: datetime, code_version: str) -> HoldEntry:
    """Return a new hold, in force from now on."""
    return HoldEntry(
        complaint_id=request.complaint_id,
        entry=HoldEntry.key(timestamp(now)),
        code_version=code_version,
        held="yes",
        placed_at=timestamp(now),
        placed_by=request.requester,
        reason=request.reason,
    )


def lifted(story: StoredStory, request: HoldRequest, *, now: datetime) -> HoldEntry:
    """Return the hold, lifted now. A hold that was lifted before is returned unchanged: lifting may have been
    interrupted, and can then be finished.

    Raises: HoldRefusedError where the complaint was never held.
    """
    holds = story.all(HoldEntry)
    if not holds:
        raise HoldRefusedError(f"{request.complaint_id} is not held, so there is nothing to lift")
    hold = max(holds, key=lambda hold: (hold.held is not None, hold.lifted_at or ""))
    if hold.held is None:
        return hold
    lifting = {"lifted_at": timestamp(now), "lifted_by": request.requester, "lifted_reason": request.reason}
    return hold.model_copy(update={"held": None, **lifting})


def expiry_after(selected_at: str | None, *, now: datetime, retention_days: int) -> int:
    """Return when a complaint expires once its hold is lifted: as if it had never been held, but not before tomorrow.

    selected_at: of its selection, ISO 8601; None where it has none, and then its retention begins now.
    """
    since = datetime.fromisoformat(selected_at) if selected_at else now
    return max(expiry(since, retention_days), expiry(now, 1))
