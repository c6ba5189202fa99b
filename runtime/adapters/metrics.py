"""Metrics, written as lines of the log that CloudWatch reads."""

from collections.abc import Mapping
from typing import Final

from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE: Final = "ComplaintsTriage"


def measure(
    name: str, value: float = 1, *, unit: MetricUnit = MetricUnit.Count, by: Mapping[str, str] | None = None
) -> None:
    """by: dimensions; an alarm needs a metric without any."""
    with single_metric(name=name, unit=unit, value=value, namespace=NAMESPACE) as metric:
        for dimension, said in (by or {}).items():
            metric.add_dimension(dimension, said)
