"""Makes the record that explains a recorded decision."""

from datetime import UTC, datetime

from triage.bundle import Manifest
from triage.complaint import Complaint, timestamp
from triage.errors import NothingToExplainError, TextChangedError
from triage.explanation.explain import Recorded, explain
from triage.explanation.rationale import rationale
from triage.inference.classify import as_read
from triage.inference.engine import Engine
from triage.letter import LETTER_VERSION
from triage.redaction import REDACTION_VERSION
from triage.steps import ExplanationTask
from triage.stored_story import StoredStory
from triage.story import ExplanationEntry, FeedbackEntry, SelectionEntry, sha256_of_text


def explained(
    task: ExplanationTask,
    story: StoredStory,
    complaint: Complaint,
    *,
    engine: Engine,
    manifest: Manifest,
    now: datetime,
    code_version: str,
    expires_at: int,
) -> ExplanationEntry:
    """Return the record that explains the model's decision.

    Raises:
        TextChangedError: the complaint has another text than the models judged.
        NothingToExplainError, ModelFailedError: the model cannot be asked about it.
    """
    if story.selection is not None:
        _require_same_text(story.selection, complaint)
    prediction = story.prediction(task.model)
    if prediction is None:
        raise NothingToExplainError(
            f"{task.model.version} recorded no answer to {task.request.complaint_id}, so there is nothing to explain"
        )
    found = explain(
        complaint.narrative,
        Recorded(prediction.label, prediction.confidence),
        engine=engine,
        manifest=manifest,
        seed=task.request.seed,
    )
    people = story.all(FeedbackEntry)
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
        allocation_version=story.allocation.version if story.allocation else None,
        explained=found,
        rationale=rationale(found, model=prediction.model_version, people=len(people)),
        retained_until=datetime.fromtimestamp(expires_at, UTC).date().isoformat(),
    )


def _require_same_text(selection: SelectionEntry, complaint: Complaint) -> None:
    judged, version = selection.text_sha256, selection.letter_version
    if judged in (None, sha256_of_text(complaint.narrative)):
        return
    told = "was replaced after the models judged it"
    if version is None and judged == sha256_of_text(complaint.as_written):
        told = "was read as markup by an earlier version when the models judged it"
    elif version not in (None, LETTER_VERSION):
        told = f"was replaced, or read in another way by version {version} of the reader of letters"
    raise TextChangedError(
        f"the text of {complaint.complaint_id} {told}, so that it cannot explain the decision; `triage show` has the "
        "answers that were recorded"
    )
