"""Makes an allocation from predictions: team, issue, journey and route, with the reasons for journey and route."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal

from triage.audit.sample import drawn, stratum_of
from triage.clock import Rules
from triage.complaint import timestamp
from triage.contracts import TaskName
from triage.reason import Code, Reason
from triage.steps import AllocationRequest
from triage.story import AllocationEntry, Decision, PredictionEntry, Probability, SelectionEntry
from triage.tasks import ISSUE, PRODUCT, TASKS, VULNERABLE, Task
from triage.taxonomy import Taxonomy

Decisions = Mapping[TaskName, Decision]

MANUAL_TEAM = "manual-triage"
"""Receives a complaint whose product no model could name."""

ROUTING = 2
"""The version of the rule by which reasons become a route. Whoever changes `asks` in `triage/tasks.py` counts it up."""

CHOICES = 3
"""Issues among which the team chooses, where the model is in doubt."""


def allocate(
    request: AllocationRequest,
    *,
    selection: SelectionEntry | None,
    predictions: Iterable[PredictionEntry],
    taxonomy: Taxonomy,
    clocks: Rules,
    now: datetime,
    code_version: str,
    audit_share: float = 0.0,
) -> AllocationEntry:
    """Return the first allocation of a complaint. Where a decision is missing or in doubt, a reason asks a person.

    selection: None where the models could not be selected, or were not recorded.
    audit_share: the probability with which an ordinary complaint is drawn for labelling.
    predictions: all that are recorded of the complaint. Those of models that did not answer by `request` do not count.
    """
    answers = _answers(request, predictions)
    decisions = _decisions(answers)
    product, issue, vulnerable = (decisions.get(task.name) for task in (PRODUCT, ISSUE, VULNERABLE))
    team = taxonomy.team_of(product.label) if product and taxonomy.has_product(product.label) else MANUAL_TEAM
    stated = selection.stated if selection else ()
    whole = _reason_of_the_complaint(request, selection)
    reasons = [Reason.why(Code.URGENT, VULNERABLE)] if any(source.urgent for source in stated) else []
    reasons += [whole] if whole else []
    for task in TASKS.values():
        if task is VULNERABLE:
            reasons += _stated_reasons(selection)
        reasons += _reasons(task, decisions, request, taxonomy, asked=whole is None)
    journey, route = journey_of(reasons), route_of(team, reasons)
    # A complaint that was started again keeps the selection of its first execution, which saw it earlier.
    seen_at = [request.started_at, *([selection.selected_at] if selection else [])]
    received_on = clocks.day_of_receipt(
        selection.received_at if selection else None, put_at=min(map(datetime.fromisoformat, seen_at))
    )
    return AllocationEntry(
        complaint_id=request.complaint_id,
        code_version=code_version,
        product_team=team,
        product=product and product.label,
        issue=issue and issue.label,
        vulnerable=True if stated else vulnerable and vulnerable.positive,
        journey=journey,
        route=route,
        urgent=is_urgent(reasons) or None,
        routing=ROUTING,
        issues=_issues_to_choose_from(reasons, answers, product, taxonomy),
        clock=clocks.clock(product.label if team != MANUAL_TEAM and product else None, received_on),
        reasons=tuple(reasons),
        decisions=tuple(decisions[task] for task in sorted(decisions)),
        stated=stated,
        taxonomy_version=taxonomy.version,
        started_at=request.started_at,
        allocated_at=timestamp(now),
        milliseconds=_milliseconds_since(request.started_at, now),
        shadows=selection.shadows if selection else (),
        drawn=drawn(request.complaint_id, stratum_of(team, route, journey, decisions.values()), share=audit_share),
    )


def route_of(
    team: str, reasons: Iterable[Reason], *, routing: int | None = ROUTING
) -> Literal["auto", "review", "manual"]:
    """Return `manual` if no team owns the product, `review` if a reason asks triage, and otherwise `auto`.

    routing: the version of this rule. Before there were versions, what asks the team asked triage.
    """
    if team == MANUAL_TEAM:
        return "manual"
    asked = {"triage"} if routing else {"triage", "team"}
    return "review" if any(reason.asks in asked for reason in reasons) else "auto"


def journey_of(reasons: Iterable[Reason]) -> Literal["standard", "specialist"]:
    """Return `specialist` if any reason asks for one: one source is enough, and no other can revoke it."""
    return "specialist" if any(reason.asks == "specialist" for reason in reasons) else "standard"


def is_urgent(reasons: Iterable[Reason]) -> bool:
    return any(reason.code is Code.URGENT for reason in reasons)


def _issues_to_choose_from(
    reasons: Iterable[Reason],
    answers: Iterable[PredictionEntry],
    product: Decision | None,
    taxonomy: Taxonomy,
) -> tuple[Probability, ...] | None:
    """Return the most probable issues that the product has, None where the team is not asked for the issue."""
    if not any(reason.task == ISSUE.name for reason in reasons):
        return None
    top = (one for answer in answers if answer.model.task == ISSUE.name for one in answer.top)
    return tuple(one for one in top if product and taxonomy.has_issue(product.label, one.label))[:CHOICES]


def _answers(request: AllocationRequest, predictions: Iterable[PredictionEntry]) -> tuple[PredictionEntry, ...]:
    """Return the predictions that count. Those of models whose outcome reports an error do not."""
    answered = {(o.model.task, o.model.version) for o in request.outcomes if o.error is None}
    return tuple(one for one in predictions if (one.model.task, one.model_version) in answered)


def _decisions(answers: Iterable[PredictionEntry]) -> Decisions:
    """Return the decision of each task's model, by task."""
    return {
        prediction.model.task: Decision(
            task=prediction.model.task,
            label=prediction.label,
            confidence=prediction.confidence,
            auto_threshold=prediction.thresholds.auto,
            positive=_positive(prediction),
            model=prediction.model,
            weights_sha256=prediction.weights_sha256,
            taxonomy_version=prediction.taxonomy_version,
        )
        for prediction in answers
    }


