"""The current allocation of a complaint, replaced version by version."""

from dataclasses import dataclass
from datetime import UTC, datetime

from runtime.adapters.dynamodb import Condition, Table
from triage.complaint import timestamp
from triage.errors import FeedbackRefusedError
from triage.feedback import Feedback
from triage.reallocation import labels, reallocate
from triage.stored_story import StoredStory
from triage.story import AllocationEntry, FeedbackEntry, SupersededEntry
from triage.taxonomy import Taxonomy


@dataclass(frozen=True)
class Made:
    """The version that a feedback made, and the allocation in force now, which may be a later one."""

    version: int
    allocation: AllocationEntry


class CurrentAllocation:
    def __init__(self, story: Table, taxonomy: Taxonomy, *, code_version: str) -> None:
        self._story = story
        self._taxonomy = taxonomy
        self._code_version = code_version

    def apply(self, feedback: Feedback, now: datetime) -> Made:
        """Write the next version, or find what this feedback has made before.

        Of two writers at once one is refused, as it would be a moment later: its version is not the current one.
        Raises: FeedbackRefusedError, UnknownProductError.
        """
        while True:
            story = StoredStory(self._story.query(feedback.complaint_id))
            current = story.allocation
            if current is None:
                raise FeedbackRefusedError("the complaint has no allocation yet; hand it in again, under a new id")
            for applied in story.all(FeedbackEntry):
                if applied.feedback.feedback_id == feedback.feedback_id:
                    return Made(applied.made_version, current)
            made = reallocate(current, feedback, taxonomy=self._taxonomy, now=now, code_version=self._code_version)
            if self._replace(current, made, feedback, now):
                return Made(made.version, made)

    def _replace(self, current: AllocationEntry, made: AllocationEntry, feedback: Feedback, now: datetime) -> bool:
        filed = {
            "complaint_id": current.complaint_id,
            "code_version": self._code_version,
            "expires_at": current.expires_at,
        }
        superseded = SupersededEntry(
            **filed, entry=SupersededEntry.key(current.version), superseded_at=timestamp(now), allocation=current
        )
        entry = FeedbackEntry(
            **filed,
            entry=FeedbackEntry.key(made.version),
            made_version=made.version,
            applied_at=timestamp(now),
            labelled_on=now.astimezone(UTC).date().isoformat(),
            labels=labels(current, feedback),
            feedback=feedback,
        )
        absent = Condition("attribute_not_exists(#id)", id="complaint_id")
        return self._story.put_together((superseded, absent), (entry, absent), (made, _at(current.version)))


def _at(version: int) -> Condition:
    """An allocation of the time before feedback states no version."""
    exists = "attribute_exists(#id) AND "
    unstated = "attribute_not_exists(#version) OR " if version == 1 else ""
    condition = Condition(f"{exists}({unstated}#version = :version)", id="complaint_id", version="version")
    return condition.comparing(version=version)
