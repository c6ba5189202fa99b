"""Decides what an erasure removes of a complaint, and what prevents it."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from triage.audit.chain import Item
from triage.complaint import timestamp
from triage.contracts import Contract
from triage.errors import HeldError, StillTriagedError
from triage.feedback import is_pending
from triage.outbox import ALLOCATED, PARKED
from triage.steps import ShortText
from triage.stored_story import StoredStory
from triage.story import ErasureEntry, ExplanationEntry


class ErasureRequest(Contract):
    """snapshots: how many rows the caller has removed from each published dataset; the erasure records it."""

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
    story: StoredStory,
    inbox: Iterable[Item],
    now: datetime,
    code_version: str,
) -> ErasureEntry | None:
    """Return what to erase: the complaint, its explanations, and feedback that was not applied. Decisions stay.

    raw: the outbox of the complaint, or None where the complaint is gone. inbox: rows of feedback as they are stored.
    Returns None where nothing is left to erase.
    Raises: HeldError, StillTriagedError.
    """
    if story.hold is not None:
        raise HeldError(
            f"{request.complaint_id} cannot be erased: it is held since {story.hold.placed_at} "
            f"by {story.hold.placed_by}: {story.hold.reason}; lift the hold first"
        )
    if raw is not None and raw.get("triage_state") not in (ALLOCATED, PARKED):
        raise StillTriagedError(
            f"{request.complaint_id} is being triaged and cannot be erased yet; erase it once it is allocated or parked"
        )
    explanations = story.keys(ExplanationEntry)
    # Feedback without an outcome was never looked at, and refused feedback is invalid: both may quote the customer.
    # The partition may also hold the story of a complaint whose id looks like an inbox; its entries are not feedback.
    not_applied = (row for row in inbox if row.get("outcome") == "refused" or is_pending(row))
    feedback = tuple(str(row["entry"]) for row in not_applied)
    if raw is None and not (explanations or feedback or request.snapshots):
        return None
    return ErasureEntry(
        complaint_id=request.complaint_id,
        entry=ErasureEntry.key(timestamp(now)),
        code_version=code_version,
        erased_at=timestamp(now),
        erased_by=request.requester,
        reason=request.reason,
        text=raw is not None,
        entries=explanations,
        refused_feedback=feedback,
        snapshots=request.snapshots,
    )
