"""`triage feedback`"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from uuid import uuid4

import typer
from pydantic import ValidationError

from cli import options
from cli.aws import feedback_inbox as handing_in
from cli.aws.deployment import Deployment, find
from cli.errors import CommandError, NotFoundError, WrongUsageError
from cli.feedback_file import Statement, read_statements
from cli.output import out, print_json, print_table, progress_bar
from triage.errors import FeedbackRefusedError, UnknownProductError
from triage.feedback import Feedback, Kind
from triage.story import ALLOCATION, AllocationEntry
from triage.taxonomy import load_taxonomy

STATEMENT = frozenset(
    ("complaint_id", "kind", "product", "issue", "role", "blind", "stratum", "inclusion", "version", "feedback_id")
)
"""Parameters that say what each row of a file says for itself."""


def feedback(
    context: typer.Context,
    complaint_id: Annotated[
        str | None, typer.Argument(help="The complaint whose allocation was looked at.", show_default=False)
    ] = None,
    kind: Annotated[str | None, typer.Argument(help=", ".join(get_args(Kind)), show_default=False)] = None,
    file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A CSV file with a statement in each row, instead."),
    ] = None,
    product: Annotated[str | None, typer.Option(help="The right product; its team receives the complaint.")] = None,
    issue: Annotated[str | None, typer.Option(help="The right issue, one of the product's.")] = None,
    role: Annotated[str, typer.Option(help="In which role: analyst, product team, …")] = "analyst",
    blind: Annotated[bool, typer.Option("--blind", help="The models' answer was not seen.")] = False,
    stratum: Annotated[
        Literal["random", "uncertain", "novel", "vulnerable", "none"], typer.Option(help="Why it was looked at.")
    ] = "none",
    inclusion: Annotated[
        float | None, typer.Option(help="The probability with which it was drawn.", show_default=False)
    ] = None,
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
    """Confirm or correct the allocation of a complaint, or of those in a file, and wait until that is applied."""
    stated = {name for name in STATEMENT if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"}
    if file is not None:
        if stated:
            raise WrongUsageError("--file says everything in its rows; leave out: " + ", ".join(sorted(stated)))
        _hand_in_file(file, find(env, state=state), timeout, as_json)
        return
    if complaint_id is None or kind is None:
        raise WrongUsageError("name COMPLAINT_ID and KIND, or hand in a --file")
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
            "inclusion": inclusion,
            "at": datetime.now(UTC),
            "version": version or current.version,
        }
    )
    try:
        said.check(load_taxonomy(), product=current.product)
    except (FeedbackRefusedError, UnknownProductError) as error:
        raise WrongUsageError(str(error)) from error
    handing_in.put(deployment, said)
    row = handing_in.wait(deployment, [said], timeout_seconds=timeout).get(handing_in.key_of(said))
    if row is None:
        raise CommandError(
            f"{said.feedback_id} was handed in and not applied within {timeout:g} s; "
            f"look again with `triage show {complaint_id}`"
        )
    if row["outcome"] == "refused":
        raise CommandError(f"{said.feedback_id} was refused: {row['reason']}")
    if as_json:
        print_json(row)
    else:
        version_made = row["made_version"]
        out.print(f"{complaint_id} is at version {version_made}; `triage show {complaint_id}` shows its story")


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


def _hand_in_file(file: Path, deployment: Deployment, timeout_seconds: float, as_json: bool) -> None:
    statements = read_statements(file, deployment, by=options.operator())
    with progress_bar() as bar:
        putting = bar.add_task("Handing in", total=len(statements))
        # One after the other: of rows about the same complaint, each is about the version that the last one makes.
        for statement in statements:
            handing_in.put(deployment, statement.feedback)
            bar.advance(putting)
        waiting = bar.add_task("Applying", total=len(statements))
        rows = handing_in.wait(
            deployment,
            [statement.feedback for statement in statements],
            timeout_seconds=timeout_seconds,
            on_outcome=lambda count: bar.advance(waiting, count),
        )
    outcomes = [_outcome(statement, rows.get(handing_in.key_of(statement.feedback), {})) for statement in statements]
    if as_json:
        print_json(outcomes)
    else:
        columns = ("row", "complaint_id", "kind", "outcome", "made_version", "reason")
        print_table("Feedback", columns, ([outcome[column] for column in columns] for outcome in outcomes))
    refused = sum(outcome["outcome"] == "refused" for outcome in outcomes)
    late = sum(outcome["outcome"] is None for outcome in outcomes)
    if refused or late:
        raise CommandError(
            f"of {len(outcomes)} rows {refused} were refused and {late} not applied within {timeout_seconds:g} s; "
            "handing the file in again shows what became of them"
        )


def _outcome(statement: Statement, row: Mapping[str, Any]) -> dict[str, Any]:
    """outcome: None while nothing has become of the row."""
    said = statement.feedback
    known = {name: row.get(name) for name in ("outcome", "made_version", "reason")}
    ids = {"complaint_id": said.complaint_id, "feedback_id": said.feedback_id}
    return {"row": statement.row, **ids, "kind": said.kind, **known}
