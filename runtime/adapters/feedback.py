"""The current allocation of a complaint, which feedback replaces version by version."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from runtime.adapters.dynamodb import Condition, Table
from triage.clock import load_clocks
from triage.errors import FeedbackRefusedError
from triage.feedback import Feedback
from triage.reallocation import replace
from triage.stored_story import StoredStory
from triage.story import AllocationEntry, FeedbackEntry
from triage.taxonomy import Taxonomy

USED: Final = "its id was used before for another statement, which was {}; hand this one in under a new id"


@dataclass(frozen=True)
class Applied:
    """The version that a feedback made, and the current allocation, which may be of a later version."""

    made_version: int
    allocation: AllocationEntry


TRIES: Final = 10
"""How often a writer that was overtaken begins again. One that never succeeds would stop the stream."""


class CurrentAllocation:
    def __init__(self, story: Table, taxonomy: Taxonomy, *, code_version: str) -> None:
        self._story = story
        self._taxonomy = taxonomy
        self._code_version = code_version

    def apply(self, feedback: Feedback, now: datetime) -> Applied:
        """Write the next version, or find the version that this feedback has made before.

        Of two simultaneous writers one is refused, because its version is not the current one any more.
        Raises: FeedbackRefusedError, UnknownProductError.
        """
        for _ in range(TRIES):
            story = StoredStory(self._story.query(feedback.complaint_id))
            current = story.allocation
            if current is None:
                raise FeedbackRefusedError("the complaint has no allocation yet; hand it in later, under a new id")
            for applied in story.all(FeedbackEntry):
                if applied.feedback.feedback_id == feedback.feedback_id:
                    if applied.feedback != feedback:
                        raise FeedbackRefusedError(USED.format("applied"))
                    return Applied(applied.made_version, current)
            made = replace(
                current,
                feedback,
                taxonomy=self._taxonomy,
                clocks=load_clocks(),
                now=now,
                code_version=self._code_version,
            )
            absent = Condition("attribute_not_exists(#id)", id="complaint_id")
            if self._story.put_together(
                (made.superseded, absent), (made.feedback, absent), (made.allocation, _is_at(current.version))
            ):
                return Applied(made.allocation.version, made.allocation)
        raise FeedbackRefusedError(
            "the complaint is being changed, or a record that this would write was put by hand: run `triage verify`, "
            "then hand it in under a new id"
        )


def _is_at(version: int) -> Condition:
    """Return the condition that the allocation is still at this version. An allocation without a version is at 1."""
    exists = "attribute_exists(#id) AND "
    unstated = "attribute_not_exists(#version) OR " if version == 1 else ""
    condition = Condition(f"{exists}({unstated}#version = :version)", id="complaint_id", version="version")
    return condition.comparing(version=version)
