"""A complaint's story: the entries that `complaints_allocation` holds under its id."""

import hashlib
from typing import Any, Final, Literal
from uuid import uuid4

from pydantic import Field, model_validator

from triage.bundle import Thresholds
from triage.clock import Clock
from triage.contracts import Contract, Day, Sha256, TaskName
from triage.explanation.record import Explained
from triage.feedback import Feedback
from triage.reason import Reason
from triage.steps import Allocated, ExplanationRequest, ModelReference
from triage.vulnerability import Stated

SELECTION: Final = "SELECTION"
ALLOCATION: Final = "ALLOCATION"
PREDICTION: Final = "PREDICTION#"
SHADOW: Final = f"{PREDICTION}SHADOW#"
"""Task names have no capitals, so no prediction of a model that answers has a key that begins like this."""
FAILED: Final = "FAILED#"
SHADOW_FAILURE: Final = f"{FAILED}SHADOW#"
FEEDBACK: Final = "FEEDBACK#"
SUPERSEDED: Final = "SUPERSEDED#"
EXPLANATION: Final = "EXPLANATION#"
DELIVERY: Final = "DELIVERY#"
READING: Final = "READING#"
HOLD: Final = "HOLD#"
ERASURE: Final = "ERASURE#"
RECEIPT: Final = "RECEIPT#"


def at_a_moment(kind: str, at: str) -> str:
    """Return a new key that sorts by its time. It is random beside: many things may happen in one millisecond."""
    return f"{kind}{at}#{uuid4().hex[:16]}"


class Entry(Contract):
    """entry: the key in the story. code_version: of the program that wrote it. expires_at: seconds since the epoch."""

    complaint_id: str
    entry: str
    code_version: str
    expires_at: int | None = None


class SelectionEntry(Entry):
    """Which models were selected. Written once, before inference, and used again by every retry.

    received_at: as operations state it. text_sha256: of the cleaned narrative, and kept when the text is erased.
    letter_version: of the reader that took the narrative from the letter; None where markup was read as it is written.
    subject: see `Complaint`. shadows: models that predict once the complaint is allocated. missing_shadows: `task/arm`
    of shadows that were sampled and whose model is not active. stated, unreadable, doubts: see `Complaint`.
    """

    entry: Literal["SELECTION"] = SELECTION
    selected_at: str
    received_at: str | None = None
    text_sha256: Sha256 | None = None
    letter_version: str | None = None
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
    """The prediction of one model version, and everything that is needed to repeat it.

    confidence: calibrated probability of `label`. top: the most probable labels. tokens_seen: tokens that the model
    read, of `tokens_total` in the part of the text that is given to models. milliseconds: of tokenizing and inference,
    without loading.
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
    """A model was asked and gave no prediction.

    error: its name. failed_version: the model's version, by which an index counts failures.
    """

    model: ModelReference
    failed_version: str
    error: str
    failed_at: str

    @model_validator(mode="before")
    @classmethod
    def _add_failed_version(cls, item: Any) -> Any:
        """Accept entries that were written before there was a `failed_version`."""
        if isinstance(item, dict) and "failed_version" not in item:
            return {**item, "failed_version": ModelReference.model_validate(item.get("model")).version}
        return item

    @staticmethod
    def key(model: ModelReference) -> str:
        return f"{SHADOW_FAILURE if model.shadow else FAILED}{model.task}#{model.version}"


class Decision(Contract):
    """What the allocation took from one prediction.

    auto_threshold: a lower confidence asks a person. positive: whether the label is the one that the model looks for;
    None where it looks for none.
    """

    task: TaskName
    label: str
    confidence: float
    auto_threshold: float | None = None
    positive: bool | None = None
    model: ModelReference
    weights_sha256: Sha256
    taxonomy_version: str | None = None


class Drawn(Contract):
    """How the system drew a complaint for labelling, recorded before anybody could know its label.

    stratum: see `triage.audit.sample`; `random` before there were strata. inclusion: the probability with which a
    complaint of this stratum is drawn.
    """

    stratum: str
    inclusion: float = Field(gt=0, le=1)


class AllocationEntry(Entry):
    """The current allocation: exactly one for each complaint.

    reasons: why a person is asked, or why the journey is specialist; empty where neither is so. Stored as texts.
    decisions: what was taken from each model. stated: which sources, other than models, call the customer vulnerable.
    urgent: whether somebody has to act at once; the first of the reasons says why. Lists begin with such complaints.
    routing: version of the rule by which reasons became the route; None before there were versions.
    issues: the most probable issues of the product, where the team is to name the issue; None where it is not.
    clock: until when the bank has to answer; None in records that were written before there were clocks.
    milliseconds: from the start of the execution to the first allocation.
    shadows: models that predict once the first version is announced, and decide nothing.
    version: counts from 1; each applied feedback makes the next. Allocations written before there was feedback lack it,
    and are at 1. decided_by: who made this version. feedback_id: of the feedback that made it.
    drawn: how the complaint was drawn for labelling; None if it was not, or if it is older than the draw.
    """

    entry: Literal["ALLOCATION"] = ALLOCATION
    product_team: str
    product: str | None = None
    issue: str | None = None
    vulnerable: bool | None = None
    journey: Literal["standard", "specialist"]
    route: Literal["auto", "review", "manual"]
    urgent: Literal[True] | None = None
    routing: int | None = None
    issues: tuple[Probability, ...] | None = None
    clock: Clock | None = None
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
    drawn: Drawn | None = None

    def announcement(self) -> Allocated:
        shared = set(Allocated.model_fields) - {"models"}
        return Allocated(
            **self.model_dump(include=shared - {"urgent", "issues"}),
            urgent=bool(self.urgent),
            issues=tuple(one.label for one in self.issues or ()),
            models=tuple(decision.model.version for decision in self.decisions),
        )


class SupersededEntry(Entry):
    """An allocation that feedback has replaced. It is nested, so that the index by team holds current ones only."""

    superseded_at: str
    allocation: AllocationEntry

    @staticmethod
    def key(version: int) -> str:
        return f"{SUPERSEDED}{version:06}"


class FeedbackEntry(Entry):
    """Feedback that was applied, under the version that it made.

    labels: the label that it says is true, by task. labelled_on: the day of `applied_at` in UTC, the key of an index.
    """

    made_version: int = Field(ge=2)
    applied_at: str
    labelled_on: Day
    labels: dict[TaskName, str]
    feedback: Feedback

    @staticmethod
    def key(made_version: int) -> str:
        return f"{FEEDBACK}{made_version:06}"


class ExplanationEntry(Entry):
    """Why a model decided as it did, without the customer's words, which stay in `raw_complaints`.

    text_sha256: of the cleaned narrative. read_sha256: of the text that the model read; `explained` counts its
    characters. redaction_version: of the redactor; None where the model read the text unredacted.
    prediction: the prediction that is explained. people: the feedback until then.
    retained_until: the day after which the record expires, ISO 8601.
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
    def key(task: TaskName, request_id: str) -> str:
        return f"{EXPLANATION}{task}#{request_id}"


