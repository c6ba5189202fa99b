"""Failures of models, for every function that records one: each is written, logged and counted once."""

from datetime import UTC, datetime

from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from runtime.adapters.metrics import measure
from triage.complaint import timestamp
from triage.environment import AllocateEnvironment, ShadowFailedEnvironment
from triage.metrics import Metric
from triage.outbox import expiry
from triage.steps import Failure
from triage.story import FailureEntry


def record_failure(
    story: Table,
    failure: Failure,
    *,
    complaint_id: str,
    environment: AllocateEnvironment | ShadowFailedEnvironment,
    logger: Logger,
) -> None:
    now = datetime.now(UTC)
    model = failure.model
    recorded = story.put_if_absent(
        FailureEntry(
            complaint_id=complaint_id,
            entry=FailureEntry.key(model),
            code_version=environment.code_version,
            expires_at=expiry(now, environment.retention_days),
            model=model,
            failed_version=model.version,
            error=failure.error,
            failed_at=timestamp(now),
        )
    )
    if not recorded:
        return
    logger.warning(
        "shadow failed" if model.shadow else "model failed",
        extra={"complaint_id": complaint_id, "model": model.version, "error": failure.error},
    )
    metric = Metric.SHADOW_FAILED if model.shadow else Metric.MODEL_FAILED
    measure(metric, by={"task": model.task, "arm": model.arm or "none"})
