"""From predictions to an allocation: team, issue, journey, route, and every reason why a person is asked."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from triage.complaint import timestamp
from triage.errors import UnknownProductError
from triage.steps import AllocationRequest
from triage.story import AllocationEntry, Decision, PredictionEntry, SelectionEntry
from triage.taxonomy import Taxonomy

PRODUCT, ISSUE, VULNERABLE = "product", "issue", "vulnerable"
NOT_VULNERABLE = "not vulnerable"
ATTRIBUTES_OF_VULNERABILITY = ("tags", "account_vulnerable")
MANUAL_TEAM = "manual-triage"
"""Where a complaint goes whose product no model could name."""


@dataclass(frozen=True)
class _Vulnerability:
    vulnerable: bool | None
    reasons: tuple[str, ...]

    @property
    def journey(self) -> Literal["standard", "specialist"]:
        """Any source, doubt or failure means specialist: the inference may only ever add protection."""
        return "specialist" if self.vulnerable is not False or self.reasons else "standard"


def allocate(
    request: AllocationRequest,
    *,
    selection: SelectionEntry | None,
    predictions: Iterable[PredictionEntry],
    taxonomy: Taxonomy,
    now: datetime,
    code_version: str,
) -> AllocationEntry:
    """Decide; what cannot be decided goes to a person with the reason.

    selection: None where selecting failed; then nothing is known and everything is manual.
    predictions: all in the story; those count whose model answered according to the request's outcomes.
    """
    decisions = _decisions(request, predictions)
    product, issue = decisions.get(PRODUCT), decisions.get(ISSUE)
    team = _team(product, taxonomy)
    vulnerability = _vulnerability(request, selection, decisions.get(VULNERABLE))
    unreadable = selection.unreadable if selection else None
    doubts = (
        [unreadable]
        if unreadable
        else [
            *([f"selection: {request.selection_error}"] if request.selection_error else []),
            *_product_doubts(request, product, team),
            *_issue_doubts(request, product, issue, taxonomy),
        ]
    )
    route: Literal["auto", "review", "manual"] = "manual" if team is None else "review" if doubts else "auto"
    return AllocationEntry(
        complaint_id=request.complaint_id,
        code_version=code_version,
        product_team=team or MANUAL_TEAM,
        product=product.label if product else None,
        issue=issue.label if issue else None,
        vulnerable=vulnerability.vulnerable,
        journey=vulnerability.journey,
        route=route,
        reasons=(*doubts, *vulnerability.reasons),
        decisions=tuple(decisions[task] for task in sorted(decisions)),
        stated=selection.stated if selection else (),
        taxonomy_version=taxonomy.version,
        started_at=request.started_at,
        allocated_at=timestamp(now),
        milliseconds=_milliseconds_since(request.started_at, now),
        shadows=selection.shadows if selection else (),
    )


def _decisions(request: AllocationRequest, predictions: Iterable[PredictionEntry]) -> dict[str, Decision]:
    """By task. One model answers for each task, and only where its outcome reports no error."""
    answered = {(o.model.task, o.model.version) for o in request.outcomes if o.error is None}
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
        for prediction in predictions
        if (prediction.model.task, prediction.model_version) in answered
    }


def _positive(prediction: PredictionEntry) -> bool | None:
    """By the model's own positive label; without one only our own labels are understood."""
    if prediction.positive_label is not None:
        return prediction.label == prediction.positive_label
    return {VULNERABLE: True, NOT_VULNERABLE: False}.get(prediction.label)


def _team(product: Decision | None, taxonomy: Taxonomy) -> str | None:
    try:
        return taxonomy.team_of(product.label) if product else None
    except UnknownProductError:
        return None


def _product_doubts(request: AllocationRequest, product: Decision | None, team: str | None) -> list[str]:
    if product is None:
        return [_undecided(request, PRODUCT)]
    if team is None:
        return ["product: the label is not in the taxonomy"]
    return _confidence_doubts(product)


def _issue_doubts(
    request: AllocationRequest, product: Decision | None, issue: Decision | None, taxonomy: Taxonomy
) -> list[str]:
    if issue is None:
        return [_undecided(request, ISSUE)]
    if product is not None and not taxonomy.has_issue(product.label, issue.label):
        return ["issue: not one of the product's issues"]
    return _confidence_doubts(issue)


def _confidence_doubts(decision: Decision) -> list[str]:
    if decision.auto_threshold is None:
        return [f"{decision.task}: the model states no threshold"]
    if decision.confidence < decision.auto_threshold:
        return [f"{decision.task}: confidence below threshold"]
    return []


def _vulnerability(
    request: AllocationRequest, selection: SelectionEntry | None, decision: Decision | None
) -> _Vulnerability:
    stated = selection.stated if selection else ()
    doubts = selection.doubts if selection else (f"{VULNERABLE}: what the complaint states was not recorded",)
    found = decision.positive if decision else None
    reasons = [
        *(f"vulnerable: {source.source} ({source.what})" for source in stated),
        *([f"{VULNERABLE}: model"] if found else []),
        *(doubt for doubt in doubts if doubt.startswith((VULNERABLE, *ATTRIBUTES_OF_VULNERABILITY))),
    ]
    if decision is None:
        reasons.append(_undecided(request, VULNERABLE))
    elif found is None:
        reasons.append(f"{VULNERABLE}: the model does not say which label is the positive one")
    return _Vulnerability(True if stated or found else found, tuple(reasons))


def _undecided(request: AllocationRequest, task: str) -> str:
    errors = [outcome.error for outcome in request.outcomes if outcome.model.task == task and outcome.error]
    return f"{task}: {errors[0]}" if errors else f"{task}: no model answered"


def _milliseconds_since(started_at: str, now: datetime) -> int:
    # Step Functions states its times with a trailing Z, which fromisoformat reads since Python 3.11.
    return max(0, round((now - datetime.fromisoformat(started_at)).total_seconds() * 1000))
