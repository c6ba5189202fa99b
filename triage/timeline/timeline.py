"""A complaint's records, told as moments."""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from pydantic import ValidationError

from triage.audit.chain import Link
from triage.feedback import Feedback, FeedbackRow
from triage.story import ALLOCATION, SELECTION, AllocationEntry, PredictionEntry
from triage.timeline.events import (
    AllocationMade,
    Announced,
    AnyMoment,
    Erased,
    Explained,
    ExplanationDelivered,
    FeedbackApplied,
    FeedbackRefused,
    Hold,
    ModelFailed,
    ModelsSelected,
    NarrativeRead,
    Predicted,
    Received,
    RecordGone,
    RecordUnreadable,
    arm_in_words,
    as_time,
    order,
    printable,
)
from triage.timeline.records import Records, Row


def moments(records: Records, links: Iterable[Link] = ()) -> list[AnyMoment]:
    """In the order of time, whatever the order of the records."""
    found = (
        *_coming_in(records),
        *_models(records),
        *_allocations(records),
        *_people(records),
        *_explanations(records),
        *_keeping(records),
        *_gone(records, links),
    )
    return sorted(found, key=order)


def _coming_in(records: Records) -> Iterator[AnyMoment]:
    if records.received_at is not None:
        yield Received(
            at=records.received_at,
            entry=SELECTION if records.selection and records.selection.received_at else None,
            detail="as operations state it",
        )
    selection = records.selection
    if selection is None:
        return
    asked = ", ".join(model.task for model in selection.models) or "no model"
    beside = f", {len(selection.shadows)} in the shadow" if selection.shadows else ""
    yield ModelsSelected(
        at=selection.selected_at,
        entry=selection.entry,
        detail=f"to be asked: {asked}{beside}",
        models=selection.models,
        shadows=selection.shadows,
        missing_shadows=selection.missing_shadows,
        stated_vulnerable=tuple(f"{stated.source} ({stated.what})" for stated in selection.stated),
        unreadable=selection.unreadable,
        doubts=selection.doubts,
        text_sha256=selection.text_sha256,
        code_version=selection.code_version,
    )


def _models(records: Records) -> Iterator[AnyMoment]:
    for said in records.predictions:
        model = said.model
        where = arm_in_words(model.arm, shadow=model.shadow)
        yield Predicted(
            at=said.predicted_at,
            entry=said.entry,
            detail=f"{model.task}: {said.label} {said.confidence:.3f}" + (f", {where}" if where else ""),
            task=model.task,
            shadow=model.shadow,
            arm=model.arm,
            bucket=model.bucket,
            strategy_version=model.strategy_version,
            manifest_sha256=model.manifest_sha256,
            **{name: getattr(said, name) for name in _SAID},
        )
    for failure in records.failed:
        model = failure.model
        where = arm_in_words(model.arm, shadow=model.shadow)
        instead = f"; {model.stand_in.version} was asked instead" if model.stand_in else ""
        yield ModelFailed(
            at=failure.failed_at,
            entry=failure.entry,
            detail=f"{model.task}: {failure.error}" + (f", {where}" if where else "") + instead,
            task=model.task,
            error=failure.error,
            shadow=model.shadow,
            arm=model.arm,
            model_version=failure.failed_version,
            manifest_sha256=model.manifest_sha256,
            code_version=failure.code_version,
        )


_SAID: Final = Predicted.model_fields.keys() & PredictionEntry.model_fields.keys() - {"entry"}


def _allocations(records: Records) -> Iterator[AnyMoment]:
    persons = {entry.feedback.feedback_id: entry.feedback.by for entry in records.feedback}
    versions: list[tuple[AllocationEntry, str, str | None]] = [
        (old.allocation, old.entry, old.superseded_at) for old in records.superseded
    ]
    if records.allocation is not None:
        versions.append((records.allocation, ALLOCATION, None))
    for made, entry, superseded_at in versions:
        label = ", ".join(filter(None, [made.product, made.issue])) or "no product"
        person = persons.get(made.feedback_id or "", "a person") if made.decided_by == "person" else None
        yield AllocationMade(
            kind="allocated" if made.version == 1 else "decided_again",
            at=made.allocated_at,
            entry=entry,
            by=person,
            detail=f"version {made.version}: {made.product_team} ({label}), {made.journey}, {made.route}",
            superseded_at=superseded_at,
            **{name: getattr(made, name) for name in _MADE},
        )
        event = made.announcement()
        to = f"version {event.version} to {event.product_team}"
        yield Announced(at=made.allocated_at, entry=entry, detail=f"ComplaintAllocated, {to}", event=event)


_MADE: Final = AllocationMade.model_fields.keys() & AllocationEntry.model_fields.keys() - {"entry"}


