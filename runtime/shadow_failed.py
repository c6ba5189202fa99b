"""Records that a shadow gave no prediction: evidence about the challenger, and no outage of triage."""

from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from runtime.adapters.dynamodb import Table
from runtime.function import Handler, entry_point, keeps
from triage import tables
from triage.complaint import timestamp
from triage.environment import ShadowFailedEnvironment
from triage.outbox import expiry
from triage.steps import SHADOW_FAILED, Outcome, ShadowFailure
from triage.tables import ShadowFailureEntry

logger = Logger(service="shadow_failed")


def build(environment: ShadowFailedEnvironment, session: boto3.Session) -> Handler:
    story = Table(session.client("dynamodb"), tables.COMPLAINTS_ALLOCATION, environment.complaints_allocation_table)

    def record(failure: ShadowFailure) -> Outcome:
        now = datetime.now(UTC)
        recorded = story.put_if_absent(
            ShadowFailureEntry(
                complaint_id=failure.complaint_id,
                entry=ShadowFailureEntry.key(failure.model),
                code_version=environment.code_version,
                expires_at=expiry(now, environment.retention_days),
                model=failure.model,
                error=failure.error,
                failed_at=timestamp(now),
            )
        )
        if recorded:
            _measure(failure)
        return Outcome(model=failure.model, error=failure.error)

    return keeps(SHADOW_FAILED, record, logger)


def _measure(failure: ShadowFailure) -> None:
    logger.warning(
        "shadow failed",
        extra={"complaint_id": failure.complaint_id, "model": failure.model.version, "error": failure.error},
    )
    with single_metric(name="ShadowFailed", unit=MetricUnit.Count, value=1, namespace="ComplaintsTriage") as metric:
        metric.add_dimension("task", failure.model.task)
        metric.add_dimension("arm", failure.model.arm or "none")


handler = entry_point(ShadowFailedEnvironment, build)
