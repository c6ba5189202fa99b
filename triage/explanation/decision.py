"""From a recorded decision to the record that explains it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from triage.bundle import Manifest
from triage.complaint import Complaint, timestamp
from triage.errors import NothingToExplainError
from triage.explanation.explain import Recorded, explain
from triage.explanation.rationale import rationale
from triage.inference.classify import as_read
from triage.inference.engine import Engine
from triage.redaction import REDACTION_VERSION
from triage.steps import ExplanationTask
from triage.story import ALLOCATION, FEEDBACK, ExplanationEntry, FeedbackEntry, PredictionEntry, sha256_of_text


def explained(
    task: ExplanationTask,
    story: Mapping[str, Mapping[str, Any]],
    complaint: Complaint,
    *,
    engine: Engine,
    manifest: Manifest,
    now: datetime,
    code_version: str,
    expires_at: int,
) -> ExplanationEntry:
    """story: the entries of the complaint, by their names.

    Raises: NothingToExplainError, ModelFailedError.
    """
    prediction = PredictionEntry.model_validate(_predicted(task, story))
    found = explain(
        complaint.narrative,
        Recorded(prediction.label, prediction.confidence),
        engine=engine,
        manifest=manifest,
        seed=task.request.seed,
    )
    people = tuple(FeedbackEntry.model_validate(entry) for key, entry in story.items() if key.startswith(FEEDBACK))
    current = story.get(ALLOCATION)
    return ExplanationEntry(
        complaint_id=complaint.complaint_id,
        entry=ExplanationEntry.key(task.request.task, task.request.request_id),
        code_version=code_version,
        expires_at=expires_at,
        request=task.request,
        explained_at=timestamp(now),
        text_sha256=sha256_of_text(complaint.narrative),
        read_sha256=sha256_of_text(as_read(complaint.narrative, manifest)),
        redaction_version=None if manifest.redaction_version is None else REDACTION_VERSION,
        prediction=prediction,
        people=people,
        allocation_version=int(current.get("version", 1)) if current else None,
        explained=found,
        rationale=rationale(found, model=prediction.model_version, people=len(people)),
        retained_until=datetime.fromtimestamp(expires_at, UTC).date().isoformat(),
    )


def _predicted(task: ExplanationTask, story: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    key = PredictionEntry.key(task.model)
    if key not in story:
        raise NothingToExplainError(f"{task.model.version} recorded no answer to {task.request.complaint_id}")
    return story[key]
