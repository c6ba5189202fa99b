"""A complaint's timeline: one moment for each thing that happened, built from the record that states it.

A moment shows every field of its record under the record's own name. The decorator `shows` lists the fields that are
left out, each with its reason. A field that is added to a record therefore appears in the timeline, in the terminal, on
the page and in `docs/schemas/story.json` without a change here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeVar, get_args

from pydantic import Field, ValidationError, create_model

from triage import story as stored
from triage.audit.chain import Link
from triage.contracts import Contract, Sha256, TaskName
from triage.feedback import Feedback, FeedbackRow
from triage.reason import Reason
from triage.steps import EVENT_TYPE, Allocated, LawfulBasis, ModelReference
from triage.timeline.records import Records, Row, Unreadable, instant, iso_time, printable

NEVER: Final = datetime.max.replace(tzinfo=UTC)
IN_RECORD: Final = "only the record shows it; the account lists records and moments"
LEFT_OUT_EVERYWHERE: Final = {
    "complaint_id": "the account shows it once",
    "expires_at": "it is technical; holds and erasures are moments of their own",
}


class Moment(Contract):
    """One thing that happened to a complaint.

    at: when it happened, ISO 8601; None if the record states no valid time. entry: the key of the record.
    by: the person who did it; None if no person did. detail: what happened, in one sentence.
    """

    IN_DETAIL: ClassVar[frozenset[str]] = frozenset()
    """Fields whose values `detail` already contains."""

    LEFT_OUT: ClassVar[Mapping[type[stored.Entry], Mapping[str, str]]] = {}
    """For each record that the moment is built from: the fields that it does not show under their name, and why."""

    kind: str
    at: str | None = None
    entry: str | None = None
    by: str | None = None
    detail: str

    @classmethod
    def built(cls, *records: stored.Entry | None, **own: Any) -> Self:
        """Return the moment with every field of `records` that it shows. own: values that replace or add to them."""
        shown: dict[str, Any] = {}
        for record in filter(None, records):
            names = type(record).model_fields.keys() & cls.model_fields.keys() - cls.LEFT_OUT[type(record)].keys()
            shown |= {name: getattr(record, name) for name in names}
        return cls(**shown | own)


M = TypeVar("M", bound=Moment)


def shows(record: type[stored.Entry], **left_out: str) -> Callable[[type[M]], type[M]]:
    """Class decorator: add every field of `record` that the moment does not declare itself.

    left_out: for each field that the moment does not show under its name, the reason.
    """

    def complete(moment: type[M]) -> type[M]:
        hidden = LEFT_OUT_EVERYWHERE | left_out
        names = record.model_fields.keys() - hidden.keys() - moment.model_fields.keys()
        fields: Any = {name: (f.annotation, f) for name, f in record.model_fields.items() if name in names}
        completed: type[M] = create_model(
            moment.__name__, __base__=moment, __module__=moment.__module__, __doc__=moment.__doc__, **fields
        )
        completed.LEFT_OUT = {**moment.LEFT_OUT, record: hidden}
        return completed

    return complete


class Received(Moment):
    """The complaint came in, at the time that operations state."""

    kind: Literal["received"] = "received"

    @classmethod
    def of(cls, records: Records) -> Self:
        in_selection = records.selection is not None and records.selection.received_at is not None
        entry = stored.SELECTION if in_selection else None
        return cls(at=records.received_at, entry=entry, detail="the time is stated by operations")


@shows(
    stored.SelectionEntry,
    selected_at="it is `at`",
    received_at="`received` is a moment of its own",
    subject="it may be the customer's id",
    stated="`stated_vulnerable` shows it in words",
)
class ModelsSelected(Moment):
    """The models that were to answer. missing_shadows: `task/arm` of sampled shadows whose model was unavailable."""

    kind: Literal["models_selected"] = "models_selected"
    stated_vulnerable: tuple[str, ...] = ()

    @classmethod
    def of(cls, entry: stored.SelectionEntry) -> Self:
        tasks = ", ".join(model.task for model in entry.models) or "no model"
        shadows = f"; shadow models: {len(entry.shadows)}" if entry.shadows else ""
        return cls.built(
            entry,
            at=entry.selected_at,
            detail=f"models were selected for: {tasks}{shadows}",
            stated_vulnerable=tuple(map(str, entry.stated)),
        )


class AboutModel(Moment):
    """A moment about one model. shadow: the model is only compared, and decides nothing."""

    task: TaskName
    shadow: bool
    arm: str | None = None
    manifest_sha256: Sha256

    @staticmethod
    def about(model: ModelReference) -> dict[str, Any]:
        return model.model_dump(include={"task", "shadow", "arm", "manifest_sha256"})


@shows(stored.PredictionEntry, predicted_at="it is `at`", model="its parts are fields of the moment")
class Predicted(AboutModel):
    """A model answered. code_version: of the program that ran it."""

    kind: Literal["predicted"] = "predicted"
    IN_DETAIL = frozenset({"task", "label", "confidence", "shadow", "arm"})
    bucket: int | None = None
    strategy_version: int | None = None

    @classmethod
    def of(cls, entry: stored.PredictionEntry) -> Self:
        model = entry.model
        return cls.built(
            entry,
            at=entry.predicted_at,
            detail=f"{model.task}: {entry.label} {entry.confidence:.3f}{_arm(model)}",
            bucket=model.bucket,
            strategy_version=model.strategy_version,
            **cls.about(model),
        )


@shows(
    stored.FailureEntry,
    failed_at="it is `at`",
    model="its parts are fields of the moment",
    failed_version="`model_version` shows it",
)
class ModelFailed(AboutModel):
    """A model was asked and gave no answer. error: the name of the error that stopped it."""

    kind: Literal["model_failed"] = "model_failed"
    IN_DETAIL = frozenset({"task", "error", "shadow", "arm"})
    model_version: str

    @classmethod
    def of(cls, entry: stored.FailureEntry) -> Self:
        model = entry.model
        instead = f"; {model.stand_in.version} was asked instead" if model.stand_in else ""
        return cls.built(
            entry,
            at=entry.failed_at,
            detail=f"{model.task}: {entry.error}{_arm(model)}{instead}",
            model_version=entry.failed_version,
            **cls.about(model),
        )


@shows(
    stored.FeedbackEntry,
    applied_at="it is `at`",
    labelled_on="it is the day of `at`",
    feedback="its parts are in `detail` or fields of the moment",
    code_version="the allocation that the feedback made shows it",
)
class FeedbackApplied(Moment):
    """Feedback made a new version of the allocation. labels: the true labels that it states, by task.

    stated_at: when the person decided. inclusion: the probability with which the complaint was drawn for review.
    """

    kind: Literal["feedback_applied"] = "feedback_applied"
    IN_DETAIL = frozenset({"feedback_id", "made_version"})
    feedback_id: str
    inclusion: float | None = None
    stated_at: str

    @classmethod
    def of(cls, entry: stored.FeedbackEntry) -> Self:
        feedback = entry.feedback
        return cls.built(
            entry,
            at=entry.applied_at,
            by=feedback.by,
            detail=f"{_statement(feedback)}; made version {entry.made_version}",
            feedback_id=feedback.feedback_id,
            inclusion=feedback.inclusion,
            stated_at=feedback.at.isoformat(),
        )


class FeedbackNotApplied(Moment):
    """Feedback that was refused, or that nothing has processed yet. said: the statement; None if it is malformed."""

    kind: Literal["feedback_refused", "feedback_waiting"]
    IN_DETAIL = frozenset({"feedback_id"})
    feedback_id: str
    said: str | None = None

    @classmethod
    def of(cls, row: Row, kind: Literal["feedback_refused", "feedback_waiting"]) -> Self:
        """A malformed row may hold anything: only its id and our reason are shown."""
        try:
            feedback = FeedbackRow.model_validate(row).feedback()
        except ValidationError:
            feedback = None
        feedback_id = printable(row.get("entry"))
        refused = f"refused {feedback_id}: {printable(row.get('reason'))}"
        return cls(
            kind=kind,
            at=iso_time(row.get("at")),
            entry=f"{printable(row.get('complaint_id'))} {feedback_id}",
            by=feedback and feedback.by,
            detail=refused if kind == "feedback_refused" else f"{feedback_id} is neither applied nor refused yet",
            feedback_id=feedback_id,
            said=feedback and _statement(feedback),
        )


@shows(stored.SupersededEntry, allocation="the moment is built from it", code_version="that of the allocation is shown")
@shows(
    stored.AllocationEntry,
    allocated_at="it is `at`",
    stated="`models_selected` shows it",
    started_at=IN_RECORD,
    milliseconds=IN_RECORD,
    shadows="`models_selected` and `announced` show them",
    decided_by="`by` names the person; without one, models decided",
)
class AllocationMade(Moment):
    """A version of the allocation. decisions: the answers taken over from models, with their thresholds.

    superseded_at: when the next version replaced it.
    """

    kind: Literal["allocated", "decided_again"]
    IN_DETAIL = frozenset({"version", "product_team", "product", "issue", "journey", "route"})
    reasons: tuple[Reason, ...]
    superseded_at: str | None = None

    @classmethod
    def of(cls, entry: stored.AllocationEntry, *, superseded: stored.SupersededEntry | None, by: str | None) -> Self:
        """superseded: the record that holds this version, if a later one has replaced it."""
        labels = ", ".join(filter(None, [entry.product, entry.issue])) or "no product"
        return cls.built(
            entry,
            superseded,
            kind="allocated" if entry.version == 1 else "decided_again",
            at=entry.allocated_at,
            by=by,
            detail=f"version {entry.version}: {entry.product_team} ({labels}), {entry.journey}, {entry.route}",
        )


class Announced(Moment):
    """The event that told consumers of an allocation, as they received it."""

    kind: Literal["announced"] = "announced"
    IN_DETAIL = frozenset({"event", "event_type"})
    event_type: Literal["ComplaintAllocated"] = EVENT_TYPE
    event: Allocated

    @classmethod
    def of(cls, allocation: AllocationMade, event: Allocated) -> Self:
        detail = f"{EVENT_TYPE}, version {event.version} to {event.product_team}"
        return cls(at=allocation.at, entry=allocation.entry, detail=detail, event=event)


@shows(
    stored.ExplanationEntry,
    explained_at="it is `at`",
    request="its parts are fields of the moment",
    read_sha256=IN_RECORD,
    prediction="`predicted` shows it",
    people="`feedback_applied` shows it",
    allocation_version=IN_RECORD,
    explained="its checks are fields of the moment; its figures stand in the record",
)
class ExplanationMade(Moment):
    """A model explained its decision. failures: failed checks; if there are any, do not rely on the explanation."""

    kind: Literal["explained"] = "explained"
    IN_DETAIL = frozenset({"passed", "task"})
    task: TaskName
    purpose: str
    lawful_basis: LawfulBasis
    passed: bool
    failures: tuple[str, ...] = ()
    reproduced: bool
    model_version: str
    weights_sha256: Sha256

    @classmethod
    def of(cls, entry: stored.ExplanationEntry) -> Self:
        request, explained, checks = entry.request, entry.explained, entry.explained.checks
        outcome = "all checks passed" if checks.passed else "checks FAILED"
        return cls.built(
            entry,
            at=entry.explained_at,
            by=request.requester,
            detail=f"why {request.task} is \u201c{explained.label}\u201d; {outcome}",
            task=request.task,
            purpose=request.purpose,
            lawful_basis=request.lawful_basis,
            passed=checks.passed,
            failures=checks.failures,
            reproduced=explained.reproduced,
            model_version=entry.prediction.model_version,
            weights_sha256=entry.prediction.weights_sha256,
        )


@shows(stored.DeliveryEntry, delivered_at="it is `at`", requester="it is `by`", code_version=IN_RECORD)
class ExplanationDelivered(Moment):
    """An explanation was handed to somebody. explanation: the key of its record."""

    kind: Literal["explanation_delivered"] = "explanation_delivered"
    IN_DETAIL = frozenset({"explanation"})

    @classmethod
    def of(cls, entry: stored.DeliveryEntry, *, is_there: bool) -> Self:
        """is_there: whether the explanation still exists."""
        gone = "" if is_there else ", which has been removed since"
        detail = f"handed out: {entry.explanation}{gone}"
        return cls.built(entry, at=entry.delivered_at, by=entry.requester, detail=detail)


@shows(stored.ReadingEntry, read_at="it is `at`", read_by="it is `by`", code_version=IN_RECORD)
class NarrativeRead(Moment):
    """A person read the complaint's text."""

    kind: Literal["narrative_read"] = "narrative_read"
    IN_DETAIL = frozenset({"purpose"})

    @classmethod
    def of(cls, entry: stored.ReadingEntry) -> Self:
        return cls.built(entry, at=entry.read_at, by=entry.read_by, detail=entry.purpose)


