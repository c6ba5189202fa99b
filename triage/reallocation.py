"""From feedback and the current allocation to the next version of the allocation."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from triage.allocation import ROUTING, is_urgent, journey_of, route_of
from triage.clock import Rules
from triage.complaint import timestamp
from triage.contracts import TaskName
from triage.errors import FeedbackRefusedError
from triage.feedback import Feedback
from triage.reason import Code, Reason
from triage.story import AllocationEntry, FeedbackEntry, SupersededEntry
from triage.tasks import ISSUE, PRODUCT, VULNERABLE
from triage.taxonomy import Taxonomy


def reallocate(
    current: AllocationEntry,
    feedback: Feedback,
    *,
    taxonomy: Taxonomy,
    clocks: Rules,
    now: datetime,
    code_version: str,
    routing: int | None = ROUTING,
) -> AllocationEntry:
    """Return the next version, decided by a person. `decisions` and `stated` stay as the first version has them.

    routing: the version of the rule by which reasons become a route.

    Raises: FeedbackRefusedError, UnknownProductError.
    """
    if feedback.version != current.version:
        raise FeedbackRefusedError(
            f"it is about version {feedback.version}, but the allocation is at version {current.version}; "
            "look at that version, then hand in the feedback under a new id"
        )
    feedback.check(taxonomy, product=current.product)
    return AllocationEntry.model_validate(
        {
            **dict(current),
            **_corrected(current, feedback, taxonomy, routing),
            **_clocked(current, feedback, clocks),
            "version": current.version + 1,
            "decided_by": "person",
            "feedback_id": feedback.feedback_id,
            # The shadows were announced with the first version, and must not predict again.
            "shadows": (),
            "allocated_at": timestamp(now),
            "code_version": code_version,
            "taxonomy_version": taxonomy.version,
        }
    )


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """The three entries that applied feedback writes together: the next version, the one it replaces, and itself."""

    allocation: AllocationEntry
    superseded: SupersededEntry
    feedback: FeedbackEntry


def replace(
    current: AllocationEntry,
    feedback: Feedback,
    *,
    taxonomy: Taxonomy,
    clocks: Rules,
    now: datetime,
    code_version: str,
) -> Replacement:
    """Return the entries that apply the feedback. Raises: FeedbackRefusedError, UnknownProductError."""
    made = reallocate(current, feedback, taxonomy=taxonomy, clocks=clocks, now=now, code_version=code_version)
    shared: Any = {
        "complaint_id": current.complaint_id,
        "code_version": code_version,
        "expires_at": current.expires_at,
    }
    return Replacement(
        allocation=made,
        superseded=SupersededEntry(
            **shared,
            entry=SupersededEntry.key(current.version),
            superseded_at=timestamp(now),
            allocation=current,
        ),
        feedback=FeedbackEntry(
            **shared,
            entry=FeedbackEntry.key(made.version),
            made_version=made.version,
            applied_at=timestamp(now),
            labelled_on=now.astimezone(UTC).date().isoformat(),
            labels=labels(current, feedback),
            feedback=feedback,
        ),
    )


def labels(before: AllocationEntry, feedback: Feedback) -> dict[TaskName, str]:
    """Return the label that the feedback says is true, by task: these are the tasks that the person has decided.

    before: the allocation that the feedback is about. Answers that it lacks cannot be confirmed.
    """
    stated: dict[TaskName, str | None]
    match feedback.kind:
        case "confirm":
            predicted = {decision.task: decision.label for decision in before.decisions}
            shown = {**predicted, PRODUCT.name: before.product, ISSUE.name: before.issue}
            stated = {task: shown.get(task) for task in feedback.confirmed}
        case "reallocate":
            stated = {PRODUCT.name: feedback.product, ISSUE.name: feedback.issue}
        case "correct_issue":
            stated = {PRODUCT.name: before.product, ISSUE.name: feedback.issue}
        case "set_vulnerable" | "clear_vulnerable":
            stated = {VULNERABLE.name: VULNERABLE.label(feedback.kind == "set_vulnerable")}
    return {task: label for task, label in stated.items() if label is not None}


def _corrected(current: AllocationEntry, feedback: Feedback, taxonomy: Taxonomy, routing: int | None) -> dict[str, Any]:
    """Return the answers, reasons, route and journey that follow from the feedback.

    A person clears the reasons of the tasks that they decided, and no others.
    """
    made: dict[str, Any] = {}
    match feedback.kind:
        case "reallocate":
            assert feedback.product is not None
            kept = current.issue if taxonomy.has_issue(feedback.product, current.issue or "") else None
            made = {
                "product_team": taxonomy.team_of(feedback.product),
                "product": feedback.product,
                "issue": feedback.issue or kept,
            }
        case "correct_issue":
            made = {"issue": feedback.issue}
        case "set_vulnerable" | "clear_vulnerable":
            made = {"vulnerable": feedback.kind == "set_vulnerable"}
    team = made.get("product_team", current.product_team)
    reasons = _reasons(current, feedback, issue=made.get("issue", current.issue))
    if "vulnerable" in made:
        return {**made, "reasons": reasons, "journey": journey_of(reasons), "urgent": is_urgent(reasons) or None}
    doubtful = any(reason.task == ISSUE.name for reason in reasons)
    return {
        **made,
        "reasons": reasons,
        "route": route_of(team, reasons, routing=routing),
        "routing": routing,
        "issues": current.issues if doubtful and team == current.product_team else None,
    }


def _clocked(current: AllocationEntry, feedback: Feedback, clocks: Rules) -> dict[str, Any]:
    """Return the clock of the product that the feedback names. It runs from the day of receipt, as the one before."""
    if feedback.product is None:
        return {}
    received_on = clocks.day_of_receipt(
        current.clock.received_on if current.clock else None, put_at=datetime.fromisoformat(current.started_at)
    )
    return {"clock": clocks.clock(feedback.product, received_on)}


def _reasons(current: AllocationEntry, feedback: Feedback, *, issue: str | None) -> tuple[Reason, ...]:
    """Return the reasons of the next version. issue: of that version."""
    decided = set(labels(current, feedback))

    def is_cleared(reason: Reason) -> bool:
        if reason.task is None:
            # The reason is that no model was asked. It is cleared once a person has given both answers.
            return decided >= {PRODUCT.name, ISSUE.name}
        if reason.task == ISSUE.name and feedback.kind == "reallocate":
            # If the issue was dropped, so are its reasons. If it stays, it is an issue of the new product.
            return issue is None or reason.code is Code.FOREIGN_ISSUE or feedback.issue is not None
        return reason.task in decided and feedback.kind != "set_vulnerable"

    added = []
    if feedback.kind == "reallocate" and issue is None:
        added = [Reason.why(Code.ISSUE_NOT_NAMED, ISSUE)]
    if feedback.kind == "set_vulnerable":
        added = [Reason.why(Code.SET_BY_PERSON, VULNERABLE)]
    return tuple(dict.fromkeys([*(reason for reason in current.reasons if not is_cleared(reason)), *added]))