def _positive(prediction: PredictionEntry) -> bool | None:
    """Return whether the label is the positive one of its model or, if the model names none, of its task."""
    if prediction.positive_label is not None:
        return prediction.label == prediction.positive_label
    task = TASKS.get(prediction.model.task)
    return task.found(prediction.label) if task else None


def _reason_of_the_complaint(request: AllocationRequest, selection: SelectionEntry | None) -> Reason | None:
    """Return why no model was asked; None if models were asked."""
    if selection and selection.unreadable:
        return Reason.read(selection.unreadable)
    if request.selection_error:
        return Reason.why(Code.SELECTION_FAILED, detail=request.selection_error)
    return None


def _stated_reasons(selection: SelectionEntry | None) -> Iterator[Reason]:
    """Yield a reason for each source that calls the customer vulnerable, and for each one that could not be read."""
    if selection is None:
        yield Reason.why(Code.NOT_RECORDED, VULNERABLE)
        return
    for source in selection.stated:
        yield Reason.why(Code.STATED, VULNERABLE, detail=str(source))
    yield from (reason for reason in map(Reason.read, selection.doubts) if reason.task == VULNERABLE.name)


def _reasons(
    task: Task, decisions: Decisions, request: AllocationRequest, taxonomy: Taxonomy, *, asked: bool
) -> Iterator[Reason]:
    """Yield the reasons that the answer to one task gives, or its absence. asked: whether any model was asked."""
    decision = decisions.get(task.name)
    if decision is None:
        errors = [outcome.error for outcome in request.outcomes if outcome.model.task == task.name and outcome.error]
        if errors:
            yield Reason.why(Code.MODEL_FAILED, task, detail=errors[0])
        elif task.required and asked:
            yield Reason.why(Code.NO_MODEL, task)
        elif task.required and task.asks == "specialist":
            # The reason why no model was asked asks triage, and no specialist.
            yield Reason.why(Code.NOT_ASKED, task)
        return
    product = decisions.get(PRODUCT.name)
    if task is PRODUCT and not taxonomy.has_product(decision.label):
        yield Reason.why(Code.UNKNOWN_PRODUCT, task)
    elif task is ISSUE and product is not None and not taxonomy.has_issue(product.label, decision.label):
        yield Reason.why(Code.FOREIGN_ISSUE, task)
    elif task.confident and decision.auto_threshold is None:
        yield Reason.why(Code.NO_THRESHOLD, task)
    elif task.confident and decision.confidence < (decision.auto_threshold or 0.0):
        yield Reason.why(Code.LOW_CONFIDENCE, task)
    if task.positive is not None and decision.positive is not False:
        yield Reason.why(Code.FOUND if decision.positive else Code.NO_POSITIVE_LABEL, task)


def _milliseconds_since(started_at: str, now: datetime) -> int:
    # Step Functions states its times with a trailing Z, which fromisoformat reads since Python 3.11.
    return max(0, round((now - datetime.fromisoformat(started_at)).total_seconds() * 1000))
