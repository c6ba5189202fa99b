"""Starts one execution for every new complaint that the stream of `raw_complaints` reports."""

from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.adapters.executions import Executions
from runtime.adapters.outbox import Outbox
from runtime.function import Handler, entry_point
from triage import tables
from triage.functions import IntakeEnvironment
from triage.steps import ExecutionInput
from triage.story import ALLOCATION

logger = Logger(service="intake")


def build(environment: IntakeEnvironment, session: boto3.Session) -> Handler:
    complaints = Table(session.client("dynamodb"), tables.RAW_COMPLAINTS, environment.raw_complaints_table)
    outbox = Outbox(complaints, retention_days=environment.retention_days)
    story = Table(session.client("dynamodb"), tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)
    executions = Executions(session.client("stepfunctions"), environment.state_machine_arn)

    def intake(event: dict[str, Any], context: object) -> None:
        ids = [record["dynamodb"]["Keys"]["complaint_id"]["S"] for record in event["Records"]]
        started = sum(_take(complaint_id, outbox, story, executions) for complaint_id in ids)
        logger.info("taken", extra={"records": len(ids), "started": started})

    return intake


def _take(complaint_id: str, outbox: Outbox, story: Table, executions: Executions) -> bool:
    """Start the complaint, and return whether that was done. A complaint that was started before is left alone.

    A new complaint may claim any state. One that is not believed is started all the same.

    Errors are logged and not raised, because raising would block the complaints behind it in the stream. The sweeper
    starts every complaint that was not claimed, or was claimed and not started.
    """
    try:
        now = datetime.now(UTC)
        name = outbox.claim(complaint_id, now)
        if name is None:
            name = outbox.claim_unbelieved(complaint_id, now)
            if name is None and not _is_allocated(complaint_id, story):
                name = outbox.claim_unallocated(complaint_id, now)
            if name is not None:
                logger.warning("state not believed", extra={"complaint_id": complaint_id})
        return name is not None and executions.start(ExecutionInput(complaint_id=complaint_id), name)
    except Exception as error:
        logger.error("left to the sweeper", extra={"complaint_id": complaint_id, "error": type(error).__name__})
        return False


def _is_allocated(complaint_id: str, story: Table) -> bool:
    return any(story.get_many([(complaint_id, ALLOCATION)], consistent=True, attributes=("complaint_id", "entry")))


handler = entry_point(IntakeEnvironment, build)
