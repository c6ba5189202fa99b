"""A complaint's story: what `complaints_allocation` holds under its id."""

import hashlib
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from triage.bundle import Thresholds
from triage.contracts import Contract, Sha256, TaskName
from triage.explanation.record import Explained
from triage.feedback import Feedback
from triage.reason import Reason
from triage.steps import Allocated, ExplanationRequest, ModelReference
from triage.vulnerability import Stated

SELECTION: Final = "SELECTION"
ALLOCATION: Final = "ALLOCATION"
PREDICTION: Final = "PREDICTION#"
SHADOW: Final = f"{PREDICTION}SHADOW#"
"""No task is spelled in capitals, so no prediction of a model that answers begins like this."""
FAILED: Final = "FAILED#"
SHADOW_FAILURE: Final = f"{FAILED}SHADOW#"
FEEDBACK: Final = "FEEDBACK#"
SUPERSEDED: Final = "SUPERSEDED#"
EXPLANATION: Final = "EXPLANATION#"
DELIVERY: Final = "DELIVERY#"
READING: Final = "READING#"
HOLD: Final = "HOLD#"
ERASURE: Final = "ERASURE#"


class Entry(Contract):
    """One entry of a complaint's story in `complaints_allocation`; `entry` sorts the story."""

    complaint_id: str
    entry: str
    code_version: str
    expires_at: int | None = None


class SelectionEntry(Entry):
    """Written once, before inference: a retry replays it, whatever has happened to strategies since.

    received_at: as operations state it. text_sha256: of the cleaned narrative; it outlives the text.
    shadows: sampled to predict once the complaint is allocated. missing_shadows: `task/arm` of those that were sampled
    too, and whose model is not active or not mirrored.
    """

    entry: Literal["SELECTION"] = SELECTION
    selected_at: str
    received_at: str | None = None
    text_sha256: Sha256 | None = None
    subject: str
    models: tuple[ModelReference, ...]
    shadows: tuple[ModelReference, ...] = ()
    missing_shadows: tuple[str, ...] = ()
    stated: tuple[Stated, ...]
    unreadable: str | None = None
    doubts: tuple[str, ...]


class Probability(Contract):
    label: str
    probability: float = Field(ge=0, le=1)


class PredictionEntry(Entry):
    """What one model version said, and everything needed to say it again.

    confidence: calibrated probability of `label`. tokens_total - tokens_seen tokens were cut off.
    milliseconds: of tokenizing and inference, without loading.
    """

    model: ModelReference
    model_version: str
    predicted_at: str
    label: str
    confidence: float = Field(ge=0, le=1)
    top: tuple[Probability, ...]
    tokens_seen: int
    tokens_total: int
    thresholds: Thresholds
    temperature: float
    positive_label: str | None = None
    taxonomy_version: str | None = None
    weights_sha256: Sha256
    milliseconds: float

    @staticmethod
    def key(model: ModelReference) -> str:
        return f"{SHADOW if model.shadow else PREDICTION}{model.task}#{model.version}"


class FailureEntry(Entry):
    """That a model was asked and gave no prediction, and the name of the error that stopped it.

    failed_version: of the model, so that an index counts its failures.
    """

    model: ModelReference
    failed_version: str
    error: str
    failed_at: str

    @model_validator(mode="before")
    @classmethod
    def _as_once_recorded(cls, item: Any) -> Any:
        """The first failures of shadows were recorded without a version beside the model."""
        if isinstance(item, dict) and "failed_version" not in item:
            return {**item, "failed_version": ModelReference.model_validate(item.get("model")).version}
        return item

    @staticmethod
    def key(model: ModelReference) -> str:
        return f"{SHADOW_FAILURE if model.shadow else FAILED}{model.task}#{model.version}"


class Decision(Contract):
    """What was taken over from one prediction, with the threshold it was held against.

    positive: for a model that looks for one label, whether it found it.
    """

    task: TaskName
    label: str
    confidence: float
    auto_threshold: float | None = None
    positive: bool | None = None
    model: ModelReference
    weights_sha256: Sha256
    taxonomy_version: str | None = None


