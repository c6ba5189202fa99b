import json
from io import BytesIO
from typing import Any

import pytest

from cli.aws.deployment import Deployment
from tests.cli.commands import ENV, MACHINE
from tests.cli.conftest import publish

FEEDBACK = "arn:aws:lambda:eu-west-2:123456789012:function:feedback"
EVENT = {"Records": [{"eventName": "INSERT", "dynamodb": {"Keys": {"complaint_id": {"S": "FEEDBACK#1"}}}}]}
KEY = "aws/lambda/m-1/shard/2026/03/02/2026-03-02T09.30.00-1"


class Functions:
    """Lambda, as far as a replay invokes it. failing: the functions that raise."""

    def __init__(self) -> None:
        self.invoked: list[Any] = []
        self.failing: set[str] = set()

    def invoke(self, *, FunctionName, Payload):  # noqa: N803  # the names are boto3's
        if FunctionName in self.failing:
            error = {"errorType": "RuntimeError", "errorMessage": "still down"}
            return {"FunctionError": "Unhandled", "Payload": BytesIO(json.dumps(error).encode())}
        self.invoked.append((FunctionName, json.loads(Payload)))
        return {"Payload": BytesIO(b"null")}


@pytest.fixture
def lambdas(deployment: Deployment, monkeypatch):
    """Lambda, with an empty queue and bucket of undelivered events beside it."""
    session = deployment.session
    session.client("s3").create_bucket(
        Bucket="undelivered", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"}
    )
    publish(session, "undelivered-bucket", "undelivered")
    publish(session, "undelivered-queue", session.client("sqs").create_queue(QueueName="undelivered")["QueueUrl"])
    functions, real = Functions(), type(session).client

    def client(self, service, **options):
        return functions if service == "lambda" else real(self, service, **options)

    monkeypatch.setattr(type(session), "client", client)
    return functions


def store(deployment: Deployment, key: str = KEY) -> None:
    """Store a batch of the stream as Lambda does, and send the notice of it as EventBridge does."""
    record = {
        "requestContext": {"functionArn": f"{FEEDBACK}:$LATEST", "condition": "RetryAttemptsExhausted"},
        "timestamp": "2026-03-02T09:30:00.000Z",
        "payload": json.dumps(EVENT),
    }
    deployment.session.client("s3").put_object(Bucket="undelivered", Key=key, Body=json.dumps(record))
    notice = {"source": "aws.s3", "detail-type": "Object Created", "detail": {"object": {"key": key}}}
    send(deployment, notice)


def send(deployment: Deployment, body, **attributes) -> None:
    stated: Any = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    queue = deployment.name("undelivered-queue")
    sqs = deployment.session.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(body), MessageAttributes=stated)


def left(deployment: Deployment) -> tuple[int, int]:
    """Return how many messages and objects are left."""
    counted: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    sqs, queue = deployment.session.client("sqs"), deployment.name("undelivered-queue")
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=counted)["Attributes"]
    objects = deployment.session.client("s3").list_objects_v2(Bucket="undelivered")["KeyCount"]
    return sum(map(int, found.values())), objects


def test_records_of_a_stream_are_listed_with_the_function_that_missed_them(triage, deployment, lambdas):
    store(deployment)
    (row,) = triage("undelivered", "list", "--json", *ENV).json
    assert row == {
        "function": "feedback",
        "kind": "stream",
        "failed_at": "2026-03-02T09:30:00.000Z",
        "reason": "RetryAttemptsExhausted",
    }
    assert "feedback" in triage("undelivered", "list", *ENV).out
    assert left(deployment) == (1, 1)


def test_records_of_a_stream_are_delivered_as_they_were_and_their_alarm_ends(triage, deployment, lambdas):
    store(deployment)
    assert "feedback has got what it missed" in triage("undelivered", "replay", *ENV).out
    assert lambdas.invoked == [(FEEDBACK, EVENT)]
    assert left(deployment) == (0, 0)


def test_what_fails_again_stays_with_its_alarm_and_holds_up_nothing(triage, deployment, lambdas):
    store(deployment)
    keep_held = FEEDBACK.replace("feedback", "keep-held")
    send(deployment, {"requestContext": {"functionArn": keep_held}, "requestPayload": {}})
    lambdas.failing.add(FEEDBACK)
    ended = triage("undelivered", "replay", *ENV)
    assert ended.code == 1
    assert "feedback failed again: still down" in ended.err and "1 of 2 failed again" in ended.err
    assert lambdas.invoked == [(keep_held, {})]
    assert left(deployment) == (1, 1)


def test_a_scheduled_run_that_failed_is_run_again(triage, deployment, lambdas):
    payload = {"scope": "slice", "at": "2026-03-02T09:30:00Z"}
    send(deployment, {"requestContext": {"functionArn": f"{FEEDBACK}:$LATEST"}, "requestPayload": payload})
    assert triage("undelivered", "replay", *ENV).code == 0
    assert lambdas.invoked == [(FEEDBACK, payload)]
    assert left(deployment) == (0, 0)


def test_an_event_that_did_not_reach_a_state_machine_starts_it_with_its_detail(triage, deployment, lambdas):
    body = {"detail-type": "ComplaintAllocated", "detail": {"complaint_id": "1"}, "time": "2026-03-02T09:30:00Z"}
    send(deployment, body, TARGET_ARN=MACHINE, ERROR_MESSAGE="throttled")
    assert "triage has got" in triage("undelivered", "replay", *ENV).out
    states = deployment.session.client("stepfunctions")
    (execution,) = states.list_executions(stateMachineArn=MACHINE)["executions"]
    described = states.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(described["input"]) == {"complaint_id": "1"}
    assert left(deployment) == (0, 0)


def test_a_schedule_that_did_not_reach_its_function_is_dismissed_because_it_comes_again(triage, deployment, lambdas):
    send(deployment, {"detail-type": "Scheduled Event", "detail": {}}, TARGET_ARN=FEEDBACK, ERROR_CODE="NO_PERMISSIONS")
    assert triage("undelivered", "replay", *ENV).code == 0
    assert lambdas.invoked == []
    assert left(deployment) == (0, 0)


def test_where_everything_was_delivered_nothing_is_listed(triage, deployment, lambdas):
    assert triage("undelivered", "list", "--json", *ENV).json == []
    assert triage("undelivered", "replay", *ENV).code == 0
