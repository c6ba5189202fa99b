"""Helpers that read the messages of alarms, and the logs."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.machine import Machine

NAMESPACE = "ComplaintsTriage/local"
SECONDS = 60
"""The seconds within which an alarm is raised and its message arrives."""


@contextmanager
def quiet(machine: Machine, metric: str) -> Iterator[None]:
    """Reset the alarm of a metric before and after the block."""
    cloudwatch = machine.aws.client("cloudwatch")
    alarms = cloudwatch.describe_alarms_for_metric(Namespace=NAMESPACE, MetricName=metric)["MetricAlarms"]
    (name,) = (alarm["AlarmName"] for alarm in alarms)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test begins")
    try:
        yield
    finally:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test ends")


def counted_without_dimensions(machine: Machine, metric: str) -> bool:
    """On AWS an alarm without dimensions ignores metrics that have dimensions; the embedded AWS does not check this."""
    found = machine.aws.client("cloudwatch").list_metrics(Namespace=NAMESPACE, MetricName=metric)["Metrics"]
    return [one["Dimensions"] for one in found] == [[]]


def logged(machine: Machine, part: str) -> list[str]:
    logs = machine.aws.client("logs")
    (group,) = (one["logGroupName"] for one in logs.describe_log_groups()["logGroups"] if part in one["logGroupName"])
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return [str(event["message"]) for page in pages for event in page["events"]]
