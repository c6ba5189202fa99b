"""Metrics that functions write into their logs in CloudWatch's embedded format become metrics, as on AWS.

MiniStack keeps such a line as a line of the log and nothing more, so that no alarm on a metric of ours would ever fire.
"""

import functools
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from local.worker_fixes import require

log = logging.getLogger(__name__)

EmitLogs = Callable[..., None]
PutMetrics = Callable[[str, list[dict[str, Any]]], object]


def apply() -> None:
    from ministack.services import cloudwatch, lambda_svc

    require(callable(getattr(lambda_svc, "_emit_lambda_logs", None)), "MiniStack's _emit_lambda_logs")
    require(callable(getattr(cloudwatch, "_put_metric_data", None)), "MiniStack's _put_metric_data")

    def put(namespace: str, data: list[dict[str, Any]]) -> None:
        # As a request that has been read already, so that alarms are looked at as after any other.
        cloudwatch._put_metric_data({}, {"Namespace": namespace, "MetricData": data}, True)

    lambda_svc._emit_lambda_logs = counted(lambda_svc._emit_lambda_logs, put)


def counted(emit: EmitLogs, put: PutMetrics) -> EmitLogs:
    """Logs are written as before; no metric can keep an invocation from its answer."""

    @functools.wraps(emit)
    def emit_and_count(function: Any, request_id: str, log_text: str, *rest: Any, **options: Any) -> None:
        emit(function, request_id, log_text, *rest, **options)
        try:
            for namespace, data in embedded(log_text.splitlines()):
                put(namespace, data)
        except Exception:
            log.exception("the metrics of a log were not counted")

    return emit_and_count


def embedded(lines: Iterable[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Namespace and data, as PutMetricData takes them, of each line in the embedded metric format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    for line in lines:
        if line.startswith("{") and '"CloudWatchMetrics"' in line and (record := _read(line)):
            for directive in record["_aws"]["CloudWatchMetrics"]:
                yield directive["Namespace"], list(_data(record, directive))


def _read(line: str) -> dict[str, Any] | None:
    """None for what is no record, as CloudWatch leaves it alone."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record.get("_aws"), dict) else None


def _data(record: dict[str, Any], directive: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for metric in directive["Metrics"]:
        value = record[metric["Name"]]
        for names in directive["Dimensions"] or [[]]:
            yield {
                "MetricName": metric["Name"],
                "Unit": metric.get("Unit", "None"),
                "Timestamp": record["_aws"]["Timestamp"] / 1000,
                "Dimensions": [{"Name": name, "Value": record[name]} for name in names],
                "Values": value if isinstance(value, list) else [value],
            }
