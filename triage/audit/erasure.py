"""What goes when a complaint is erased, and what holds it back."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from triage.audit.chain import Item
from triage.audit.hold import in_force
from triage.complaint import timestamp
from triage.contracts import Contract
from triage.errors import HeldError, StillTriagedError
from triage.feedback import is_pending
from triage.outbox import ALLOCATED, PARKED
from triage.steps import ShortText
from triage.story import EXPLANATION, ErasureEntry


class ErasureRequest(Contract):
    """snapshots: rows that were removed from datasets already, by dataset; this is where that is recorded."""

    complaint_id: str = Field(min_length=1)
    requester: ShortText
    reason: ShortText
    snapshots: dict[str, int] = Field(default_factory=dict)


class Erased(Contract):
    """erasure: None where there was nothing left to erase."""

    complaint_id: str
    erasure: ErasureEntry | None


def plan_erasure(
    request: ErasureRequest,
    *,
    raw: Item | None,
    story: Iterable[Item],
    inbox: Iterable[Item],
    now: datetime,
    code_version: str,
    expires_at: int,
) -> ErasureEntry | None:
    """Text and derived text go: the complaint, its explanations, and feedback that was not applied.

    raw: its outbox, None where the complaint is gone. None is returned where nothing is left to go.
    Raises: HeldError, StillTriagedError.
    """
    entries = list(story)
    hold = in_force(entries)
    if hold is not None:
        raise HeldError(
            f"{request.complaint_id} is held since {hold.placed_at} by {hold.placed_by}: {hold.reason}; "
            "lift the hold first"
        )
    if raw is not None and raw.get("triage_state") not in (ALLOCATED, PARKED):
        raise StillTriagedError(f"{request.complaint_id} is being triaged; erase it once it is allocated or parked")
    going = tuple(str(item["entry"]) for item in entries if str(item["entry"]).startswith(EXPLANATION))
    # What was not looked at may hold anything, as may what was refused. A story may lie in the same partition.
    going_rows = (item for item in inbox if item.get("outcome") == "refused" or is_pending(item))
    refused = tuple(str(item["entry"]) for item in going_rows)
    if raw is None and not (going or refused or request.snapshots):
        return None
    return ErasureEntry(
        complaint_id=request.complaint_id,
        entry=ErasureEntry.key(timestamp(now)),
        code_version=code_version,
        expires_at=expires_at,
        erased_at=timestamp(now),
        erased_by=request.requester,
        reason=request.reason,
        text=raw is not None,
        entries=going,
        refused_feedback=refused,
        snapshots=request.snapshots,
    )