class DeliveryEntry(Entry):
    """An explanation was handed out. explanation: the key of its entry."""

    explanation: str
    requester: str
    delivered_at: str

    @staticmethod
    def key(task: TaskName, request_id: str, delivered_at: str) -> str:
        return at_a_moment(f"{DELIVERY}{task}#{request_id}#", delivered_at)


class ReadingEntry(Entry):
    """A person read the narrative. Written before it is handed out."""

    read_at: str
    read_by: str
    purpose: str

    @staticmethod
    def key(read_at: str) -> str:
        return at_a_moment(READING, read_at)


class HoldEntry(Entry):
    """A legal hold: the complaint is kept whatever its age, until somebody lifts the hold.

    held: present while it is in force, so that an index lists the held complaints.
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
        return at_a_moment(HOLD, placed_at)


class ErasureEntry(Entry):
    """What was erased on request. Written before anything is removed.

    text: whether the complaint still existed. entries: of this story. refused_feedback: by id. snapshots: rows that
    were removed, by dataset.
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
        return at_a_moment(ERASURE, erased_at)


class ReceiptEntry(Entry):
    """A row of feedback got an outcome. The first receipt of an id binds it to what the row said then.

    row_sha256: of the row as it was handed in. result_sha256: of the row with its outcome, as it was stored.
    repeated: the id was bound before, to these words or to others; then the row is never applied anew.
    """

    feedback_id: str
    taken_at: str
    outcome: Literal["applied", "refused"]
    row_sha256: Sha256
    result_sha256: Sha256
    repeated: bool = False

    @staticmethod
    def key(feedback_id: str, result_sha256: str | None = None) -> str:
        """result_sha256: of a repeated row; None gives the key of the receipt that binds the id.

        A key of DynamoDB has 1,024 bytes at most. An id that leaves too few, which none does that may be applied, is
        named by its hash.
        """
        if len(feedback_id.encode()) > 900:
            feedback_id = f"sha256-{sha256_of_text(feedback_id)}"
        return RECEIPT + feedback_id + (f"#{result_sha256[:16]}" if result_sha256 else "")


def sha256_of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