@shows(
    stored.HoldEntry,
    held="a hold is in force from `hold_placed` to `hold_lifted`",
    placed_at="it is `at`",
    placed_by="it is `by`",
    lifted_at="it is `at`",
    lifted_by="it is `by`",
    lifted_reason="`reason` of `hold_lifted` shows it",
    code_version=IN_RECORD,
)
class HoldChanged(Moment):
    """A legal hold was placed or lifted."""

    kind: Literal["hold_placed", "hold_lifted"]
    IN_DETAIL = frozenset({"reason"})
    reason: str | None = None

    @classmethod
    def placed(cls, entry: stored.HoldEntry) -> Self:
        return cls.built(entry, kind="hold_placed", at=entry.placed_at, by=entry.placed_by, detail=entry.reason)

    @classmethod
    def lifted(cls, entry: stored.HoldEntry) -> Self:
        reason = entry.lifted_reason
        detail = reason or "no reason is recorded"
        return cls.built(
            entry, kind="hold_lifted", at=entry.lifted_at, by=entry.lifted_by, detail=detail, reason=reason
        )


@shows(stored.ErasureEntry, erased_at="it is `at`", erased_by="it is `by`", code_version=IN_RECORD)
class TextErased(Moment):
    """Text and everything derived from it was erased. text: whether the complaint itself was still there.

    entries: keys of the removed records. refused_feedback: ids. snapshots: number of removed rows, by dataset.
    """

    kind: Literal["erased"] = "erased"
    IN_DETAIL = frozenset({"reason"})

    @classmethod
    def of(cls, entry: stored.ErasureEntry) -> Self:
        parts = [
            "the narrative" if entry.text else "",
            _counted(len(entry.entries), "explanation") if entry.entries else "",
            _counted(len(entry.refused_feedback), "refused statement") if entry.refused_feedback else "",
            _counted(sum(entry.snapshots.values()), "row") + " of datasets" if entry.snapshots else "",
        ]
        return cls.built(
            entry,
            at=entry.erased_at,
            by=entry.erased_by,
            detail=f"{', '.join(filter(None, parts)) or 'nothing'}: {entry.reason}",
            refused_feedback=tuple(map(printable, entry.refused_feedback)),
        )


