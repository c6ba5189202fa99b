"""Events that AWS gave up on: reads them from the queue and the bucket of a deployment, and delivers them again.

https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html describes the objects of the bucket, and
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html the messages of functions.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from cli.aws.deployment import Deployment
from cli.aws.functions import patient

HIDDEN_SECONDS = 30
"""No message is received twice within this time, so reading the queue ends."""


@dataclass(frozen=True)
class Undelivered:
    """One event. event: what its target is invoked with, as JSON; None where the next scheduled run does the work.

    kind: `stream` for a batch of records, `invocation` for a function that failed, `rule` for a target that was not
    reached. place: the key of its object, or the receipt of its message.
    """

    kind: Literal["stream", "invocation", "rule"]
    target: str
    failed_at: str
    reason: str
    event: str | None
    place: str

    @property
    def name(self) -> str:
        """The name of the function or state machine."""
        return self.target.split(":")[6] if self.target.count(":") >= 6 else self.target


@dataclass(frozen=True)
class Notice:
    """A message that says that an object was stored; it only raises the alarm."""

    key: str
    receipt: str


def read(deployment: Deployment) -> tuple[list[Undelivered], list[Notice]]:
    """Return everything that was not delivered, the oldest first, and the notices about it."""
    messages = list(_messages(deployment))
    events = [*_stored(deployment), *(message for message in messages if isinstance(message, Undelivered))]
    notices = [message for message in messages if isinstance(message, Notice)]
    return sorted(events, key=lambda event: event.failed_at), notices


def deliver(deployment: Deployment, undelivered: Undelivered) -> str | None:
    """Deliver an event again and remove it; return why that failed, or None. A failed one stays where it is."""
    try:
        failure = _deliver(deployment, undelivered)
    except (BotoCoreError, ClientError) as error:
        return str(error)
    if failure is None:
        _remove(deployment, undelivered)
    return failure


def dismiss(deployment: Deployment, notices: list[Notice]) -> None:
    """Delete the notices of objects that do not exist any more, so that the alarm ends."""
    left = {event.place for event in _stored(deployment)}
    sqs, queue = deployment.session.client("sqs"), deployment.name("undelivered-queue")
    for notice in notices:
        if notice.key not in left:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=notice.receipt)


def _deliver(deployment: Deployment, undelivered: Undelivered) -> str | None:
    if undelivered.event is None:
        return None
    if ":stateMachine:" in undelivered.target:
        states = deployment.session.client("stepfunctions")
        states.start_execution(stateMachineArn=undelivered.target, input=undelivered.event)
        return None
    answer = patient(deployment.session).invoke(FunctionName=undelivered.target, Payload=undelivered.event.encode())
    content = json.loads(answer["Payload"].read() or "null")
    if "FunctionError" not in answer:
        return None
    return str(content.get("errorMessage") or content.get("errorType")) if isinstance(content, dict) else str(content)


def _remove(deployment: Deployment, undelivered: Undelivered) -> None:
    if undelivered.kind == "stream":
        s3, bucket = deployment.session.client("s3"), deployment.name("undelivered-bucket")
        s3.delete_object(Bucket=bucket, Key=undelivered.place)
    else:
        sqs, queue = deployment.session.client("sqs"), deployment.name("undelivered-queue")
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=undelivered.place)


def _stored(deployment: Deployment) -> Iterator[Undelivered]:
    s3, bucket = deployment.session.client("s3"), deployment.name("undelivered-bucket")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", []):
            key = found["Key"]
            record = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            yield Undelivered(
                kind="stream",
                target=_target(record),
                failed_at=str(record.get("timestamp")),
                reason=str(record["requestContext"].get("condition")),
                event=record["payload"] if isinstance(record["payload"], str) else json.dumps(record["payload"]),
                place=key,
            )


def _messages(deployment: Deployment) -> Iterator[Undelivered | Notice]:
    sqs, queue = deployment.session.client("sqs"), deployment.name("undelivered-queue")
    asked: dict[str, Any] = {
        "MaxNumberOfMessages": 10,
        "VisibilityTimeout": HIDDEN_SECONDS,
        "MessageAttributeNames": ["All"],
    }
    while messages := sqs.receive_message(QueueUrl=queue, **asked).get("Messages"):
        yield from map(_read, messages)


def _read(message: Any) -> Undelivered | Notice:
    receipt, body = message["ReceiptHandle"], json.loads(message["Body"])
    if body.get("source") == "aws.s3":
        return Notice(body["detail"]["object"]["key"], receipt)
    if "requestPayload" in body:
        return Undelivered(
            kind="invocation",
            target=_target(body),
            failed_at=str(body.get("timestamp")),
            reason=str(body["requestContext"].get("condition")),
            event=json.dumps(body["requestPayload"]),
            place=receipt,
        )
    stated = {name: value.get("StringValue") for name, value in message.get("MessageAttributes", {}).items()}
    target = str(stated.get("TARGET_ARN"))
    # A state machine gets the detail of an event. A schedule comes again by itself.
    scheduled = body.get("detail-type") == "Scheduled Event"
    event = body["detail"] if ":stateMachine:" in target and "detail" in body else body
    return Undelivered(
        kind="rule",
        target=target,
        failed_at=str(body.get("time")),
        reason=str(stated.get("ERROR_MESSAGE") or stated.get("ERROR_CODE")),
        event=None if scheduled else json.dumps(event),
        place=receipt,
    )


def _target(record: dict[str, Any]) -> str:
    """Return the function of a record, without its version."""
    arn: str = record["requestContext"]["functionArn"]
    return arn.removesuffix(":$LATEST")
