"""Applies feedback on allocations. The stream of `complaints_allocation` reports each row that is handed in."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from pydantic import ValidationError

from runtime.adapters.dynamodb import Condition, Table
from runtime.adapters.feedback import CurrentAllocation
from runtime.adapters.metrics import Metrics
from runtime.function import Handler, entry_point
from triage import tables
from triage.errors import TriageError
from triage.feedback import INBOX, FeedbackRow, is_pending
from triage.functions import FeedbackEnvironment
from triage.metrics import Metric
from triage.outbox import expiry
from triage.steps import EVENT_TYPE
from triage.story import AllocationEntry
from triage.taxonomy import load_taxonomy
from triage.validation import problems

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

logger = Logger(service="feedback")


def build(environment: FeedbackEnvironment, session: boto3.Session) -> Handler:
    story = Table(session.client("dynamodb"), tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)
    current = CurrentAllocation(story, load_taxonomy(), code_version=environment.code_version)
    metrics = Metrics(environment)
    events, sqs = session.client("events"), session.client("sqs")

    def outcome_of(inbox: str, feedback_id: str, row: dict[str, Any]) -> dict[str, Any]:
        try:
            feedback = FeedbackRow.model_validate(row).feedback()
        except ValidationError as error:
            _report(inbox, feedback_id, sqs, environment.parked_queue_url)
            return {"outcome": "refused", "reason": f"malformed: {problems(error, 'feedback')}"}
        try:
            applied = current.apply(feedback, datetime.now(UTC))
        except TriageError as error:
            return {"outcome": "refused", "reason": str(error)}
        _announce(applied.allocation, events, environment)
        return {"outcome": "applied", "made_version": applied.made_version}

    def take(inbox: str, feedback_id: str) -> None:
        row = story.get(inbox, feedback_id)
        if row is None or not is_pending(row):
            return
        outcome = outcome_of(inbox, feedback_id, row)
        expires_at = expiry(datetime.now(UTC), environment.retention_days)
        exists = Condition("attribute_exists(#id)", id="complaint_id")
        if story.put({**row, **outcome, "expires_at": expires_at}, condition=exists):
            # Without the reason: it quotes what was handed in, which may be anything.
            ids = {"complaint_id": inbox.removeprefix(INBOX), "feedback_id": feedback_id}
            logger.info("taken", extra={**ids, "outcome": outcome["outcome"]})
        # Otherwise the row was erased meanwhile, and must not be written again.

    def apply_each(event: dict[str, Any], context: object) -> None:
        for record in event["Records"]:
            keys = record["dynamodb"]["Keys"]
            inbox, feedback_id = keys["complaint_id"]["S"], keys["entry"]["S"]
            if not inbox.startswith(INBOX):
                continue
            try:
                take(inbox, feedback_id)
            except Exception as error:
                # An error would block the stream. The row stays without an outcome, and its writer may put it again.
                where = {"inbox": inbox, "feedback_id": feedback_id, "error": type(error).__name__}
                logger.error("left without an outcome", extra=where)
                # An alarm watches this metric.
                metrics.measure(Metric.FEEDBACK_FAILED)

    return apply_each


def _announce(allocation: AllocationEntry, events: "EventBridgeClient", environment: FeedbackEnvironment) -> None:
    """Send the event before the row gets its outcome, so that it is never left out; it may come twice."""
    answer = events.put_events(
        Entries=[
            {
                "EventBusName": environment.bus_name,
                "Source": environment.event_source,
                "DetailType": EVENT_TYPE,
                "Detail": allocation.announcement().model_dump_json(),
            }
        ]
    )
    if answer["FailedEntryCount"]:
        raise RuntimeError("the event bus refused the announcement of the allocation")


def _report(inbox: str, feedback_id: str, sqs: "SQSClient", queue_url: str) -> None:
    """Send the ids of a malformed row to the parked queue, whose alarm calls people: its writer may not notice."""
    body = {"complaint_id": inbox.removeprefix(INBOX), "feedback_id": feedback_id}
    sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(body))


handler = entry_point(FeedbackEnvironment, build)
