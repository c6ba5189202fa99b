"""Tables, each declared once: its items, keys, indexes, stream and expiry. CDK cuts the tables from these."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, model_validator

from triage.bundle import Engine, Thresholds
from triage.complaint import RawComplaint
from triage.contracts import Contract, ModelId, Revision, Sha256, TaskName
from triage.explanation.record import Explained
from triage.feedback import Feedback, FeedbackRow
from triage.ledger import EvidenceReference, Kind, LedgerEntry
from triage.steps import Allocated, ExplanationRequest, ModelReference
from triage.strategy import Strategy
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
CURRENT: Final = "CURRENT"
VALIDATED: Final = "VALIDATED"

ModelState = Literal["registered", "challenger", "champion", "retired"]
TAKING_PART: Final = ("champion", "challenger")


class Entry(Contract):
    """One entry of a complaint's story in `complaints_allocation`; `entry` sorts the story."""

    complaint_id: str
    entry: str
    code_version: str
    expires_at: int | None = None


class SelectionEntry(Entry):
    """Written once, before inference: a retry replays it, whatever has happened to strategies since.

    shadows: sampled to predict once the complaint is allocated. missing_shadows: `task/arm` of those that were sampled
    too, and whose model is not active or not mirrored.
    """

    entry: Literal["SELECTION"] = SELECTION
    selected_at: str
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
    reasons: tuple[str, ...]
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


def sha256_of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class MirroredBundle(Contract):
    """The verified copy in the bundles bucket, below `model_id/revision/`."""

    engine: Engine
    manifest_sha256: Sha256
    weights_sha256: Sha256
    labels: int
    size: int
    mirrored_at: str


class ModelInfo(Contract):
    """A registered model version. `model_id`, `revision` and `task` suffice for a row written by hand.

    state: challengers and champions take part as soon as their bundle is mirrored. Nothing else of a mirrored row ever
    changes. failure: why mirroring failed.
    mirror_asked_at: when it was asked for again; any change of an unmirrored row asks for it.
    """

    model_id: ModelId
    revision: Revision
    task: TaskName
    state: ModelState = "registered"
    bundle: MirroredBundle | None = None
    failure: str | None = None
    mirror_asked_at: str | None = None
    registered_at: str | None = None
    registered_by: str | None = None
    activated_at: str | None = None

    @property
    def version(self) -> str:
        return f"{self.model_id}@{self.revision}"

    @property
    def takes_part(self) -> bool:
        return self.state in TAKING_PART and self.bundle is not None


class Note(Contract):
    """Who did something, why and when."""

    by: str
    reason: str = Field(min_length=1)
    at: str


class Proposal(Note):
    """A change that waits for its second person."""

    kind: Kind
    strategy: Strategy
    evidence: EvidenceReference | None = None
    earned: bool = False


class ModelStrategy(Contract):
    """The strategy in force for a task. `version` counts its changes; writers state the one they replace.

    entry: `CURRENT`, which people may edit, or `VALIDATED`: what the command accepted last, for when they err.
    set_by: who set up the experiment. experiment_since, stage_since: since when the same champion is compared under the
    same name, and since when the arms have these shares; stage_version: the version that brought them. earned: the
    challenger has passed its gates in shadow. frozen: the promotion engine may neither widen nor promote.
    """

    task: TaskName
    entry: Literal["CURRENT", "VALIDATED"] = CURRENT
    version: int = Field(ge=1)
    strategy: Strategy
    changed_at: str
    changed_by: str
    set_by: str | None = None
    experiment_since: str | None = None
    stage_since: str | None = None
    stage_version: int | None = None
    earned: bool = False
    frozen: Note | None = None
    proposal: Proposal | None = None


@dataclass(frozen=True)
class Index:
    """A global secondary index. `attributes` beside the keys are readable through it; by default all of them are."""

    name: str
    partition_key: str
    sort_key: str
    attributes: tuple[str, ...] = ()

    @property
    def projection(self) -> Literal["ALL", "INCLUDE"]:
        return "INCLUDE" if self.attributes else "ALL"


@dataclass(frozen=True)
class TableSpec:
    """`data_class` names the key that encrypts the table: `narratives` or `records`."""

    name: str
    items: tuple[type[BaseModel], ...]
    partition_key: str
    data_class: Literal["narratives", "records"]
    sort_key: str | None = None
    indexes: tuple[Index, ...] = ()
    streamed: bool = False
    expires: bool = False
    keys: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        keys = {self.partition_key, *filter(None, [self.sort_key])}
        keys |= {key for index in self.indexes for key in (index.partition_key, index.sort_key)}
        for key in sorted(keys):
            if not any(key in item.model_fields for item in self.items):
                raise ValueError(f"no item of {self.name} has a field {key!r} to serve as a key")
        object.__setattr__(self, "keys", frozenset(keys))

    def index(self, name: str) -> Index:
        return next(index for index in self.indexes if index.name == name)


RAW_COMPLAINTS = TableSpec(
    name="raw_complaints",
    items=(RawComplaint,),
    partition_key="complaint_id",
    data_class="narratives",
    indexes=(
        Index(
            "by_triage_state",
            "triage_state",
            "triage_started_at",
            # No narrative: the sweeper may read this index and not the table.
            attributes=("triage_execution", "triage_attempts"),
        ),
    ),
    streamed=True,
    expires=True,
)
COMPLAINTS_ALLOCATION = TableSpec(
    name="complaints_allocation",
    items=(
        SelectionEntry,
        PredictionEntry,
        AllocationEntry,
        FailureEntry,
        SupersededEntry,
        FeedbackEntry,
        FeedbackRow,
        ExplanationEntry,
        DeliveryEntry,
    ),
    partition_key="complaint_id",
    sort_key="entry",
    data_class="records",
    indexes=(
        Index("by_team", "product_team", "allocated_at"),
        Index("by_model", "model_version", "predicted_at"),
        Index("by_failed_version", "failed_version", "failed_at"),
        Index("by_labelled_day", "labelled_on", "applied_at"),
    ),
    streamed=True,
    expires=True,
)
MODEL_INFO = TableSpec(
    name="model_info",
    items=(ModelInfo,),
    partition_key="model_id",
    sort_key="revision",
    data_class="records",
    indexes=(Index("by_state", "state", "model_id"),),
    streamed=True,
)
MODEL_STRATEGY = TableSpec(
    name="model_strategy",
    items=(ModelStrategy,),
    partition_key="task",
    sort_key="entry",
    data_class="records",
)
CHAMPION_LEDGER = TableSpec(
    name="champion_ledger",
    items=(LedgerEntry,),
    partition_key="task",
    sort_key="valid_from",
    data_class="records",
)
TABLES = (RAW_COMPLAINTS, COMPLAINTS_ALLOCATION, MODEL_INFO, MODEL_STRATEGY, CHAMPION_LEDGER)
