"""What the records of one complaint say together, as a state machine of what may follow what.

A first allocation repeats what its models answered. Each later version follows from the one before by the feedback that
made it, and that feedback lies in the inbox. Records that were put by hand and then sealed still contradict this.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from triage.allocation import journey_of, route_of
from triage.audit.chain import Item
from triage.clock import load_clocks
from triage.errors import TriageError
from triage.feedback import FeedbackRow, Statement, is_pending
from triage.reallocation import labels, reallocate
from triage.steps import ModelReference
from triage.stored_story import kind_of
from triage.story import (
    ALLOCATION,
    SELECTION,
    AllocationEntry,
    Entry,
    FeedbackEntry,
    PredictionEntry,
    SelectionEntry,
    SupersededEntry,
)
from triage.tasks import ISSUE, PRODUCT, VULNERABLE
from triage.taxonomy import Taxonomy, load_taxonomy

E = TypeVar("E", bound=Entry)
VERSIONED: Final = (AllocationEntry, SupersededEntry, FeedbackEntry)
UNFORMED: Final = "expires_at"
"""A legal hold changes it, so it is no part of what a version says."""


@dataclass(frozen=True)
class Contradiction:
    """in_inbox: whether the entry is a row of the inbox, and not of the story."""

    entry: str
    detail: str
    in_inbox: bool = False


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """The records of one complaint, by key.

    erased_feedback: ids of rows that erasures name as removed. aged: whether records may have expired, so that those
    that are missing say nothing.
    """

    story: Mapping[str, Item]
    inbox: Mapping[str, Item]
    erased_feedback: frozenset[str]
    aged: bool

    def contradictions(self) -> Iterator[Contradiction]:
        for entry in sorted(self.story):
            if kind_of(entry) is None:
                yield Contradiction(entry, "no function writes such a record")
        yield from self._of_models()
        if any(kind_of(entry) in (SupersededEntry, FeedbackEntry) for entry in self.story):
            yield from self._of_versions()
        yield from self._of_inbox()

    def _of_models(self) -> Iterator[Contradiction]:
        """A model that was not selected gives no prediction, and the first allocation repeats the predictions."""
        selection = _read(SelectionEntry, self.story.get(SELECTION))
        predictions = {key: found for key, found in self._all(PredictionEntry)}
        for key, prediction in predictions.items():
            if key != PredictionEntry.key(prediction.model):
                yield Contradiction(key, f"it holds a prediction of {prediction.model.version}")
            elif selection is not None and prediction.model.version not in set(_selected(selection)):
                yield Contradiction(key, "its model was not selected")
        first = self._first()
        if first is None:
            return
        key, allocation = first
        for decision in allocation.decisions:
            said = predictions.get(PredictionEntry.key(decision.model))
            stated = (decision.label, decision.confidence, decision.weights_sha256)
            if said is None and not self.aged:
                yield Contradiction(key, f"the answer to {decision.task} that it states was not recorded")
            elif said is not None and stated != (said.label, said.confidence, said.weights_sha256):
                yield Contradiction(key, f"the answer to {decision.task} that it states is not the recorded one")
        yield from (Contradiction(key, detail) for detail in _wrong_in_first(allocation, selection))

    def _first(self) -> tuple[str, AllocationEntry] | None:
        """Return the first version with the key of its record, where both can be read."""
        current = _read(AllocationEntry, self.story.get(ALLOCATION))
        if current is not None and current.version == 1:
            return ALLOCATION, current
        key = SupersededEntry.key(1)
        superseded = _read(SupersededEntry, self.story.get(key))
        return (key, superseded.allocation) if superseded is not None else None

    def _of_versions(self) -> Iterator[Contradiction]:
        """The versions are contiguous, and feedback leads from each to the next."""
        for entry, item in self.story.items():
            kind = kind_of(entry)
            if kind in VERSIONED and _read(kind, item) is None:
                yield Contradiction(entry, "it does not have the form of such a record")
        current = _read(AllocationEntry, self.story.get(ALLOCATION))
        if current is None:
            if not self.aged:
                yield Contradiction(ALLOCATION, "versions of it are recorded, and the current one is not")
            return
        superseded, applied = dict(self._all(SupersededEntry)), dict(self._all(FeedbackEntry))
        versions = {one.allocation.version: one.allocation for one in superseded.values()} | {current.version: current}
        for key, one in superseded.items():
            if key != SupersededEntry.key(one.allocation.version) or one.allocation.version >= current.version:
                detail = f"it holds version {one.allocation.version}; the current one is {current.version}"
                yield Contradiction(key, detail)
        for key, made in applied.items():
            if key != FeedbackEntry.key(made.made_version) or made.made_version > current.version:
                yield Contradiction(key, f"it made version {made.made_version}; the current one is {current.version}")
        for version in range(2, current.version + 1):
            before, after = versions.get(version - 1), versions.get(version)
            feedback = applied.get(FeedbackEntry.key(version))
            place = ALLOCATION if version == current.version else SupersededEntry.key(version)
            if before is None or after is None or feedback is None:
                if not self.aged:
                    missing = (
                        "its feedback" if feedback is None else f"version {version - 1 if before is None else version}"
                    )
                    yield Contradiction(place, f"version {version} follows from nothing: {missing} is not recorded")
                continue
            replaced = superseded.get(SupersededEntry.key(version - 1))
            times = {feedback.applied_at, after.allocated_at, *([replaced.superseded_at] if replaced else [])}
            if len(times) > 1:
                yield Contradiction(place, f"version {version} and its feedback were made at different times")
            yield from (Contradiction(place, detail) for detail in _wrong_step(before, feedback, after))

    def _of_inbox(self) -> Iterator[Contradiction]:
        """What was applied lies in the inbox with these words, and what the inbox calls applied was."""
        applied = {one.feedback.feedback_id: (key, one) for key, one in self._all(FeedbackEntry)}
        for feedback_id, (key, entry) in applied.items():
            row = self.inbox.get(feedback_id)
            if row is None:
                if feedback_id not in self.erased_feedback and not self.aged:
                    yield Contradiction(key, f"no row {feedback_id} of the inbox says so")
            elif not is_pending(row) and row.get("outcome") != "applied" and _said(row) == _statement(entry):
                yield Contradiction(feedback_id, f"it is {row.get('outcome')}, and was applied", in_inbox=True)
        for feedback_id, row in self.inbox.items():
            if row.get("outcome") != "applied":
                continue
            found = applied.get(feedback_id)
            if found is None:
                if not self.aged:
                    yield Contradiction(feedback_id, "it is called applied, and made no version", in_inbox=True)
            elif (row.get("made_version"), _said(row)) != (found[1].made_version, _statement(found[1])):
                yield Contradiction(feedback_id, "it says something else than what was applied", in_inbox=True)

    def _all(self, kind: type[E]) -> Iterator[tuple[str, E]]:
        for entry, item in self.story.items():
            found = _read(kind, item) if kind_of(entry) is kind else None
            if found is not None:
                yield entry, found


def _read(kind: type[E], item: Item | None) -> E | None:
    try:
        return kind.model_validate(item) if item is not None else None
    except ValidationError:
        return None


def _selected(selection: SelectionEntry) -> Iterator[str]:
    models: tuple[ModelReference, ...] = (*selection.models, *selection.shadows)
    for model in models:
        yield model.version
        if model.stand_in is not None:
            yield model.stand_in.version


def _wrong_in_first(allocation: AllocationEntry, selection: SelectionEntry | None) -> Iterator[str]:
    """Yield what does not follow from the models' answers, or from what the complaint states."""
    by_task = {decision.task: decision for decision in allocation.decisions}
    product, issue, vulnerable = (by_task.get(task.name) for task in (PRODUCT, ISSUE, VULNERABLE))
    if (allocation.version, allocation.decided_by, allocation.feedback_id) != (1, "model", None):
        yield "the first version was not made by models"
    if allocation.product != (product and product.label) or allocation.issue != (issue and issue.label):
        yield "its product or issue is not what the models answered"
    if allocation.vulnerable != (True if allocation.stated else vulnerable and vulnerable.positive):
        yield "whether the customer is vulnerable is not what was answered and stated"
    if selection is not None and allocation.stated != selection.stated:
        yield "it states other signs of vulnerability than were read"
    yield from _wrong_ways(allocation)


