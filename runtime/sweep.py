"""Starts whatever the intake missed or an execution did not finish, and parks what fails again and again."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.adapters.executions import Executions
from runtime.adapters.outbox import Outbox
from runtime.function import Handler, entry_point
from triage import tables
from triage.contracts import Contract
from triage.environment import SweepEnvironment

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

logger = Logger(service="sweep")


class SweepRequest(Contract):
    """started: only what an index knows to be unfinished. all: the whole table too, for what no intake ever saw."""

    scope: Literal["started", "all"] = "started"


def build(environment: SweepEnvironment, session: boto3.Session) -> Handler:
    complaints = Table(session.client("dynamodb"), tables.RAW_COMPLAINTS, environment.raw_complaints_table)
    outbox = Outbox(complaints, retention_days=environment.retention_days)
    executions = Executions(session.client("stepfunctions"), environment.state_machine_arn)
    sqs = session.client("sqs")
    stale_after = timedelta(seconds=environment.stale_after_seconds)

    def sweep(event: dict[str, Any], context: object) -> dict[str, int]:
        request = SweepRequest.model_validate(event)
        found: Counter[str] = Counter()
        if request.scope == "all":
            for complaint_id in outbox.unseen():
                name = outbox.claim(complaint_id, datetime.now(UTC))
                found["unseen"] += name is not None and executions.start(complaint_id, name)
        for item in outbox.started_before(datetime.now(UTC) - stale_after):
            if executions.is_running(item["triage_execution"]):
                found["running"] += 1
            elif item["triage_attempts"] >= environment.max_attempts:
                found["parked"] += _park(item, outbox, sqs, environment.parked_queue_url)
            else:
                found["restarted"] += _restart(item, outbox, executions)
        logger.info("swept", extra={"scope": request.scope, **found})
        return dict(found)

    return sweep


def _restart(item: dict[str, Any], outbox: Outbox, executions: Executions) -> bool:
    name = outbox.reclaim(item, datetime.now(UTC), attempt=int(item["triage_attempts"]) + 1)
    return name is not None and executions.start(item["complaint_id"], name)


def _park(item: dict[str, Any], outbox: Outbox, sqs: "SQSClient", queue_url: str) -> bool:
    """The message tells people; the state in the outbox is what `triage parked replay` works on."""
    if not outbox.park(item):
        return False
    body = {"complaint_id": item["complaint_id"], "attempts": int(item["triage_attempts"])}
    sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(body))
    logger.error("parked", extra=body)
    return True


handler = entry_point(SweepEnvironment, build)
