"""The narrative stays in raw_complaints, and each role does only what its function needs."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.stacks import permissions
from tests.system.machine import Machine
from triage.feedback import INBOX

MARKERS = ("quixotically", "zephyrous", "Quibblethorpe")


def test_the_words_of_a_narrative_appear_in_no_state_log_metric_or_event(machine: Machine, any_item):
    text = f"My {MARKERS[0]} {MARKERS[1]} card payment was refused by Mr {MARKERS[2]}, I am a disabled veteran."
    items = [any_item(narrative=text), any_item(narrative=text, tags={"bad": MARKERS[0]})]
    machine.allocate(*items)
    for item in items:
        machine.triage("feedback", item["complaint_id"], "set_vulnerable")
    for place, content in everything_written(machine, [item["complaint_id"] for item in items]):
        assert not [marker for marker in MARKERS if marker in content], place


def test_the_search_would_find_a_narrative_that_leaked(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())
    machine.triage("feedback", allocation.complaint_id, "confirm")
    found = [
        place
        for place, content in everything_written(machine, [allocation.complaint_id])
        if allocation.complaint_id in content
    ]
    assert {place.split(" ")[0] for place in found} >= {"state", "log", "story", "feedback"}


def everything_written(machine: Machine, ids: list[str]) -> list[tuple[str, str]]:
    """Return place and content of executions, stories, feedback, logs, metrics and parked messages."""
    sfn, logs = machine.aws.client("stepfunctions"), machine.aws.client("logs")
    arn = machine.deployment.name("state-machine").replace(":stateMachine:", ":execution:")
    written = [
        (f"state {i}", json.dumps(sfn.get_execution_history(executionArn=f"{arn}:{i}")["events"], default=str))
        for i in ids
    ]
    written += [(f"story {i}", json.dumps(list(machine.deployment.story.query(i)), default=str)) for i in ids]
    written += [
        (f"feedback {i}", json.dumps(list(machine.deployment.story.query(INBOX + i)), default=str)) for i in ids
    ]
    for group in logs.describe_log_groups()["logGroups"]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        lines = [event["message"] for page in pages for event in page["events"]]
        written.append((f"log {group['logGroupName']}", "\n".join(lines)))
    metrics = machine.aws.client("cloudwatch").list_metrics()["Metrics"]
    written.append(("metrics", json.dumps(metrics)))
    for file in (machine.state / "logs").glob("*.log"):
        written.append((f"log {file.name}", file.read_text(errors="replace")))
    return written


Attempt = Callable[[Machine, boto3.Session], Any]


def _table(name: str) -> Callable[[Machine], str]:
    return lambda machine: machine.deployment.name(f"{name}-table")


def get_raw(machine: Machine, session: boto3.Session) -> Any:
    return session.client("dynamodb").get_item(
        TableName=_table("raw-complaints")(machine), Key={"complaint_id": {"S": "x"}}
    )


def scan_raw(machine: Machine, session: boto3.Session) -> Any:
    return session.client("dynamodb").scan(TableName=_table("raw-complaints")(machine))


def put_raw(machine: Machine, session: boto3.Session) -> Any:
    return session.client("dynamodb").put_item(
        TableName=_table("raw-complaints")(machine), Item={"complaint_id": {"S": "x"}}
    )


def put_story(machine: Machine, session: boto3.Session) -> Any:
    item = {"complaint_id": {"S": "role-test"}, "entry": {"S": "ALLOCATION"}}
    return session.client("dynamodb").put_item(TableName=_table("complaints-allocation")(machine), Item=item)


def scan_story(machine: Machine, session: boto3.Session) -> Any:
    return session.client("dynamodb").scan(TableName=_table("complaints-allocation")(machine))


def delete_story(machine: Machine, session: boto3.Session) -> Any:
    key = {"complaint_id": {"S": "role-test"}, "entry": {"S": "ALLOCATION"}}
    return session.client("dynamodb").delete_item(TableName=_table("complaints-allocation")(machine), Key=key)


def put_model(machine: Machine, session: boto3.Session) -> Any:
    item = {"model_id": {"S": "a/b"}, "revision": {"S": "x"}}
    return session.client("dynamodb").put_item(TableName=_table("model-info")(machine), Item=item)


def put_strategy(machine: Machine, session: boto3.Session) -> Any:
    item = {"task": {"S": "x"}, "entry": {"S": "CURRENT"}}
    return session.client("dynamodb").put_item(TableName=_table("model-strategy")(machine), Item=item)


def put_bundle(machine: Machine, session: boto3.Session) -> Any:
    return session.client("s3").put_object(Bucket=machine.deployment.name("bundles-bucket"), Key="x", Body=b"x")


def get_bundle(machine: Machine, session: boto3.Session) -> Any:
    return session.client("s3").get_object(Bucket=machine.deployment.name("bundles-bucket"), Key="x")


def start_execution(machine: Machine, session: boto3.Session) -> Any:
    return session.client("stepfunctions").start_execution(stateMachineArn=machine.deployment.name("state-machine"))


def invoke_sweep(machine: Machine, session: boto3.Session) -> Any:
    return session.client("lambda").invoke(FunctionName=machine.deployment.name("sweep-function"))


ATTEMPTS: dict[Attempt, tuple[str, str]] = {
    get_raw: ("dynamodb:GetItem", permissions.RAW),
    scan_raw: ("dynamodb:Scan", permissions.RAW),
    put_raw: ("dynamodb:PutItem", permissions.RAW),
    put_story: ("dynamodb:PutItem", permissions.STORY),
    scan_story: ("dynamodb:Scan", permissions.STORY),
    delete_story: ("dynamodb:DeleteItem", permissions.STORY),
    put_model: ("dynamodb:PutItem", permissions.MODELS),
    put_strategy: ("dynamodb:PutItem", permissions.STRATEGIES),
    put_bundle: ("s3:PutObject", permissions.BUNDLES),
    get_bundle: ("s3:GetObject", permissions.BUNDLES),
    start_execution: ("states:StartExecution", permissions.MACHINE),
    invoke_sweep: ("lambda:InvokeFunction", "Intake/Sweep.Arn"),
}
"""What each attempt needs: an action and a resource of `tests/stacks/permissions.py`."""


def _refused(function: str) -> list[Attempt]:
    """Return the calls that the function's permissions must refuse."""
    allowed = permissions.ALLOWED[f"{function}Role"]
    # The sweeper may scan, but only for attributes of the outbox, and this scan asks for all of them.
    too_wide = [scan_raw] if function == "Intake/Sweep" else []
    return [attempt for attempt, needed in ATTEMPTS.items() if needed not in allowed] + too_wide


@pytest.mark.parametrize("function", permissions.FUNCTIONS)
def test_a_function_is_refused_what_it_does_not_need(machine: Machine, function):
    layer, name = function.split("/")
    session = machine.as_role_of(name if layer == name else layer + name)
    for attempt in _refused(function):
        with pytest.raises(ClientError) as refused:
            attempt(machine, session)
        assert refused.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}, attempt


def test_a_product_team_reads_allocations_and_no_narratives(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())
    session = machine.as_role(machine.deployment.name("product-team-role"))
    found = session.client("dynamodb").query(
        TableName=_table("complaints-allocation")(machine),
        IndexName="by_team",
        KeyConditionExpression="product_team = :team",
        ExpressionAttributeValues={":team": {"S": allocation.product_team}},
    )
    assert allocation.complaint_id in {item["complaint_id"]["S"] for item in found["Items"]}
    for attempt in (get_raw, scan_raw, put_raw, put_story, scan_story, put_model, get_bundle, start_execution):
        with pytest.raises(ClientError, match="AccessDenied"):
            attempt(machine, session)
