"""Starts complaints that the intake missed or an execution did not finish, and parks those that fail repeatedly.

A complaint that claims a state without its record, as another writer may have put it, is started as well.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import READ_TOGETHER, Table
from runtime.adapters.executions import Executions
from runtime.adapters.metrics import Metrics
from runtime.adapters.outbox import Outbox, doubted
from runtime.function import Handler, entry_point
from triage import tables
from triage.contracts import Contract
from triage.functions import SweepEnvironment
from triage.metrics import Metric
from triage.outbox import doubt, slice_at
from triage.steps import ExecutionInput

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

logger = Logger(service="sweep")
Found = TypeVar("Found")


RESERVE: Final = timedelta(minutes=1)
"""A sweep ends this long before Lambda would end it. What it leaves, the next one finds."""


class SweepRequest(Contract):
    """scope: `started` reads the index of unfinished complaints. `slice` also looks for complaints that nobody saw,
    or whose state is not believed, in one slice of the table, and `all` in the whole table, which takes too long where
    there are millions.

    at: the time that the sweep is scheduled for; it determines the slice. By default now.
    """

    scope: Literal["started", "slice", "all"] = "started"
    at: datetime | None = None


def build(environment: SweepEnvironment, session: boto3.Session) -> Handler:
    complaints = Table(session.client("dynamodb"), tables.RAW_COMPLAINTS, environment.raw_complaints_table)
    story = Table(session.client("dynamodb"), tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)
    outbox = Outbox(complaints, retention_days=environment.retention_days)
    metrics = Metrics(environment)
    executions = Executions(session.client("stepfunctions"), environment.state_machine_arn)
    sqs = session.client("sqs")
    stale_after = timedelta(seconds=environment.stale_after_seconds)

    def sweep(event: dict[str, Any], context: object) -> dict[str, int]:
        request = SweepRequest.model_validate(event)
        found: Counter[str] = Counter()
        time_left = _time_left(context)

        def claims() -> Iterator[dict[str, Any]]:
            if request.scope == "all":
                return outbox.all()
            every, slices = environment.sweep_every_seconds, environment.sweep_slices
            number = slice_at(request.at or datetime.now(UTC), every_seconds=every, slices=slices)
            return outbox.all(of_slice=number, slices=slices)

        def wrong() -> Iterator[tuple[dict[str, Any], str | None]]:
            """Yield complaints without a state, and those whose state is not believed, with the reason."""
            claimed: list[dict[str, Any]] = []
            for item in claims():
                if "triage_state" not in item:
                    yield item, None
                    continue
                claimed.append(item)
                if len(claimed) == READ_TOGETHER:
                    yield from doubted(claimed, story, datetime.now(UTC))
                    claimed = []
            yield from doubted(claimed, story, datetime.now(UTC))

        def start(complaint_id: str, name: str | None, outcome: str) -> str:
            request = ExecutionInput(complaint_id=complaint_id)
            return outcome if name is not None and executions.start(request, name) else "taken"

        def start_wrong(found: tuple[dict[str, Any], str | None]) -> str:
            item, reason = found
            if reason is None:
                return start(item["complaint_id"], outbox.claim(item["complaint_id"], datetime.now(UTC)), "unseen")
            return disbelieve(item, reason)

        def disbelieve(item: dict[str, Any], reason: str) -> str:
            logger.warning("state not believed", extra={"complaint_id": item["complaint_id"], "reason": reason})
            return start(item["complaint_id"], outbox.claim_again(item, datetime.now(UTC)), "disbelieved")

        def tend(item: dict[str, Any]) -> str:
            if reason := doubt(item, has_allocation=False, now=datetime.now(UTC)):
                return disbelieve(item, reason)
            if executions.is_running(item["triage_execution"]):
                return "running"
            if item["triage_attempts"] >= environment.max_attempts:
                return _park(item, outbox, sqs, environment.parked_queue_url)
            name = outbox.reclaim(item, datetime.now(UTC), attempt=int(item["triage_attempts"]) + 1)
            return start(item["complaint_id"], name, "restarted")

        if request.scope != "started":
            found.update(_outcomes(start_wrong, ((one[0]["complaint_id"], one) for one in wrong()), time_left))
        started = outbox.started_before(datetime.now(UTC) - stale_after)
        found.update(_outcomes(tend, ((item["complaint_id"], item) for item in started), time_left))
        if found["failed"]:
            metrics.measure(Metric.SWEEP_FAILED, found["failed"])
        # Their messages expire before the complaints do. An alarm watches this metric.
        metrics.measure(Metric.STILL_PARKED, sum(1 for _ in outbox.parked()))
        logger.info("swept", extra={"scope": request.scope, **found})
        return dict(found)

    return sweep


def _time_left(context: object) -> Callable[[], timedelta]:
    """Return a function that tells how long the sweep may still run; without a context of Lambda, for ever."""
    left = getattr(context, "get_remaining_time_in_millis", None)
    return (lambda: timedelta(milliseconds=left())) if left else lambda: timedelta.max


def _outcomes(
    tend: Callable[[Found], str], complaints: Iterable[tuple[str, Found]], time_left: Callable[[], timedelta]
) -> Counter[str]:
    """Count what became of the complaints. One that fails is left to the next sweep and stops no other.

    `interrupted` is counted where time ran out before all were tended.
    """
    outcomes: Counter[str] = Counter()
    for complaint_id, found in complaints:
        if time_left() < RESERVE:
            outcomes["interrupted"] += 1
            break
        try:
            outcomes[tend(found)] += 1
        except Exception as error:
            outcomes["failed"] += 1
            logger.error("left to the next sweep", extra={"complaint_id": complaint_id, "error": type(error).__name__})
    return outcomes


def _park(item: dict[str, Any], outbox: Outbox, sqs: "SQSClient", queue_url: str) -> str:
    """Park a complaint, and send a message that alarms people. `triage parked replay` reads the state in the outbox."""
    if not outbox.park(item):
        return "taken"
    body = {"complaint_id": item["complaint_id"], "attempts": int(item["triage_attempts"])}
    try:
        sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(body))
    except Exception:
        outbox.unpark(item)
        raise
    logger.error("parked", extra=body)
    return "parked"


handler = entry_point(SweepEnvironment, build)