@shows(stored.ReceiptEntry, taken_at="it is `at`", code_version=IN_RECORD)
class FeedbackTaken(Moment):
    """A row of feedback got its outcome. repeated: its id had an outcome before. row_sha256: of what was handed in."""

    kind: Literal["feedback_taken"] = "feedback_taken"
    IN_DETAIL = frozenset({"feedback_id", "outcome", "repeated"})

    @classmethod
    def of(cls, entry: stored.ReceiptEntry) -> Self:
        again = " again" if entry.repeated else ""
        detail = f"{printable(entry.feedback_id)} was handed in{again} and {entry.outcome}"
        return cls.built(entry, at=entry.taken_at, detail=detail, feedback_id=printable(entry.feedback_id))


class RecordGone(Moment):
    """A record that was sealed in the chain and does not exist any more. at: when it was first sealed.

    gone_at: when its removal was sealed; None if the chain states no removal.
    """

    kind: Literal["record_gone"] = "record_gone"
    IN_DETAIL = frozenset({"gone_at"})
    gone_at: str | None = None
    content_sha256: Sha256 | None = None

    @classmethod
    def of(cls, entry: str, changes: Sequence[Link]) -> Self:
        """changes: the links of this record, the oldest first."""
        first, last = changes[0], changes[-1]
        ended = {"removed": "was removed", "expired": "expired"}.get(last.change)
        gone_at = last.sealed_at if ended else None
        until = f"{ended} at {gone_at}" if ended else "is missing: the chain states no removal"
        detail = f"{printable(entry)} was written and {until}"
        return cls(at=first.sealed_at, entry=entry, detail=detail, gone_at=gone_at, content_sha256=first.content_sha256)