class AllocationEntry(Entry):
    """The current allocation: exactly one for each complaint.

    reasons: why a person is asked, or why the journey is specialist; empty where neither.
    milliseconds: from the start of the execution to the first allocation.
    shadows: announced with the first version, and without part in it.
    version: counts from 1; each feedback that is applied makes the next. decided_by: who made this version.
    feedback_id: of the feedback that made it. Allocations written before there was feedback are of version 1.
    """

    entry: Literal["ALLOCATION"] = ALLOCATION
    product_team: str
    product: str | None = None
    issue: str | None = None
    vulnerable: bool | None = None
    journey: Literal["standard", "specialist"]
    route: Literal["auto", "review", "manual"]
    reasons: tuple[Reason, ...]
    decisions: tuple[Decision, ...]
    stated: tuple[Stated, ...]
    taxonomy_version: str
    started_at: str
    allocated_at: str
    milliseconds: int
    shadows: tuple[ModelReference, ...] = ()
    version: int = Field(default=1, ge=1)
    decided_by: Literal["model", "person"] = "model"
    feedback_id: str | None = None

    def announcement(self) -> Allocated:
        shared = set(Allocated.model_fields) - {"models"}
        return Allocated(
            **self.model_dump(include=shared), models=tuple(decision.model.version for decision in self.decisions)
        )


class SupersededEntry(Entry):
    """An allocation that feedback has replaced, as it was. Nested, so that the index by team shows the current one."""

    superseded_at: str
    allocation: AllocationEntry

    @staticmethod
    def key(version: int) -> str:
        return f"{SUPERSEDED}{version:06}"


class FeedbackEntry(Entry):
    """Feedback that was applied, filed under the version that it made.

    labels: what it says is true, by task. labelled_on: the day of `applied_at`, in UTC, so that labels since a moment
    are read day by day from an index.
    """

    made_version: int = Field(ge=2)
    applied_at: str
    labelled_on: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    labels: dict[TaskName, str]
    feedback: Feedback

    @staticmethod
    def key(made_version: int) -> str:
        return f"{FEEDBACK}{made_version:06}"


class ExplanationEntry(Entry):
    """Why a model decided as it did: everything but the words, which stay in `raw_complaints`.

    text_sha256: of the cleaned complaint. read_sha256: of the text as the model read it, whose characters `explained`
    counts. redaction_version: of the redactor that made it; None where the model reads it unredacted.
    prediction: the decision as it was recorded, with all its versions. people: what persons said about it until then.
    retained_until: ISO 8601, the day after which the record expires.
    """

    request: ExplanationRequest
    explained_at: str
    text_sha256: Sha256
    read_sha256: Sha256
    redaction_version: str | None = None
    prediction: PredictionEntry
    people: tuple[FeedbackEntry, ...]
    allocation_version: int | None = None
    explained: Explained
    rationale: str
    retained_until: str

    @staticmethod
    def key(task: str, request_id: str) -> str:
        return f"{EXPLANATION}{task}#{request_id}"


class DeliveryEntry(Entry):
    """That an explanation was handed out: to whom, and when."""

    explanation: str
    requester: str
    delivered_at: str

    @staticmethod
    def key(task: str, request_id: str, delivered_at: str) -> str:
        return f"{DELIVERY}{task}#{request_id}#{delivered_at}"


class ReadingEntry(Entry):
    """That a person had the narrative read, and what for. Written before it is handed out."""

    read_at: str
    read_by: str
    purpose: str

    @staticmethod
    def key(read_at: str) -> str:
        return f"{READING}{read_at}"


class HoldEntry(Entry):
    """That a complaint is kept whatever its age, from when it was placed until somebody lifts it.

    held: there while in force, so that an index lists the complaints that are held.
    """

    held: Literal["yes"] | None = None
    placed_at: str
    placed_by: str
    reason: str
    lifted_at: str | None = None
    lifted_by: str | None = None
    lifted_reason: str | None = None

    @staticmethod
    def key(placed_at: str) -> str:
        return f"{HOLD}{placed_at}"


class ErasureEntry(Entry):
    """What was removed on request: text and derived text. Written before it goes.

    text: whether the complaint itself was still there. entries: of this story. snapshots: rows removed, by dataset.
    """

    erased_at: str
    erased_by: str
    reason: str
    text: bool
    entries: tuple[str, ...] = ()
    refused_feedback: tuple[str, ...] = ()
    snapshots: dict[str, int] = Field(default_factory=dict)

    @staticmethod
    def key(erased_at: str) -> str:
        return f"{ERASURE}{erased_at}"


def sha256_of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
