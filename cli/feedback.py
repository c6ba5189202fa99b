"""`triage feedback`"""

import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args
from uuid import uuid4

import typer
from pydantic import ValidationError

from cli import options
from cli.deployment import Deployment, find
from cli.errors import CommandError, NotFoundError, WrongUsageError
from cli.output import out, print_json
from triage.errors import FeedbackRefusedError, UnknownProductError
from triage.feedback import INBOX, Feedback, FeedbackRow, Kind
from triage.tables import ALLOCATION, AllocationEntry
from triage.taxonomy import load_taxonomy

POLL_SECONDS = 0.25


def feedback(
    complaint_id: Annotated[str, typer.Argument(help="The complaint whose allocation was looked at.")],
    kind: Annotated[str, typer.Argument(help=", ".join(get_args(Kind)))],
    product: Annotated[str | None, typer.Option(help="The right product; its team receives the complaint.")] = None,
    issue: Annotated[str | None, typer.Option(help="The right issue, one of the product's.")] = None,
    role: Annotated[str, typer.Option(help="In which role: analyst, product team, …")] = "analyst",
    blind: Annotated[bool, typer.Option("--blind", help="The models' answer was not seen.")] = False,
    stratum: Annotated[
        Literal["random", "uncertain", "novel", "vulnerable", "none"], typer.Option(help="Why it was looked at.")
    ] = "none",
    version: Annotated[
        int | None, typer.Option(min=1, help="The version you saw; by default the current one.", show_default=False)
    ] = None,
    feedback_id: Annotated[
        str | None, typer.Option("--id", help="Counts once, however often it is handed in.", show_default=False)
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 60.0,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Confirm or correct the allocation of a complaint, and wait until that is applied."""
    deployment = find(env, state=state)
    current = _current(deployment, complaint_id)
    said = _read(
        {
            "feedback_id": feedback_id or uuid4().hex,
            "complaint_id": complaint_id,
            "kind": kind,
            "product": product,
            "issue": issue,
            "by": options.operator(),
            "role": role,
            "mode": "blind" if blind else "assisted",
            "stratum": stratum,
            "at": datetime.now(UTC),
            "version": version or current.version,
        }
    )
    try:
        said.check(load_taxonomy(), product=current.product)
    except (FeedbackRefusedError, UnknownProductError) as error:
        raise WrongUsageError(str(error)) from error
    deployment.story.put_if_absent(FeedbackRow.of(said))
    row = _wait(deployment, said, timeout)
    if row.outcome == "refused":
        raise CommandError(f"{said.feedback_id} was refused: {row.reason}")
    if as_json:
        print_json(row)
    else:
        out.print(f"{complaint_id} is at version {row.made_version}; `triage show {complaint_id}` shows its story")


def _current(deployment: Deployment, complaint_id: str) -> AllocationEntry:
    item = deployment.story.get(complaint_id, ALLOCATION)
    if item is None:
        raise NotFoundError(f"{complaint_id} has no allocation in {deployment.environment}")
    return AllocationEntry.model_validate(item)


def _read(said: dict[str, Any]) -> Feedback:
    try:
        return Feedback.model_validate(said)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, p['loc'])) or 'feedback'}: {p['msg']}" for p in error.errors())
        raise WrongUsageError("; ".join(problems)) from error


def _wait(deployment: Deployment, said: Feedback, timeout_seconds: float) -> FeedbackRow:
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        row = deployment.story.get(INBOX + said.complaint_id, said.feedback_id)
        if row is not None and "outcome" in row:
            return FeedbackRow.model_validate(row)
        time.sleep(POLL_SECONDS)
    raise CommandError(
        f"{said.feedback_id} was handed in and not applied within {timeout_seconds:g} s; "
        f"look again with `triage show {said.complaint_id}`"
    )
