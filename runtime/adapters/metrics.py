"""Metrics, written as lines of the log in CloudWatch's embedded format."""

from collections.abc import Mapping

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from triage.functions import MeasuringEnvironment
from triage.metrics import Metric


class Metrics:
    """The metrics of one environment. They have a namespace of their own, so that no alarm counts another's."""

    def __init__(self, environment: MeasuringEnvironment) -> None:
        self._namespace = environment.metrics_namespace

    def measure(
        self,
        name: Metric,
        value: float = 1,
        *,
        unit: MetricUnit = MetricUnit.Count,
        by: Mapping[str, str] | None = None,
    ) -> None:
        """Write one value of a metric. by: its dimensions; alarms watch metrics without dimensions alone."""
        with single_metric(name=name.value, unit=unit, value=value, namespace=self._namespace) as metric:
            for dimension, said in (by or {}).items():
                metric.add_dimension(dimension, said)
