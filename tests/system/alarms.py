"""Helpers that read the messages of alarms, and the logs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.system.machine import Machine

NAMESPACE = "ComplaintsTriage/local"
SECONDS = 60
"""The seconds within which an alarm is raised and its message arrives."""


@contextmanager
def quiet(machine: Machine, metric: str) -> Iterator[None]:
    """Reset the alarm of one of our metrics before and after the block."""
    cloudwatch = machine.aws.client("cloudwatch")
    alarms = cloudwatch.describe_alarms_for_metric(Namespace=NAMESPACE, MetricName=metric)["MetricAlarms"]
    (name,) = (alarm["AlarmName"] for alarm in alarms)
    with reset(machine, name):
        yield


@contextmanager
def reset(machine: Machine, name: str) -> Iterator[None]:
    """Reset an alarm before and after the block."""
    cloudwatch = machine.aws.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test begins")
    try:
        yield
    finally:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test ends")


def alarms(machine: Machine) -> list[dict[str, Any]]:
    """Every alarm of the deployed machine."""
    pages = machine.aws.client("cloudwatch").get_paginator("describe_alarms").paginate()
    return [dict(alarm) for page in pages for alarm in page["MetricAlarms"]]


def cross(machine: Machine, alarm: dict[str, Any]) -> None:
    """Put a datapoint that crosses the threshold of an alarm. It counts for five seconds."""
    # The embedded AWS adds the datapoints up, and real ones may be among them.
    below = alarm["ComparisonOperator"] == "LessThanThreshold"
    period = timedelta(seconds=alarm["Period"] * alarm["EvaluationPeriods"] - 5)
    datum: Any = {
        "MetricName": alarm["MetricName"],
        "Dimensions": alarm["Dimensions"],
        "Timestamp": datetime.now(UTC) - period,
        "Value": -1_000_000 if below else alarm["Threshold"],
    }
    machine.aws.client("cloudwatch").put_metric_data(Namespace=alarm["Namespace"], MetricData=[datum])


def logged(machine: Machine, part: str) -> list[str]:
    logs = machine.aws.client("logs")
    (group,) = (one["logGroupName"] for one in logs.describe_log_groups()["logGroups"] if part in one["logGroupName"])
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return [str(event["message"]) for page in pages for event in page["events"]]