def _people(records: Records) -> Iterator[AnyMoment]:
    for entry in records.feedback:
        said = entry.feedback
        yield FeedbackApplied(
            at=entry.applied_at,
            entry=entry.entry,
            by=said.by,
            detail=f"{_statement(said)}; made version {entry.made_version}",
            feedback_id=said.feedback_id,
            made_version=entry.made_version,
            labels=entry.labels,
            inclusion=said.inclusion,
            stated_at=said.at.isoformat(),
        )
    for row in records.refused:
        yield _handed_in(row, f"refused {row.get('entry')}: {row.get('reason')}", "feedback_refused")
    for row in records.waiting:
        yield _handed_in(row, f"{row.get('entry')} is neither applied nor refused", "feedback_waiting")
    for reading in records.readings:
        yield NarrativeRead(
            at=reading.read_at, entry=reading.entry, by=reading.read_by, detail=reading.purpose, purpose=reading.purpose
        )


def _handed_in(row: Row, detail: str, kind: Literal["feedback_refused", "feedback_waiting"]) -> FeedbackRefused:
    """Of a row that is malformed nothing is told but its id and our reason."""
    try:
        said = FeedbackRow.model_validate(row).feedback()
    except ValidationError:
        said = None
    return FeedbackRefused(
        kind=kind,
        at=as_time(row.get("at")),
        entry=printable(row.get("complaint_id")) + " " + printable(row.get("entry")),
        by=said and said.by,
        detail=printable(detail),
        feedback_id=printable(row.get("entry")),
        said=said and _statement(said),
    )


def _statement(said: Feedback) -> str:
    labels = ", ".join(filter(None, (said.product, said.issue)))
    return f"{said.kind} {labels}".strip() + f" ({said.role}, {said.mode}, stratum {said.stratum})"


def _explanations(records: Records) -> Iterator[AnyMoment]:
    for entry in records.explanations:
        request, explained = entry.request, entry.explained
        checks = "checks passed" if explained.checks.passed else "its checks FAILED"
        yield Explained(
            at=entry.explained_at,
            entry=entry.entry,
            by=request.requester,
            detail=f"why {request.task} is \u201c{explained.label}\u201d; {checks}",
            task=request.task,
            purpose=request.purpose,
            lawful_basis=request.lawful_basis,
            rationale=entry.rationale,
            passed=explained.checks.passed,
            failures=explained.checks.failures,
            reproduced=explained.reproduced,
            model_version=entry.prediction.model_version,
            weights_sha256=entry.prediction.weights_sha256,
            redaction_version=entry.redaction_version,
            text_sha256=entry.text_sha256,
            retained_until=entry.retained_until,
            code_version=entry.code_version,
        )
    there = {entry.entry for entry in records.explanations}
    for delivery in records.deliveries:
        gone = "" if delivery.explanation in there else ", which is gone since"
        yield ExplanationDelivered(
            at=delivery.delivered_at,
            entry=delivery.entry,
            by=delivery.requester,
            detail=f"handed out: {delivery.explanation}{gone}",
            explanation=delivery.explanation,
        )


def _keeping(records: Records) -> Iterator[AnyMoment]:
    for hold in records.holds:
        yield Hold(
            kind="hold_placed",
            at=hold.placed_at,
            entry=hold.entry,
            by=hold.placed_by,
            detail=hold.reason,
            reason=hold.reason,
        )
        if hold.lifted_at is not None:
            yield Hold(
                kind="hold_lifted",
                at=hold.lifted_at,
                entry=hold.entry,
                by=hold.lifted_by,
                detail=hold.lifted_reason or "no reason is recorded",
                reason=hold.lifted_reason,
            )
    for erasure in records.erasures:
        parts = [
            "the narrative" if erasure.text else "",
            _counted(len(erasure.entries), "explanation") if erasure.entries else "",
            _counted(len(erasure.refused_feedback), "refused statement") if erasure.refused_feedback else "",
            _counted(sum(erasure.snapshots.values()), "row") + " of datasets" if erasure.snapshots else "",
        ]
        yield Erased(
            at=erasure.erased_at,
            entry=erasure.entry,
            by=erasure.erased_by,
            detail=f"{', '.join(filter(None, parts)) or 'nothing'}: {erasure.reason}",
            reason=erasure.reason,
            text=erasure.text,
            entries=erasure.entries,
            refused_feedback=tuple(map(printable, erasure.refused_feedback)),
            snapshots=erasure.snapshots,
        )
    for record in records.unreadable:
        yield RecordUnreadable(
            entry=record.entry, detail=f"{printable(record.entry)}: {record.problem}", problem=record.problem
        )


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _gone(records: Records, links: Iterable[Link]) -> Iterator[AnyMoment]:
    """What was sealed as a record and is none any more: it was there, and when it went."""
    sealed: dict[str, list[Link]] = {}
    for link in sorted(links, key=lambda link: link.sequence):
        sealed.setdefault(link.entry, []).append(link)
    there = records.keys
    for entry, changes in sealed.items():
        if entry in there:
            continue
        first, last = changes[0], changes[-1]
        gone_at = last.sealed_at if last.change == "removed" else None
        until = f"it was removed at {gone_at}" if gone_at else "it is missing, and nobody has sealed that it went"
        yield RecordGone(
            at=first.sealed_at,
            entry=entry,
            detail=f"{printable(entry)} was written; {until}",
            gone_at=gone_at,
            content_sha256=first.content_sha256,
        )
