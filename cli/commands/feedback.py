from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from uuid import uuid4

import typer
from pydantic import ValidationError

from cli import options
from cli.aws import feedback_inbox
from cli.aws.deployment import Deployment, find
from cli.errors import CommandError, NotFoundError, WrongUsageError
from cli.feedback_file import read_statements
from cli.output import out, print_json, print_table, progress_bar
from triage.errors import FeedbackRefusedError, UnknownProductError
from triage.feedback import Feedback, Kind, Statement
from triage.story import ALLOCATION, AllocationEntry
from triage.taxonomy import load_taxonomy
from triage.validation import problems

PER_ROW = frozenset({"complaint_id", "feedback_id", "task", "blind", *Statement.model_fields})
"""Parameters that each row of a file states for itself."""

COLUMNS = ("row", "complaint_id", "kind", "outcome", "made_version", "reason")


def feedback(
    context: typer.Context,
    complaint_id: Annotated[
        str | None, typer.Argument(help="The complaint whose allocation was reviewed.", show_default=False)
    ] = None,
    kind: Annotated[str | None, typer.Argument(help=", ".join(get_args(Kind)), show_default=False)] = None,
    file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Hand in every row of this CSV file instead."),
    ] = None,
    product: Annotated[str | None, typer.Option(help="The right product; its team receives the complaint.")] = None,
    issue: Annotated[str | None, typer.Option(help="The right issue, one of the product's.")] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(help="Confirm the answer to this task; repeat for more. By default product and issue."),
    ] = None,
    role: Annotated[str, typer.Option(help="The reviewer's role, such as analyst or product team.")] = "analyst",
    blind: Annotated[bool, typer.Option("--blind", help="The reviewer has not seen the allocation.")] = False,
    stratum: Annotated[
        Literal["random", "uncertain", "novel", "vulnerable", "none"], typer.Option(help="Why it was reviewed.")
    ] = "none",
    inclusion: Annotated[
        float | None, typer.Option(help="The probability with which it was drawn.", show_default=False)
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="Reviewed version; by default the current one.", show_default=False)
    ] = None,
    feedback_id: Annotated[
        str | None,
        typer.Option("--id", help="Unique id; a second row with it is ignored.", show_default=False),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 60.0,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Confirm or correct the allocation of a complaint, or of many in a file, and wait until it is applied."""
    stated = {name for name in PER_ROW if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"}
    if file is not None:
        if stated:
            raise WrongUsageError("with --file, the rows state all values; leave out: " + ", ".join(sorted(stated)))
        _hand_in_file(file, find(env, state=state), timeout, as_json)
        return
    if complaint_id is None or kind is None:
        raise WrongUsageError("name COMPLAINT_ID and KIND, or hand in a --file")
    deployment = find(env, state=state)
    item = deployment.story.get(complaint_id, ALLOCATION)
    if item is None:
        raise NotFoundError(f"{complaint_id} has no allocation in {deployment.environment}")
    current = AllocationEntry.model_validate(item)
    try:
        review = Feedback.model_validate(
            {
                "feedback_id": feedback_id or uuid4().hex,
                "complaint_id": complaint_id,
                "kind": kind,
                "product": product,
                "issue": issue,
                "tasks": task or None,
                "by": deployment.operator,
                "role": role,
                "mode": "blind" if blind else "assisted",
                "stratum": stratum,
                "inclusion": inclusion,
                "at": datetime.now(UTC),
                "version": version or current.version,
            }
        )
        review.check(load_taxonomy(), product=current.product)
    except ValidationError as error:
        raise WrongUsageError(problems(error, "feedback")) from error
    except (FeedbackRefusedError, UnknownProductError) as error:
        raise WrongUsageError(str(error)) from error
    if problem := feedback_inbox.put(deployment, review):
        raise CommandError(f"nothing was handed in: {problem}")
    row = feedback_inbox.wait(deployment, [review], timeout_seconds=timeout).get(feedback_inbox.key_of(review))
    if row is None:
        raise CommandError(
            f"{review.feedback_id} was handed in and not applied within {timeout:g} s; "
            f"look again with `triage show {complaint_id}`"
        )
    if row["outcome"] == "refused":
        raise CommandError(f"{review.feedback_id} was refused: {row['reason']}")
    if as_json:
        print_json(row)
    else:
        made = f"{complaint_id} is at version {row['made_version']}"
        out.print(f"{made}; `triage show {complaint_id}` shows its story")


def _hand_in_file(file: Path, deployment: Deployment, timeout_seconds: float, as_json: bool) -> None:
    statements = read_statements(file, deployment, by=deployment.operator)
    with progress_bar() as bar:
        putting = bar.add_task("Handing in", total=len(statements))
        # In order, because each row about a complaint refers to the version that the row before it makes.
        used: dict[int, str] = {}
        for statement in statements:
            if problem := feedback_inbox.put(deployment, statement.feedback):
                used[statement.row] = problem
            bar.advance(putting)
        waiting = bar.add_task("Applying", total=len(statements))
        rows = feedback_inbox.wait(
            deployment,
            [statement.feedback for statement in statements if statement.row not in used],
            timeout_seconds=timeout_seconds,
            on_outcome=lambda count: bar.advance(waiting, count),
        )
    outcomes: list[dict[str, Any]] = []
    for statement in statements:
        feedback = statement.feedback
        row = rows.get(feedback_inbox.key_of(feedback), {})
        if statement.row in used:
            row = {"outcome": "refused", "reason": used[statement.row]}
        outcomes.append(
            {
                "row": statement.row,
                "complaint_id": feedback.complaint_id,
                "feedback_id": feedback.feedback_id,
                "kind": feedback.kind,
                **{name: row.get(name) for name in ("outcome", "made_version", "reason")},
            }
        )
    if as_json:
        print_json(outcomes)
    else:
        print_table("Feedback", COLUMNS, ([outcome[column] for column in COLUMNS] for outcome in outcomes))
    refused = sum(outcome["outcome"] == "refused" for outcome in outcomes)
    late = sum(outcome["outcome"] is None for outcome in outcomes)
    if refused or late:
        raise CommandError(
            f"of {len(outcomes)} rows {refused} were refused and {late} not applied within {timeout_seconds:g} s; "
            "hand the same file in again to see their outcomes"
        )
