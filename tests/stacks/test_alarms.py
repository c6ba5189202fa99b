"""Whatever can fail without anybody waiting for it has an alarm, found in the templates, or a reason for none."""

from typing import Any

import pytest

from stacks.alarms import COUNTED, UNWATCHED
from stacks.settings import SETTINGS
from tests.stacks.conftest import Synthesis
from triage.metrics import Metric

Key = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name and dimensions of a metric."""


def key(namespace: str, metric: str, **dimensions: str) -> Key:
    return namespace, metric, frozenset(dimensions.items())


def alarms(synthesis: Synthesis) -> dict[Key, dict[str, Any]]:
    found = {}
    for raised in synthesis.stateless.of_type("AWS::CloudWatch::Alarm").values():
        alarm = watching(raised)
        dimensions = {each["Name"]: synthesis.readable(each["Value"]) for each in alarm.get("Dimensions", [])}
        found[key(alarm["Namespace"], alarm["MetricName"], **dimensions)] = alarm
    return found


def watching(alarm: dict[str, Any]) -> dict[str, Any]:
    """Return an alarm as if it watched its metric itself, where it watches what mathematics makes of it."""
    if "Metrics" not in alarm:
        return alarm
    filled, counted = alarm["Metrics"]
    assert filled["Expression"] == f"FILL({counted['Id']}, 0)" and not counted["ReturnData"]
    metric: dict[str, Any] = counted["MetricStat"]
    seen = {"Period": metric["Period"], "Statistic": metric["Stat"], "Filled": True}
    return {**alarm, **metric["Metric"], **seen}


def scheduled(synthesis: Synthesis) -> set[str]:
    targets = [t for rule in synthesis.stateless.of_type("AWS::Events::Rule").values() for t in rule["Targets"]]
    return {synthesis.readable(target["Arn"]).removesuffix(".Arn") for target in targets} & synthesis.functions.keys()


def streaming(synthesis: Synthesis) -> set[str]:
    mappings = synthesis.stateless.of_type("AWS::Lambda::EventSourceMapping").values()
    return {synthesis.readable(mapping["FunctionName"]) for mapping in mappings}


def steps(synthesis: Synthesis, machine: str) -> set[str]:
    """The functions that a state machine may invoke."""
    allowed = synthesis.permissions(f"{machine}/Role")
    return {where.removesuffix(".Arn") for action, where in allowed if action == "lambda:InvokeFunction"}


def machines(synthesis: Synthesis) -> list[str]:
    return [*synthesis.stateless.of_type("AWS::StepFunctions::StateMachine")]


def invoked_by_people(synthesis: Synthesis) -> set[str]:
    """The functions that a role of the account's people may invoke. They see its errors."""
    return {
        where.removesuffix(".Arn")
        for role, properties in synthesis.stateless.of_type("AWS::IAM::Role").items()
        if "AWS" in properties["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
        for action, where in synthesis.permissions(role)
        if action == "lambda:InvokeFunction"
    }


def wanted(synthesis: Synthesis) -> dict[str, Key]:
    """The metrics that an alarm has to watch, by what such an alarm would be named."""
    found = {}
    for path in streaming(synthesis) | scheduled(synthesis):
        for name, metric in (("Errors", "Errors"), ("Throttled", "Throttles"), ("Silent", "Invocations")):
            found[f"{path.split('/')[1]}{name}"] = key("AWS/Lambda", metric, FunctionName=path)
    for path in streaming(synthesis):
        found[f"{path.split('/')[1]}Behind"] = key("AWS/Lambda", "IteratorAge", FunctionName=path)
    for path in steps(synthesis, "Orchestration/Triage") & synthesis.functions.keys():
        found[f"{path.split('/')[1]}Throttled"] = key("AWS/Lambda", "Throttles", FunctionName=path)
    for path in machines(synthesis):
        for ending in ("Failed", "TimedOut"):
            found[f"{path.split('/')[1]}s{ending}"] = key("AWS/States", f"Executions{ending}", StateMachineArn=path)
    for path in (path for template in synthesis.templates for path in template.of_type("AWS::SQS::Queue")):
        for metric in ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"):
            found[f"{path}:{metric}"] = key("AWS/SQS", metric, QueueName=f"{path}.QueueName")
    for path, rule in synthesis.stateless.of_type("AWS::Events::Rule").items():
        # AWS names the bus in the metric, and before the rule in its ARN, unless it is the account's own.
        bus = {"EventBusName": synthesis.readable(rule["EventBusName"])} if "EventBusName" in rule else {}
        name = f"{path}.Arn.split(/)[{1 + len(bus)}]"
        for metric in ("FailedInvocations", "InvocationsFailedToBeSentToDlq"):
            found[f"{path}:{metric}"] = key("AWS/Events", metric, RuleName=name, **bus)
    for trail in synthesis.stateless.of_type("AWS::CloudTrail::Trail").values():
        bucket = synthesis.readable(trail["S3BucketName"])
        (metrics,) = synthesis.stateful.of_type("AWS::S3::Bucket")[bucket]["MetricsConfigurations"]
        found["TrailSilent"] = key("AWS/S3", "PutRequests", BucketName=bucket, FilterId=metrics["Id"])
    return found


def unwatched(synthesis: Synthesis, watched: set[Key]) -> set[str]:
    return {name for name, metric in wanted(synthesis).items() if metric not in watched}


def test_whatever_fails_unseen_has_an_alarm_or_a_reason_for_none(synthesis):
    assert unwatched(synthesis, {*alarms(synthesis)}) == UNWATCHED.keys()
    assert all(reason.endswith(".") for reason in UNWATCHED.values())


def test_an_alarm_that_is_missing_is_named(production):
    """Shows that the test above can fail, for each alarm."""
    found = {*alarms(production)}
    for name, metric in wanted(production).items():
        if name not in UNWATCHED:
            assert unwatched(production, found - {metric}) == {name, *UNWATCHED}


def test_every_alarm_watches_what_is_in_the_template_or_what_our_functions_count(synthesis):
    namespace = SETTINGS[synthesis.environment].metrics_namespace
    ours = {metric for metric in alarms(synthesis) if metric[0] == namespace}
    assert {name for _, name, _ in ours} == {*COUNTED, Metric.STILL_PARKED}
    assert {*alarms(synthesis)} - ours == {*wanted(synthesis).values()} - {
        metric for name, metric in wanted(synthesis).items() if name in UNWATCHED
    }


def test_whatever_invokes_a_function_is_known(synthesis):
    """A function that is invoked in another way needs a case in `wanted`."""
    by_machines = {path for machine in machines(synthesis) for path in steps(synthesis, machine)}
    known = streaming(synthesis) | scheduled(synthesis) | by_machines | invoked_by_people(synthesis)
    # The mirror waits for their answer, and writes what went wrong into the row of the model.
    known |= {path for path in synthesis.functions if path.startswith("MLOps/TryModel")}
    assert synthesis.functions.keys() <= known


def test_alarms_call_a_person(synthesis):
    for alarm in synthesis.stateless.of_type("AWS::CloudWatch::Alarm").values():
        assert [synthesis.readable(topic) for topic in alarm["AlarmActions"]] == ["Alarms/Topic"]
        assert alarm["AlarmDescription"]


def test_cloudwatch_takes_the_period_of_every_alarm(synthesis):
    """A day at most, or seven days where periods are of an hour or more (PutMetricAlarm)."""
    day = 24 * 60 * 60
    for path, raised in synthesis.stateless.of_type("AWS::CloudWatch::Alarm").items():
        alarm = watching(raised)
        longest = 7 * day if alarm["Period"] >= 60 * 60 else day
        assert alarm["Period"] % 60 == 0, path
        assert alarm["Period"] * alarm["EvaluationPeriods"] <= longest, path


@pytest.mark.parametrize("name", sorted(COUNTED))
def test_what_should_not_be_raises_an_alarm(synthesis, name):
    """The alarm watches the metric that our functions write, which has no dimension."""
    alarm = alarms(synthesis)[key(SETTINGS[synthesis.environment].metrics_namespace, name)]
    assert (alarm["Threshold"], alarm["Statistic"], alarm["EvaluationPeriods"]) == (1, "Sum", 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_a_function_that_is_no_longer_invoked_raises_an_alarm_although_it_counts_nothing(synthesis):
    daily = SETTINGS[synthesis.environment].daily_complaints
    for (_, metric, dimensions), alarm in alarms(synthesis).items():
        if metric == "Invocations":
            ((_, path),) = dimensions
            expected = "breaching" if path in scheduled(synthesis) or daily else "notBreaching"
            assert alarm["TreatMissingData"] == expected, path
            assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)


def test_what_is_missing_is_a_nought_and_needs_no_further_periods(synthesis):
    """CloudWatch looks back several periods, here of a day, before it calls data missing."""
    silences = [alarm for alarm in alarms(synthesis).values() if alarm["TreatMissingData"] == "breaching"]
    assert silences
    for alarm in silences:
        assert alarm["ComparisonOperator"] == "LessThanThreshold"
        assert alarm.get("Filled", False) == SETTINGS[synthesis.environment].metric_math


def test_a_trail_that_writes_nothing_raises_an_alarm(production):
    alarm = alarms(production)[wanted(production)["TrailSilent"]]
    assert (alarm["TreatMissingData"], alarm["ComparisonOperator"]) == ("breaching", "LessThanThreshold")
    # CloudTrail puts a digest every hour.
    assert alarm["Period"] >= 60 * 60


def test_a_stream_is_late_before_its_changes_are_lost(synthesis):
    """Lambda drops a change after the mapping's longest age, or after the day that DynamoDB keeps it."""
    for mapping in synthesis.stateless.of_type("AWS::Lambda::EventSourceMapping").values():
        path = synthesis.readable(mapping["FunctionName"])
        kept = mapping.get("MaximumRecordAgeInSeconds", 24 * 60 * 60)
        alarm = alarms(synthesis)[key("AWS/Lambda", "IteratorAge", FunctionName=path)]
        assert alarm["Statistic"] == "Maximum"
        assert alarm["Threshold"] / 1000 <= kept / 2, path


def test_a_complaint_that_stays_parked_keeps_its_alarm_when_its_message_has_expired(synthesis):
    alarm = alarms(synthesis)[key(SETTINGS[synthesis.environment].metrics_namespace, Metric.STILL_PARKED)]
    assert (alarm["Statistic"], alarm["TreatMissingData"], alarm["Threshold"]) == ("Maximum", "ignore", 1)


def test_people_hear_of_a_message_before_it_expires(synthesis):
    for path, queue in synthesis.stateful.of_type("AWS::SQS::Queue").items():
        age = key("AWS/SQS", "ApproximateAgeOfOldestMessage", QueueName=f"{path}.QueueName")
        assert alarms(synthesis)[age]["Threshold"] < queue["MessageRetentionPeriod"]


def test_permissions_of_state_machines_name_their_functions(synthesis):
    """Shows that `steps` finds something."""
    assert "Inference/Allocate" in steps(synthesis, "Orchestration/Triage")
