"""Writes rows of feedback as product teams do, and waits for their outcomes."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError

from cli.aws.deployment import Deployment
from triage.feedback import INBOX, Feedback, FeedbackRow

POLL_SECONDS = 0.25

Key = tuple[str, str]


def key_of(feedback: Feedback) -> Key:
    return INBOX + feedback.complaint_id, feedback.feedback_id


def put(deployment: Deployment, feedback: Feedback) -> str | None:
    """Write the row of this feedback, unless it is there. Return why it was not written if its id was used before."""
    row = FeedbackRow.of(feedback)
    if deployment.story.put_if_absent(row):
        return None
    stored = deployment.story.get(*key_of(feedback))
    try:
        same = stored is None or _said(FeedbackRow.model_validate(stored).feedback()) == _said(feedback)
    except ValidationError:
        same = False
    return None if same else f"the id {feedback.feedback_id} was used before for another statement; use a new one"


def _said(feedback: Feedback) -> dict[str, Any]:
    """Return what the person says. The command fills in when, and of which version, anew each time."""
    return feedback.model_dump(exclude={"at", "version"})


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
