"""Turns the recorded predictions into the one current allocation of a complaint."""

from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit

from runtime.adapters.dynamodb import Table
from runtime.adapters.failures import record_failure
from runtime.adapters.metrics import measure
from runtime.function import Handler, entry_point, keeps
from triage import tables
from triage.allocation import allocate
from triage.environment import AllocateEnvironment
from triage.metrics import Metric
from triage.outbox import expiry
from triage.steps import ALLOCATE, Allocated, AllocationRequest
from triage.story import ALLOCATION, PREDICTION, SELECTION, SHADOW, AllocationEntry, PredictionEntry, SelectionEntry
from triage.taxonomy import load_taxonomy

logger = Logger(service="allocate")


def build(environment: AllocateEnvironment, session: boto3.Session) -> Handler:
    story = Table(session.client("dynamodb"), tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)

    def decide(request: AllocationRequest) -> Allocated:
        entries = {item["entry"]: item for item in story.query(request.complaint_id)}
        if ALLOCATION not in entries:
            now = datetime.now(UTC)
            selection = entries.get(SELECTION)
            allocation = allocate(
                request,
                selection=SelectionEntry.model_validate(selection) if selection else None,
                predictions=[
                    PredictionEntry.model_validate(item)
                    for key, item in entries.items()
                    if key.startswith(PREDICTION) and not key.startswith(SHADOW)
                ],
                taxonomy=load_taxonomy(),
                now=now,
                code_version=environment.code_version,
            ).model_copy(update={"expires_at": expiry(now, environment.retention_days)})
            # Before the allocation: after it, a replay would not come here again.
            for failure in request.failures:
                record_failure(
                    story, failure, complaint_id=request.complaint_id, environment=environment, logger=logger
                )
            if story.put_if_absent(allocation):
                _measure(allocation)
                return allocation.announcement()
            # Another execution of this complaint was faster: its allocation counts.
            return decide(request)
        return AllocationEntry.model_validate(entries[ALLOCATION]).announcement()

    return keeps(ALLOCATE, decide, logger)


def _measure(allocation: AllocationEntry) -> None:
    by = {"route": allocation.route, "journey": allocation.journey}
    measure(Metric.ALLOCATED, by=by)
    measure(Metric.ALLOCATION_TIME, allocation.milliseconds, unit=MetricUnit.Milliseconds, by=by)


handler = entry_point(AllocateEnvironment, build)
