"""Writes rows of feedback as product teams do, and waits for their outcomes."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from cli.aws.deployment import Deployment
from triage.feedback import INBOX, Feedback, FeedbackRow

POLL_SECONDS = 0.25

Key = tuple[str, str]


def key_of(feedback: Feedback) -> Key:
    return INBOX + feedback.complaint_id, feedback.feedback_id


def put(deployment: Deployment, feedback: Feedback) -> None:
    """Write the row of this feedback, unless its id was used before for the complaint."""
    deployment.story.put_if_absent(FeedbackRow.of(feedback))


def wait(
    deployment: Deployment,
    feedback: Iterable[Feedback],
    *,
    timeout_seconds: float,
    on_outcome: Callable[[int], None] = lambda count: None,
) -> dict[Key, dict[str, Any]]:
    """Return the rows that have an outcome before the time is up. on_outcome: called with the number of new ones."""
    waiting = {key_of(each) for each in feedback}
    applied: dict[Key, dict[str, Any]] = {}
    deadline = time.monotonic() + timeout_seconds
    while waiting:
        rows = {(row["complaint_id"], row["entry"]): row for row in deployment.story.get_many(waiting)}
        newly_applied = {key: row for key, row in rows.items() if "outcome" in row}
        applied |= newly_applied
        waiting -= newly_applied.keys()
        on_outcome(len(newly_applied))
        if waiting:
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
    return applied
