"""Turns the recorded predictions into the first allocation of a complaint, of which there is exactly one."""

from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit

from runtime.adapters.failures import record_failure
from runtime.adapters.metrics import Metrics
from runtime.adapters.story import Stories
from runtime.function import Handler, entry_point, step_handler
from triage.allocation import allocate
from triage.clock import load_clocks
from triage.functions import ALLOCATE, AllocateEnvironment
from triage.metrics import Metric
from triage.steps import Allocated, AllocationRequest
from triage.story import AllocationEntry
from triage.taxonomy import load_taxonomy

logger = Logger(service="allocate")


def build(environment: AllocateEnvironment, session: boto3.Session) -> Handler:
    stories = Stories(environment, session)
    metrics = Metrics(environment)

    def decide(request: AllocationRequest) -> Allocated:
        story = stories.read(request.complaint_id)
        if story.allocation is not None:
            return story.allocation.announcement()
        allocation = allocate(
            request,
            selection=story.selection,
            predictions=story.answers,
            taxonomy=load_taxonomy(),
            clocks=load_clocks(),
            now=datetime.now(UTC),
            code_version=environment.code_version,
            audit_share=environment.audit_share,
        )
        # Before the allocation, because a retry that finds an allocation records no failures.
        for failure in request.failures:
            record_failure(failure, complaint_id=request.complaint_id, stories=stories, metrics=metrics, logger=logger)
        if not stories.add(allocation):
            # Another execution of this complaint was faster: its allocation counts.
            return decide(request)
        _measure(allocation, metrics)
        return allocation.announcement()

    return step_handler(ALLOCATE, decide, logger)


def _measure(allocation: AllocationEntry, metrics: Metrics) -> None:
    by = {"route": allocation.route, "journey": allocation.journey}
    metrics.measure(Metric.ALLOCATED, by=by)
    metrics.measure(Metric.ALLOCATION_TIME, allocation.milliseconds, unit=MetricUnit.Milliseconds, by=by)


handler = entry_point(AllocateEnvironment, build)
