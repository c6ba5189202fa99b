"""Applies feedback on allocations. The stream of `complaints_allocation` reports each row that is handed in."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from pydantic import ValidationError

from runtime.adapters.dynamodb import Condition, Table
from runtime.adapters.feedback import TRIES, USED, CurrentAllocation
from runtime.adapters.metrics import Metrics
from runtime.adapters.story import Stories
from runtime.function import Handler, entry_point
from triage import tables
from triage.audit.chain import content_sha256
from triage.complaint import timestamp
from triage.errors import TransientError, TriageError
from triage.feedback import (
    INBOX,
    MAX_ROW_BYTES,
    WRITABLE,
    FeedbackRow,
    as_handed_in,
    is_pending,
    is_too_large,
    with_outcome,
)
from triage.functions import FeedbackEnvironment
from triage.metrics import Metric
from triage.outbox import expiry
from triage.steps import EVENT_TYPE
from triage.story import AllocationEntry, ReceiptEntry
from triage.taxonomy import load_taxonomy
from triage.validation import problems

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

logger = Logger(service="feedback")


def build(environment: FeedbackEnvironment, session: boto3.Session) -> Handler:
    story = Table(session.client("dynamodb"), tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)
    stories = Stories(environment, session)
    current = CurrentAllocation(story, load_taxonomy(), code_version=environment.code_version)
    metrics = Metrics(environment)
    events, sqs = session.client("events"), session.client("sqs")

    def outcome_of(inbox: str, feedback_id: str, row: dict[str, Any]) -> dict[str, Any]:
        """Apply a row whose id is not bound yet, and return its outcome."""
        if is_too_large(row):
            _report(inbox, feedback_id, sqs, environment.parked_queue_url)
            return {"outcome": "refused", "reason": f"it is larger than {MAX_ROW_BYTES // 1024} KB; hand in less"}
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

    def outcome_of_bound(inbox: str, row: dict[str, Any], bound: ReceiptEntry) -> dict[str, Any]:
        """Return the outcome of a row whose id has one already. Nothing is applied twice, or under a used id."""
        if bound.row_sha256 != content_sha256(as_handed_in(row)):
            _report(inbox, bound.feedback_id, sqs, environment.parked_queue_url)
            return {"outcome": "refused", "reason": USED.format(bound.outcome)}
        if bound.outcome == "applied":
            return outcome_of(inbox, bound.feedback_id, row)
        return {"outcome": "refused", "reason": "it was refused before under this id; hand it in under a new id"}

    def take(inbox: str, feedback_id: str) -> None:
        """Give a row its outcome, and bind its id to what it says. A row that is put again meanwhile is read again."""
        for _ in range(TRIES):
            row = story.get(inbox, feedback_id)
            # A row that was erased meanwhile must not be written again.
            if row is None or not is_pending(row):
                return
            complaint_id, now = inbox.removeprefix(INBOX), datetime.now(UTC)
            key = ReceiptEntry.key(feedback_id)
            bound = stories.get(ReceiptEntry, complaint_id, key) if complaint_id else None
            known = outcome_of_bound(inbox, row, bound) if bound else outcome_of(inbox, feedback_id, row)
            result = with_outcome(as_handed_in(row), known)
            result_sha256 = content_sha256(result)
            receipt = ReceiptEntry(
                complaint_id=complaint_id,
                entry=ReceiptEntry.key(feedback_id, result_sha256 if bound else None),
                code_version=environment.code_version,
                feedback_id=feedback_id,
                taken_at=timestamp(now),
                outcome=result["outcome"],
                row_sha256=content_sha256(as_handed_in(row)),
                result_sha256=result_sha256,
                repeated=bound is not None,
            )
            # No complaint has an empty id, so no story can say what was handed in about it.
            if complaint_id and not stories.add(receipt) and bound is None:
                # Another invocation has bound the id meanwhile.
                continue
            result["expires_at"] = expiry(now, environment.retention_days)
            if story.put(result, condition=_unchanged(row)):
                # Without the reason: it quotes what was handed in, which may be anything.
                ids = {"complaint_id": complaint_id, "feedback_id": feedback_id}
                logger.info("taken", extra={**ids, "outcome": result["outcome"], "repeated": receipt.repeated})
                return
        raise TransientError(f"{feedback_id} changed each time it was about to get its outcome")

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


def _unchanged(row: dict[str, Any]) -> Condition:
    """Return the condition that the row still says what was read, and has no outcome."""
    condition = Condition(
        "attribute_exists(#id) AND attribute_not_exists(#outcome)", id="complaint_id", outcome="outcome"
    )
    for name in WRITABLE:
        if name not in ("complaint_id", "entry"):
            condition = condition.unchanged(name, row)
    return condition


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
