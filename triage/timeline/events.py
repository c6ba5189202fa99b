"""What happened to a complaint, moment by moment: its records, told in the order of time. No record holds its words."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, JsonValue

from triage.bundle import Thresholds
from triage.contracts import Contract, Sha256, TaskName
from triage.reason import Reason
from triage.steps import EVENT_TYPE, Allocated, LawfulBasis, ModelReference
from triage.story import Decision, Probability

NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Moment(Contract):
    """at: as it was recorded, ISO 8601; None where nobody stated a time that is one. entry: the record that says so.

    by: who did it, where that was a person. detail: in one sentence.
    """

    TOLD: ClassVar[frozenset[str]] = frozenset({"kind", "at", "entry", "by", "detail"})
    """Fields that are no facts beside the sentence."""

    kind: str
    at: str | None = None
    entry: str | None = None
    by: str | None = None
    detail: str

    @property
    def what(self) -> str:
        return self.kind.replace("_", " ")

    @property
    def facts(self) -> dict[str, str]:
        """What is known beside `detail`, in words."""
        values = {name: getattr(self, name) for name in type(self).model_fields if name not in self.TOLD}
        said = {name.replace("_", " "): in_words(value) for name, value in values.items()}
        return {name: words for name, words in said.items() if words}


class Received(Moment):
    """at: as operations state it."""

    kind: Literal["received"] = "received"


class ModelsSelected(Moment):
    """missing_shadows: sampled, and not to be had."""

    kind: Literal["models_selected"] = "models_selected"
    models: tuple[ModelReference, ...]
    shadows: tuple[ModelReference, ...] = ()
    missing_shadows: tuple[str, ...] = ()
    stated_vulnerable: tuple[str, ...] = ()
    unreadable: str | None = None
    doubts: tuple[str, ...] = ()
    text_sha256: Sha256 | None = None
    code_version: str


class Predicted(Moment):
    """shadow: it decided nothing. code_version: of the program that ran it."""

    TOLD = Moment.TOLD | {"task", "label", "confidence", "shadow", "arm"}

    kind: Literal["predicted"] = "predicted"
    task: TaskName
    label: str
    confidence: float
    shadow: bool
    arm: str | None = None
    thresholds: Thresholds
    positive_label: str | None = None
    top: tuple[Probability, ...]
    bucket: int | None = None
    strategy_version: int | None = None
    model_version: str
    weights_sha256: Sha256
    manifest_sha256: Sha256
    taxonomy_version: str | None = None
    temperature: float
    code_version: str
    tokens_seen: int
    tokens_total: int
    milliseconds: float


class ModelFailed(Moment):
    TOLD = Moment.TOLD | {"task", "error", "shadow", "arm"}

    kind: Literal["model_failed"] = "model_failed"
    task: TaskName
    error: str
    shadow: bool
    arm: str | None = None
    model_version: str
    manifest_sha256: Sha256
    code_version: str


class FeedbackApplied(Moment):
    """labels: what it says is true, by task. stated_at: when the person decided."""

    TOLD = Moment.TOLD | {"feedback_id", "made_version"}

    kind: Literal["feedback_applied"] = "feedback_applied"
    feedback_id: str
    made_version: int
    labels: dict[TaskName, str]
    inclusion: float | None = None
    stated_at: str


class FeedbackRefused(Moment):
    """Or what nobody has applied or refused yet. said: None where it is malformed."""

    TOLD = Moment.TOLD | {"feedback_id"}

    kind: Literal["feedback_refused", "feedback_waiting"]
    feedback_id: str
    said: str | None = None


class AllocationMade(Moment):
    """decisions: what was taken over from models, each with the threshold it was held against."""

    TOLD = Moment.TOLD | {"version", "product_team", "product", "issue", "journey", "route"}

    kind: Literal["allocated", "decided_again"]
    version: int
    product_team: str
    product: str | None = None
    issue: str | None = None
    vulnerable: bool | None = None
    journey: Literal["standard", "specialist"]
    route: Literal["auto", "review", "manual"]
    reasons: tuple[Reason, ...]
    decisions: tuple[Decision, ...]
    feedback_id: str | None = None
    superseded_at: str | None = None
    taxonomy_version: str
    code_version: str


class Announced(Moment):
    """The event that the allocation gave rise to, as consumers were sent it."""

    TOLD = Moment.TOLD | {"event", "event_type"}

    kind: Literal["announced"] = "announced"
    event_type: Literal["ComplaintAllocated"] = EVENT_TYPE
    event: Allocated


class Explained(Moment):
    """failures: of the checks on the explanation; where there are any, it should not be relied on."""

    TOLD = Moment.TOLD | {"passed", "task"}

    kind: Literal["explained"] = "explained"
    task: TaskName
    purpose: str
    lawful_basis: LawfulBasis
    rationale: str
    passed: bool
    failures: tuple[str, ...] = ()
    reproduced: bool
    model_version: str
    weights_sha256: Sha256
    redaction_version: str | None = None
    text_sha256: Sha256
    retained_until: str
    code_version: str


class ExplanationDelivered(Moment):
    TOLD = Moment.TOLD | {"explanation"}

    kind: Literal["explanation_delivered"] = "explanation_delivered"
    explanation: str


class NarrativeRead(Moment):
    TOLD = Moment.TOLD | {"purpose"}

    kind: Literal["narrative_read"] = "narrative_read"
    purpose: str


class Hold(Moment):
    TOLD = Moment.TOLD | {"reason"}

    kind: Literal["hold_placed", "hold_lifted"]
    reason: str | None = None


class Erased(Moment):
    """entries: of the story. refused_feedback: by its ids. snapshots: rows removed, by dataset."""

    TOLD = Moment.TOLD | {"reason"}

    kind: Literal["erased"] = "erased"
    reason: str
    text: bool
    entries: tuple[str, ...] = ()
    refused_feedback: tuple[str, ...] = ()
    snapshots: dict[str, int] = Field(default_factory=dict)


class RecordGone(Moment):
    """A record that the chain knows and that is not there any more. at: when it was first written.

    gone_at: when it was removed, None where nobody sealed that.
    """

    TOLD = Moment.TOLD | {"gone_at"}

    kind: Literal["record_gone"] = "record_gone"
    gone_at: str | None = None
    content_sha256: Sha256 | None = None


class RecordUnreadable(Moment):
    """A record that is none of those this program writes."""

    TOLD = Moment.TOLD | {"problem"}

    kind: Literal["record_unreadable"] = "record_unreadable"
    problem: str


AnyMoment = Annotated[
    Received
    | ModelsSelected
    | Predicted
    | ModelFailed
    | FeedbackApplied
    | FeedbackRefused
    | AllocationMade
    | Announced
    | Explained
    | ExplanationDelivered
    | NarrativeRead
    | Hold
    | Erased
    | RecordGone
    | RecordUnreadable,
    Field(discriminator="kind"),
]

SEQUENCE: Final = (
    "received",
    "models_selected",
    "predicted",
    "model_failed",
    "feedback_refused",
    "feedback_waiting",
    "feedback_applied",
    "allocated",
    "decided_again",
    "announced",
    "record_gone",
    "explained",
    "explanation_delivered",
    "narrative_read",
    "hold_placed",
    "hold_lifted",
    "erased",
    "record_unreadable",
)
"""What came first of moments that were recorded with the same time."""


def order(moment: Moment) -> tuple[datetime, int, str, str]:
    """By time, and of the same time by what leads to what. What has no time is last."""
    return instant(moment.at) or NEVER, SEQUENCE.index(moment.kind), moment.entry or "", moment.detail


def instant(at: object) -> datetime | None:
    """A time as somebody stated it; without a zone it is in UTC.

    >>> instant("2026-03-02"), instant("yesterday")
    (datetime.datetime(2026, 3, 2, 0, 0, tzinfo=datetime.timezone.utc), None)
    """
    try:
        found = datetime.fromisoformat(at) if isinstance(at, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def as_time(value: object) -> str | None:
    """What is none is left out: it may be anything."""
    return value if isinstance(value, str) and instant(value) else None


def printable(text: object) -> str:
    """Of what others have written: nothing that a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(text))


