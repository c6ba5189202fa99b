import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import boto3
import typer

from cli import options
from cli.aws.deployment import find
from cli.aws.functions import invoke, read_request
from cli.errors import CommandError
from cli.output import out, print_json, print_table
from cli.pages.formats import points
from triage.explanation.delivered import Delivered
from triage.explanation.rationale import checks_in_words
from triage.steps import DeliveryRequest, ExplanationRequest, LawfulBasis

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

POLL_SECONDS = 0.5
WORDS = 6
"""Number of words that the terminal shows of a sentence: those with the largest effect."""


def explain(
    complaint_id: Annotated[str, typer.Argument(help="The complaint whose decision is explained.")],
    task: Annotated[str, typer.Option(help="The decision: product, issue, vulnerable, …")] = "product",
    purpose: Annotated[str, typer.Option(help="Purpose. It is recorded.")] = "request of a regulator",
    lawful_basis: Annotated[str, typer.Option(help=", ".join(get_args(LawfulBasis)))] = "legal obligation",
    seed: Annotated[int, typer.Option(help="Seed of the random divisions of the letter.")] = 0,
    html: Annotated[Path | None, typer.Option(help="Write a page to this file.", show_default=False)] = None,
    svg_file: Annotated[
        Path | None, typer.Option("--svg", help="Write the chart to this file.", show_default=False)
    ] = None,
    png_file: Annotated[
        Path | None, typer.Option("--png", help="Write the chart to this file.", show_default=False)
    ] = None,
    timeout: Annotated[float, typer.Option(help="Longest time to wait, in seconds.")] = 300.0,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Let the model that decided explain its decision. Acts as the explainer's role; the requester is recorded."""
    request = read_request(
        ExplanationRequest,
        complaint_id=complaint_id,
        task=task,
        requester=options.operator(),
        purpose=purpose,
        lawful_basis=lawful_basis,
        seed=seed,
    )
    deployment = find(env, state=state)
    session = deployment.acting_as("explainer-role")
    machine = deployment.name("explanation-state-machine")
    _explained(session.client("stepfunctions"), machine, request, timeout)
    delivered = _delivered(session, deployment.name("deliver-explanation-function"), request)
    _draw(delivered, html=html, svg=svg_file, png=png_file)
    if as_json:
        print_json(delivered)
    else:
        _print(delivered)


def _explained(states: "SFNClient", machine: str, request: ExplanationRequest, timeout_seconds: float) -> None:
    """Wait until the request is explained. An execution that failed before is tried again under another name."""
    execution, started = _start(states, machine, request, request.request_id)
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        found = states.describe_execution(executionArn=execution)
        if found["status"] == "SUCCEEDED":
            return
        if found["status"] != "RUNNING" and started:
            raise CommandError(f"{request.complaint_id} was not explained: {_cause(found)}")
        if found["status"] != "RUNNING":
            name = f"{request.request_id}-{round(time.time() * 1000)}"
            execution, started = _start(states, machine, request, name)
        time.sleep(POLL_SECONDS)
    raise CommandError(
        f"{request.complaint_id} was not explained within {timeout_seconds:g} s; "
        "run the same command again to wait longer"
    )


def _start(states: "SFNClient", machine: str, request: ExplanationRequest, name: str) -> tuple[str, bool]:
    """Return the ARN of the execution with this name, and whether it was started now."""
    try:
        began = states.start_execution(stateMachineArn=machine, name=name, input=request.model_dump_json())
    except states.exceptions.ExecutionAlreadyExists:
        return f"{machine.replace(':stateMachine:', ':execution:')}:{name}", False
    return began["executionArn"], True


def _cause(execution: Mapping[str, Any]) -> str:
    """Return the message of the function that failed, without its stack trace."""
    try:
        return str(json.loads(execution["cause"])["errorMessage"])
    except (KeyError, TypeError, ValueError):
        return str(execution.get("cause") or execution["status"])


def _delivered(session: boto3.Session, function: str, request: ExplanationRequest) -> Delivered:
    wanted = DeliveryRequest(
        complaint_id=request.complaint_id,
        task=request.task,
        request_id=request.request_id,
        requester=request.requester,
    )
    try:
        return invoke(session, function, wanted, gives=Delivered)
    except CommandError as error:
        raise CommandError(
            f"{request.complaint_id} was explained, but the explanation was not handed out: {error}"
        ) from error


def _draw(delivered: Delivered, *, html: Path | None, svg: Path | None, png: Path | None) -> None:
    # Imported here, because matplotlib takes a second to import.
    from cli.pages import explanation

    if html is not None:
        html.write_text(explanation.page(delivered), encoding="utf-8")
    if svg is not None:
        svg.write_text(explanation.svg(delivered), encoding="utf-8")
    if png is not None:
        png.write_bytes(explanation.png(delivered))


def _print(delivered: Delivered) -> None:
    explained = delivered.explanation.explained
    out.print(delivered.explanation.rationale)
    print_table(
        f"Why {explained.label}",
        ("sentence", "points", "points of the runner-up", "text"),
        (
            (number, points(passage.label), points(passage.runner_up), passage.text.strip())
            for number, passage in enumerate(delivered.sentences, start=1)
        ),
    )
    for number, passage in enumerate(delivered.sentences, start=1):
        if passage.words:
            ranked = sorted(passage.words, key=lambda word: -abs(word.label))[:WORDS]
            out.print(
                f"sentence {number}: " + ", ".join(f"{word.text.strip()} {points(word.label)}" for word in ranked)
            )
    print_table("Checks", ("check", "value"), checks_in_words(explained))
    out.print(f"{delivered.explanation.entry} was handed to {delivered.requester} at {delivered.delivered_at}")
