"""`triage parked`: complaints whose every attempt failed."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import options
from cli.aws.deployment import Deployment, find
from cli.errors import NotFoundError
from cli.output import out, print_json, print_table
from runtime.adapters.executions import Executions
from triage.steps import ExecutionInput

app = typer.Typer(no_args_is_help=True, help="Complaints that could not be allocated in any attempt.")


@app.command("list")
def list_(
    env: options.Environment = "local", as_json: options.AsJson = False, state: options.State = options.DEFAULT
) -> None:
    """List parked complaints."""
    parked = list(find(env, state=state).outbox().parked())
    if as_json:
        print_json(parked)
    else:
        rows = ((p["complaint_id"], p["triage_attempts"], p["triage_execution"]) for p in parked)
        print_table("Parked", ("complaint", "attempts", "last execution"), rows)


@app.command()
def replay(
    complaint_ids: Annotated[
        list[str] | None, typer.Argument(help="The complaints to start again; by default all.")
    ] = None,
    env: options.Environment = "local",
    state: options.State = options.DEFAULT,
) -> None:
    """Start parked complaints again, with their attempts counted anew.

    Remove the cause of the failure first: this command does not check it.
    """
    deployment = find(env, state=state)
    outbox = deployment.outbox()
    executions = Executions(deployment.session.client("stepfunctions"), deployment.name("state-machine"))
    parked = {item["complaint_id"]: item for item in outbox.parked()}
    chosen = complaint_ids or list(parked)
    for complaint_id in chosen:
        if complaint_id not in parked:
            raise NotFoundError(f"{complaint_id} is not parked; `triage parked list` shows the parked complaints")
    for complaint_id in chosen:
        name = outbox.reclaim(parked[complaint_id], datetime.now(UTC), attempt=1)
        if name is not None and executions.start(ExecutionInput(complaint_id=complaint_id), name):
            out.print(f"{complaint_id} started again")
    _dismiss(deployment, set(chosen))


def _dismiss(deployment: Deployment, complaint_ids: set[str]) -> None:
    """Delete these complaints' messages from the queue, so that the alarm ends. Messages about feedback stay."""
    sqs, queue = deployment.session.client("sqs"), deployment.name("parked-queue")
    # No message is received twice within the visibility timeout, so the loop ends.
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=30).get("Messages"):
        for message in messages:
            body = json.loads(message["Body"])
            if body["complaint_id"] in complaint_ids and "feedback_id" not in body:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