class RecordUnreadable(Moment):
    """A record that does not have the form of any known record. problem: which rule it breaks."""

    kind: Literal["record_unreadable"] = "record_unreadable"
    IN_DETAIL = frozenset({"problem"})
    problem: str

    @classmethod
    def of(cls, record: Unreadable) -> Self:
        detail = f"{printable(record.entry)}: {record.problem}"
        return cls(entry=record.entry, detail=detail, problem=record.problem)


AnyMoment = Annotated[
    Received
    | ModelsSelected
    | Predicted
    | ModelFailed
    | FeedbackNotApplied
    | FeedbackApplied
    | AllocationMade
    | Announced
    | RecordGone
    | ExplanationMade
    | ExplanationDelivered
    | NarrativeRead
    | HoldChanged
    | TextErased
    | FeedbackTaken
    | RecordUnreadable,
    Field(discriminator="kind"),
]
"""In the order in which moments of the same time are shown: causes come before their effects."""

MOMENTS: Final[tuple[type[Moment], ...]] = get_args(get_args(AnyMoment)[0])
ORDER: Final = [kind for moment in MOMENTS for kind in get_args(moment.model_fields["kind"].annotation)]


def moments(records: Records, links: Iterable[Link] = ()) -> list[AnyMoment]:
    """Return every moment of a complaint, the oldest first; moments without a time come last.

    links: the chain that seals the records; it also tells of records that do not exist any more.
    """
    explanations = {entry.entry for entry in records.explanations}
    found: list[AnyMoment] = [
        *([Received.of(records)] if records.received_at is not None else []),
        *([ModelsSelected.of(records.selection)] if records.selection is not None else []),
        *map(Predicted.of, records.predictions),
        *map(ModelFailed.of, records.failed),
        *_allocations(records),
        *map(FeedbackApplied.of, records.feedback),
        *(FeedbackNotApplied.of(row, "feedback_refused") for row in records.refused),
        *(FeedbackNotApplied.of(row, "feedback_waiting") for row in records.waiting),
        *map(ExplanationMade.of, records.explanations),
        *(ExplanationDelivered.of(one, is_there=one.explanation in explanations) for one in records.deliveries),
        *map(NarrativeRead.of, records.readings),
        *map(HoldChanged.placed, records.holds),
        *(HoldChanged.lifted(hold) for hold in records.holds if hold.lifted_at is not None),
        *map(TextErased.of, records.erasures),
        *map(FeedbackTaken.of, records.receipts),
        *_gone(records, links),
        *map(RecordUnreadable.of, records.unreadable),
    ]
    return sorted(found, key=lambda one: (instant(one.at) or NEVER, ORDER.index(one.kind), one.entry or "", one.detail))