def model_in_words(model: ModelReference) -> str:
    """
    >>> model_in_words(ModelReference(task="product", model_id="acme/m", revision="0" * 40, engine="onnx",
    ...     manifest_sha256="0" * 64, arm="champion", bucket=7, strategy_version=2))
    'product acme/m@0000000000000000000000000000000000000000 (arm champion, bucket 7, strategy version 2)'
    """
    known = {"arm": model.arm, "bucket": model.bucket, "strategy version": model.strategy_version}
    facts = [f"{name} {value}" for name, value in known.items() if value is not None]
    facts += [f"stand-in {model.stand_in.version}"] if model.stand_in else []
    return f"{model.task} {model.version} ({', '.join(facts) or 'its only active model'})"


def arm_in_words(arm: str | None, *, shadow: bool) -> str:
    if arm is None:
        return "shadow" if shadow else ""
    return f"arm {arm}" + " (shadow)" * shadow


def in_words(value: Any) -> str:
    return "; ".join(_words(value))


def _words(value: Any) -> Iterator[str]:
    match value:
        case None | "" | ():
            pass
        case bool():
            yield "yes" if value else "no"
        case float():
            yield f"{value:.4g}"
        case ModelReference():
            yield model_in_words(value)
        case Probability():
            yield f"{value.label} {value.probability:.3f}"
        case Decision():
            held = "" if value.auto_threshold is None else f" against {value.auto_threshold:g}"
            yield f"{value.task} {value.label} {value.confidence:.3f}{held} by {value.model.version}"
        case Thresholds():
            known = {"without a person from": value.auto, "flagged from": value.flag}
            yield ", ".join(f"{name} {limit:g}" for name, limit in known.items() if limit is not None) or "none"
        case dict():
            yield from (f"{name} {element}" for name, element in value.items())
        case tuple():
            for element in value:
                yield from _words(element)
        case _:
            yield str(value)


def plain(value: Any) -> JsonValue:
    """What DynamoDB holds, as JSON; of anything whatever that somebody has put there."""
    match value:
        case None | bool() | str():
            return value
        case dict():
            return {str(name): plain(element) for name, element in value.items()}
        case list() | tuple():
            return list(map(plain, value))
        case set() | frozenset():
            return list(map(plain, sorted(map(str, value))))
        case Decimal() | int() | float():
            return int(value) if value == int(value) else float(value)
        case _:
            return repr(value)
