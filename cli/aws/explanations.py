"""Has a decision explained by the machine of a deployment, and fetches the explanation, as the explainer's role."""

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3

from cli.aws.deployment import Deployment
from cli.aws.functions import invoke
from cli.errors import CommandError
from triage.explanation.delivered import Delivered
from triage.steps import DeliveryRequest, ExplanationRequest

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

POLL_SECONDS = 0.5


def explanation(deployment: Deployment, request: ExplanationRequest, *, timeout_seconds: float) -> Delivered:
    """Return the explanation that was asked for. The deployment records the request and the delivery.

    Raises:
        CommandError: the decision was not explained in time, or the explanation was not handed out.
        ClientError: the caller may not act as the explainer.
    """
    session = deployment.acting_as("explainer-role")
    machine = deployment.name("explanation-state-machine")
    wait_until_explained(session.client("stepfunctions"), machine, request, timeout_seconds)
    return delivered(session, deployment.name("deliver-explanation-function"), request)


def wait_until_explained(
    states: "SFNClient", machine: str, request: ExplanationRequest, timeout_seconds: float
) -> None:
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


def delivered(session: boto3.Session, function: str, request: ExplanationRequest) -> Delivered:
    """Return an explanation that was made. Raises: CommandError if it is not handed out."""
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
