"""A legal hold: a complaint is kept whatever its age, until the hold is lifted."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import Field

from triage.audit.chain import Item
from triage.complaint import timestamp
from triage.contracts import Contract
from triage.errors import HoldRefusedError
from triage.outbox import expiry
from triage.steps import ShortText
from triage.story import HOLD, SELECTION, HoldEntry


class HoldRequest(Contract):
    complaint_id: str = Field(min_length=1)
    kind: Literal["place", "lift"]
    requester: ShortText
    reason: ShortText


class Held(Contract):
    """kept: how many records do not expire any more, or do again."""

    hold: HoldEntry
    kept: int


def in_force(story: Iterable[Item]) -> HoldEntry | None:
    for item in story:
        if str(item["entry"]).startswith(HOLD) and item.get("held") == "yes":
            return HoldEntry.model_validate(item)
    return None


def placed(request: HoldRequest, *, now: datetime, code_version: str) -> HoldEntry:
    return HoldEntry(
        complaint_id=request.complaint_id,
        entry=HoldEntry.key(timestamp(now)),
        code_version=code_version,
        held="yes",
        placed_at=timestamp(now),
        placed_by=request.requester,
        reason=request.reason,
    )


def lifted(story: Iterable[Item], request: HoldRequest, *, now: datetime) -> HoldEntry:
    """The hold, as it is lifted now; one that was lifted before stays as it is, so that lifting it can be ended.

    Raises: HoldRefusedError.
    """
    holds = [HoldEntry.model_validate(item) for item in story if str(item["entry"]).startswith(HOLD)]
    if not holds:
        raise HoldRefusedError(f"{request.complaint_id} is not held")
    hold = max(holds, key=lambda hold: (hold.held is not None, hold.lifted_at or ""))
    if hold.held is None:
        return hold
    lifting = {"lifted_at": timestamp(now), "lifted_by": request.requester, "lifted_reason": request.reason}
    return hold.model_copy(update={"held": None, **lifting})


def expiry_after(story: Iterable[Item], *, now: datetime, retention_days: int) -> int:
    """When a complaint expires that is not held any more: as if it never had been, and not before tomorrow."""
    selected = next((item["selected_at"] for item in story if item["entry"] == SELECTION), None)
    since = datetime.fromisoformat(selected) if selected else now
    return max(expiry(since, retention_days), expiry(now, 1))
