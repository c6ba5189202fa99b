"""From feedback and the current allocation to the next version of the allocation."""

from datetime import datetime

from triage.allocation import ISSUE, MANUAL_TEAM, NOT_VULNERABLE, PRODUCT, VULNERABLE
from triage.complaint import timestamp
from triage.contracts import TaskName
from triage.errors import FeedbackRefusedError
from triage.feedback import Feedback
from triage.story import AllocationEntry
from triage.taxonomy import Taxonomy


def reallocate(
    current: AllocationEntry, feedback: Feedback, *, taxonomy: Taxonomy, now: datetime, code_version: str
) -> AllocationEntry:
    """The next version, decided by a person. `decisions` and `stated` stay: they are what was predicted and said.

    Raises: FeedbackRefusedError, UnknownProductError.
    """
    if feedback.version != current.version:
        raise FeedbackRefusedError(
            f"it is about version {feedback.version} and the allocation is at version {current.version}; "
            "look again, then hand it in under a new id"
        )
    feedback.check(taxonomy, product=current.product)
    said = {
        "version": current.version + 1,
        "decided_by": "person",
        "feedback_id": feedback.feedback_id,
        # They were announced with the first version, and must not predict again.
        "shadows": (),
        "allocated_at": timestamp(now),
        "code_version": code_version,
        "taxonomy_version": taxonomy.version,
    }
    return AllocationEntry.model_validate(current.model_dump() | said | _corrected(current, feedback, taxonomy))


def _corrected(current: AllocationEntry, feedback: Feedback, taxonomy: Taxonomy) -> dict[str, object]:
    """A person who names product or issue, or confirms them, has reviewed: nobody need be asked about those again.

    Vulnerability is a question of its own. Whoever corrects the team has not been asked it, so the journey stays.
    """
    vulnerability = tuple(reason for reason in current.reasons if _is_about_vulnerability(reason))
    others = tuple(reason for reason in current.reasons if not _is_about_vulnerability(reason))
    match feedback.kind:
        case "confirm":
            unowned = current.product_team == MANUAL_TEAM
            return {"route": "manual" if unowned else "auto", "reasons": (*(others if unowned else ()), *vulnerability)}
        case "reallocate":
            assert feedback.product is not None
            kept = current.issue if taxonomy.has_issue(feedback.product, current.issue or "") else None
            issue = feedback.issue or kept
            return {
                "product_team": taxonomy.team_of(feedback.product),
                "product": feedback.product,
                "issue": issue,
                "route": "auto" if issue else "review",
                "reasons": (*(() if issue else ("issue: not named since the re-allocation",)), *vulnerability),
            }
        case "correct_issue":
            return {"issue": feedback.issue, "route": "auto", "reasons": vulnerability}
        case "set_vulnerable":
            reasons = (*others, *vulnerability, "vulnerable: set by a person")
            return {"vulnerable": True, "journey": "specialist", "reasons": tuple(dict.fromkeys(reasons))}
        case "clear_vulnerable":
            return {"vulnerable": False, "journey": "standard", "reasons": others}


def labels(before: AllocationEntry, feedback: Feedback) -> dict[TaskName, str]:
    """What the feedback says is true, by task. before: the allocation it is about."""
    said: dict[TaskName, str | None]
    match feedback.kind:
        case "confirm":
            said = {PRODUCT: before.product, ISSUE: before.issue}
        case "reallocate":
            said = {PRODUCT: feedback.product, ISSUE: feedback.issue}
        case "correct_issue":
            said = {PRODUCT: before.product, ISSUE: feedback.issue}
        case "set_vulnerable":
            said = {VULNERABLE: VULNERABLE}
        case "clear_vulnerable":
            said = {VULNERABLE: NOT_VULNERABLE}
    return {task: label for task, label in said.items() if label is not None}


def _is_about_vulnerability(reason: str) -> bool:
    """The doubts that `triage.allocation` writes on tags, the account's flag and the model's answer."""
    return reason.startswith(("vulnerable", "tags", "account_vulnerable"))