def _wrong_ways(allocation: AllocationEntry) -> Iterator[str]:
    if allocation.journey != journey_of(allocation.reasons):
        yield "its journey does not follow from its reasons"
    if allocation.route != route_of(allocation.product_team, allocation.reasons, routing=allocation.routing):
        yield "its route does not follow from its reasons"


def _wrong_step(before: AllocationEntry, applied: FeedbackEntry, after: AllocationEntry) -> Iterator[str]:
    """Yield what in a version does not follow from the one before and the feedback."""
    taxonomy = load_taxonomy()
    if applied.feedback.complaint_id != after.complaint_id:
        yield f"the feedback that made version {after.version} is about another complaint"
    if applied.labels != labels(before, applied.feedback):
        yield f"the labels of version {after.version} are not what its feedback says"
    expected = _expected(before, applied, after, taxonomy)
    if expected is None:
        yield f"the feedback of version {after.version} could not be applied to version {before.version}"
        return
    differing = sorted(name for name in expected if getattr(after, name) != expected[name])
    if differing:
        yield f"version {after.version} does not follow from its feedback: {', '.join(differing)}"


def _expected(
    before: AllocationEntry, applied: FeedbackEntry, after: AllocationEntry, taxonomy: Taxonomy
) -> dict[str, Any] | None:
    """Return the fields that the next version has to have; None if the feedback cannot be applied.

    Under another taxonomy, teams and issues may have been others; of these only what the feedback names is known.
    """
    feedback, clocks = applied.feedback, load_clocks()
    try:
        made = reallocate(
            before,
            feedback,
            taxonomy=taxonomy,
            clocks=clocks,
            routing=after.routing,
            now=datetime.fromisoformat(applied.applied_at),
            code_version=after.code_version,
        )
    except (TriageError, ValueError):
        made = None
    if after.taxonomy_version == taxonomy.version:
        left_out = {UNFORMED}
        if after.clock is None or after.clock.version != clocks.version:
            # It was made before there were clocks, or by other rules.
            left_out.add("clock")
        formed = AllocationEntry.model_fields.keys() - left_out
        return {name: getattr(made, name) for name in formed} if made else None
    kept = {"decisions", "stated", "started_at", "milliseconds"}
    if feedback.kind not in ("reallocate", "correct_issue"):
        kept |= {"product_team", "product", "issue"}
    if feedback.kind not in ("set_vulnerable", "clear_vulnerable"):
        kept |= {"vulnerable", "journey"}
    expected = {name: getattr(before, name) for name in kept}
    if feedback.kind == "reallocate":
        expected["product"] = feedback.product
    elif feedback.kind == "correct_issue":
        expected |= {"issue": feedback.issue, "product": before.product, "product_team": before.product_team}
    elif feedback.kind != "confirm":
        expected["vulnerable"] = feedback.kind == "set_vulnerable"
    by = {"version": before.version + 1, "decided_by": "person", "feedback_id": feedback.feedback_id}
    return expected | by


def _statement(entry: FeedbackEntry) -> dict[str, Any]:
    return entry.feedback.model_dump(include=set(Statement.model_fields))


def _said(row: Item) -> dict[str, Any] | None:
    """Return what a row of the inbox states; None where it is malformed."""
    try:
        return FeedbackRow.model_validate(row).model_dump(include=set(Statement.model_fields))
    except ValidationError:
        return None
