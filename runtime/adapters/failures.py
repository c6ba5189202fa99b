"""Records the failure of a model, for the functions that learn of one."""

from datetime import UTC, datetime

from aws_lambda_powertools import Logger

from runtime.adapters.metrics import Metrics
from runtime.adapters.story import Stories
from triage.complaint import timestamp
from triage.metrics import Metric
from triage.steps import Failure
from triage.story import FailureEntry


def record_failure(failure: Failure, *, complaint_id: str, stories: Stories, metrics: Metrics, logger: Logger) -> None:
    """Write, log and count a failure, each only the first time that it is reported."""
    model = failure.model
    entry = FailureEntry(
        complaint_id=complaint_id,
        entry=FailureEntry.key(model),
        code_version=stories.code_version,
        model=model,
        failed_version=model.version,
        error=failure.error,
        failed_at=timestamp(datetime.now(UTC)),
    )
    if not stories.add(entry):
        return
    logger.warning(
        "shadow failed" if model.shadow else "model failed",
        extra={"complaint_id": complaint_id, "model": model.version, "error": failure.error},
    )
    name = Metric.SHADOW_FAILED if model.shadow else Metric.MODEL_FAILED
    metrics.measure(name, by={"task": model.task, "arm": model.arm or "none"})
