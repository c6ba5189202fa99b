"""`triage show`"""

from typing import Annotated, Any

import typer

from cli import options
from cli.deployment import Deployment, find
from cli.errors import NotFoundError
from cli.output import out, print_json, print_table
from triage.feedback import INBOX
from triage.steps import ModelReference
from triage.story import (
    ALLOCATION,
    FAILED,
    FEEDBACK,
    PREDICTION,
    SELECTION,
    SUPERSEDED,
    AllocationEntry,
    FailureEntry,
    FeedbackEntry,
    PredictionEntry,
    SelectionEntry,
    SupersededEntry,
)


def show(
    complaint_id: Annotated[str, typer.Argument(help="The id under which operations put the complaint.")],
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Show the story of a complaint: who selected which models, what they said, what was decided and why."""
    story = read_story(find(env, state=state), complaint_id)
    if as_json:
        print_json(story)
        return
    allocation = story["allocation"]
    out.print(f"{complaint_id}  triage: {story['triage_state'] or 'not started'}", soft_wrap=True)
    if allocation is not None:
        _print_allocation(allocation)
    _print_history(story)
    print_table(
        "Predictions",
        ("task", "label", "confidence", "threshold", "tokens", "ms", "arm", "model version"),
        (
            (
                p.model.task,
                p.label,
                f"{p.confidence:.3f}",
                p.thresholds.auto if p.positive_label is None else p.thresholds.flag,
                f"{p.tokens_seen}/{p.tokens_total}",
                p.milliseconds,
                _arm(p.model),
                p.model_version,
            )
            for p in story["predictions"]
        ),
    )
    if story["failed"]:
        print_table(
            "Models that failed",
            ("task", "error", "arm", "model version"),
            ((f.model.task, f.error, _arm(f.model), f.failed_version) for f in story["failed"]),
        )


def _arm(model: ModelReference) -> str:
    return (model.arm or "—") + (" (shadow)" if model.shadow else "")


def _print_history(story: dict[str, Any]) -> None:
    """What people said and what it replaced, in the order of time; nothing where nobody said anything."""
    moments: list[tuple[str, str, str]] = []
    for old in story["superseded"]:
        was = old.allocation
        decided = f"{was.product_team}, {was.issue or 'no issue'}, {was.journey}, {was.route} (by {was.decided_by})"
        moments.append((was.allocated_at, f"version {was.version}", decided))
    for entry in story["feedback"]:
        said = entry.feedback
        labels = "; ".join(filter(None, (said.product, said.issue)))
        what = f"{said.kind} {labels}".strip() + f" by {said.by}, {said.role}, {said.mode}, stratum {said.stratum}"
        moments.append((entry.applied_at, f"feedback, made version {entry.made_version}", what))
    moments += [(str(row.get("at", "")), f"refused {row['entry']}", row["reason"]) for row in story["refused"]]
    if moments:
        print_table("Feedback", ("at", "what", "detail"), sorted(moments))


def _print_allocation(allocation: AllocationEntry) -> None:
    facts = {
        "team": allocation.product_team,
        "product": allocation.product,
        "issue": allocation.issue,
        "vulnerable": allocation.vulnerable,
        "journey": allocation.journey,
        "route": allocation.route,
        "reasons": "; ".join(allocation.reasons) or "none",
        "allocated at": f"{allocation.allocated_at} ({allocation.milliseconds} ms after the start)",
        "version": f"{allocation.version}, decided by a {allocation.decided_by}",
        "code": allocation.code_version,
        "taxonomy": allocation.taxonomy_version,
    }
    print_table("Allocation", ("fact", "value"), facts.items())


def read_story(deployment: Deployment, complaint_id: str) -> dict[str, Any]:
    """The entries of a complaint's story, typed. The narrative is not among them.

    Raises: NotFoundError.
    """
    raw = deployment.complaints.get(complaint_id)
    entries = list(deployment.story.query(complaint_id))
    if raw is None and not entries:
        raise NotFoundError(
            f"no complaint {complaint_id!r} in {deployment.environment}; `triage status` shows what was allocated last"
        )
    by_key = {entry["entry"]: entry for entry in entries}
    return {
        "complaint_id": complaint_id,
        "received_at": (raw or {}).get("received_at"),
        "triage_state": (raw or {}).get("triage_state"),
        "attempts": int((raw or {}).get("triage_attempts", 0)),
        "selection": SelectionEntry.model_validate(by_key[SELECTION]) if SELECTION in by_key else None,
        "predictions": [PredictionEntry.model_validate(e) for key, e in by_key.items() if key.startswith(PREDICTION)],
        "failed": [FailureEntry.model_validate(e) for key, e in by_key.items() if key.startswith(FAILED)],
        "allocation": AllocationEntry.model_validate(by_key[ALLOCATION]) if ALLOCATION in by_key else None,
        "superseded": [SupersededEntry.model_validate(e) for key, e in by_key.items() if key.startswith(SUPERSEDED)],
        "feedback": [FeedbackEntry.model_validate(e) for key, e in by_key.items() if key.startswith(FEEDBACK)],
        # As they are: among them may be what is malformed.
        "refused": [row for row in deployment.story.query(INBOX + complaint_id) if row.get("outcome") == "refused"],
    }
