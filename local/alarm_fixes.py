"""A change to MiniStack's CloudWatch in its own process: an alarm looks at the metric with its dimensions alone.

MiniStack compares namespace and name. An error of one function would raise the alarms of all functions.
"""

import inspect
from types import FunctionType
from typing import Any

from local.lambda_fixes import require

Alarm = dict[str, Any]


def apply() -> None:
    from ministack.services import cloudwatch

    evaluate = cloudwatch._evaluate_alarm
    require("for (k_ns, k_mn, _), pts in _metrics.items()" in inspect.getsource(evaluate), "MiniStack's alarms")
    require(callable(getattr(cloudwatch, "_dims_key", None)), "MiniStack's _dims_key")

    def evaluate_own(alarm: Alarm) -> None:
        dimensions = {each["Name"]: each["Value"] for each in alarm.get("Dimensions") or []}
        own = (alarm.get("Namespace"), alarm.get("MetricName"), cloudwatch._dims_key(dimensions))
        metrics = {own: cloudwatch._metrics[own]} if own in cloudwatch._metrics else {}
        # MiniStack's own code, on the metrics that this alarm may see.
        FunctionType(evaluate.__code__, vars(cloudwatch) | {"_metrics": metrics})(alarm)

    cloudwatch._evaluate_alarm = evaluate_own