def _allocations(records: Records) -> Iterator[AnyMoment]:
    persons = {entry.feedback.feedback_id: entry.feedback.by for entry in records.feedback}
    versions: list[tuple[stored.AllocationEntry, stored.SupersededEntry | None]] = [
        (old.allocation, old) for old in records.superseded
    ]
    if records.allocation is not None:
        versions.append((records.allocation, None))
    for entry, superseded in versions:
        person = persons.get(entry.feedback_id or "", "a person") if entry.decided_by == "person" else None
        made = AllocationMade.of(entry, superseded=superseded, by=person)
        yield made
        yield Announced.of(made, entry.announcement())


def _gone(records: Records, links: Iterable[Link]) -> Iterator[AnyMoment]:
    sealed: dict[str, list[Link]] = {}
    for link in sorted(links, key=lambda link: link.sequence):
        sealed.setdefault(link.entry, []).append(link)
    there = records.keys
    return (RecordGone.of(entry, changes) for entry, changes in sealed.items() if entry not in there)


def _arm(model: ModelReference) -> str:
    """Return `, arm NAME (shadow)` without the parts that do not apply."""
    if model.arm is None:
        return ", shadow" if model.shadow else ""
    return f", arm {model.arm}" + " (shadow)" * model.shadow


def _statement(feedback: Feedback) -> str:
    labels = ", ".join(filter(None, (feedback.product, feedback.issue, *(feedback.tasks or ()))))
    return f"{feedback.kind} {labels}".strip() + f" ({feedback.role}, {feedback.mode}, stratum {feedback.stratum})"


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
