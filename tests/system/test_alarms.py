"""What a person has to look at raises an alarm, and the alarm reaches whoever subscribes to its topic."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.factories import any_arm, any_strategy, put_in_force
from tests.system.machine import Machine, until
from tests.system.test_audit import verified
from triage.registry import CURRENT, ModelInfo
from triage.story import PREDICTION

SECONDS = 60


@pytest.fixture
def announced(machine: Machine) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """What the alarm of a metric has said on the topic since the test began."""
    sqs, sns = machine.aws.client("sqs"), machine.aws.client("sns")
    queue = sqs.create_queue(QueueName="alarms-of-a-test")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = machine.deployment.name("alarms-topic")
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**allowed, "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    said: list[dict[str, Any]] = []

    def of(metric: str) -> list[dict[str, Any]]:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            said.append(json.loads(json.loads(message["Body"])["Message"]))
        return [one for one in said if one["Trigger"]["MetricName"] == metric]

    yield of
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sqs.delete_queue(QueueUrl=queue)


@contextmanager
def quiet(machine: Machine, metric: str) -> Iterator[None]:
    """Its alarm has not been raised yet, and is not when the test ends."""
    cloudwatch = machine.aws.client("cloudwatch")
    alarms = cloudwatch.describe_alarms_for_metric(Namespace="ComplaintsTriage", MetricName=metric)["MetricAlarms"]
    (name,) = (alarm["AlarmName"] for alarm in alarms)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test begins")
    try:
        yield
    finally:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test ends")


def counted_without_dimensions(machine: Machine, metric: str) -> bool:
    """An alarm that names no dimension sees no metric that has one; the embedded AWS would not mind."""
    found = machine.aws.client("cloudwatch").list_metrics(Namespace="ComplaintsTriage", MetricName=metric)["Metrics"]
    return [one["Dimensions"] for one in found] == [[]]


def logged(machine: Machine, part: str) -> list[str]:
    logs = machine.aws.client("logs")
    (group,) = (one["logGroupName"] for one in logs.describe_log_groups()["logGroups"] if part in one["logGroupName"])
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return [str(event["message"]) for page in pages for event in page["events"]]


@pytest.fixture
def champion(machine: Machine) -> ModelInfo:
    (model,) = (m for m in machine.deployment.registry.models() if m.task == "product" and m.state == "champion")
    return model


@pytest.fixture
def followed(machine: Machine, champion: ModelInfo) -> Iterator[None]:
    """A strategy that the command has validated."""
    arm = any_arm(model_id=champion.model_id, revision=champion.revision, share=10_000)
    strategy = any_strategy(kind="single", arms=(arm,), task="product")
    put_in_force(machine.deployment.registry, strategy, by="test", replaces=0)
    yield
    machine.withdraw_strategy("product")


@pytest.mark.usefixtures("followed")
def test_a_strategy_that_is_not_followed_is_announced(machine: Machine, any_item, announced, champion):
    table = machine.aws.resource("dynamodb").Table(machine.deployment.name("model-strategy-table"))
    with quiet(machine, "StrategyRefused"):
        table.put_item(Item={"task": "product", "entry": CURRENT, "strategy": {"arms": []}})
        (allocation,) = machine.allocate(any_item())
        assert until(lambda: bool(announced("StrategyRefused")), seconds=SECONDS)
    assert {d.model.version for d in allocation.decisions if d.task == "product"} == {champion.version}
    (said,) = announced("StrategyRefused")
    assert (said["OldStateValue"], said["NewStateValue"]) == ("OK", "ALARM")
    assert "logs of select_models" in said["AlarmDescription"]
    assert counted_without_dimensions(machine, "StrategyRefused")


def test_a_row_that_was_edited_by_hand_is_put_back_and_announced(machine: Machine, any_item, announced, champion):
    registry = machine.deployment.registry
    table = machine.aws.resource("dynamodb").Table(machine.deployment.name("model-info-table"))

    def now() -> ModelInfo:
        return registry.get(champion.model_id, champion.revision)

    with quiet(machine, "RegistryEdited"):
        key = {"model_id": champion.model_id, "revision": champion.revision}
        table.update_item(
            Key=key,
            UpdateExpression="SET #task = :issue REMOVE #bundle",
            ExpressionAttributeNames={"#task": "task", "#bundle": "bundle"},
            ExpressionAttributeValues={":issue": "issue"},
        )
        assert now() != champion
        assert until(lambda: now() == champion, seconds=SECONDS)
        assert until(lambda: bool(announced("RegistryEdited")), seconds=SECONDS)
    (allocation,) = machine.allocate(any_item())
    assert {d.model.version for d in allocation.decisions if d.task == "product"} == {champion.version}
    assert counted_without_dimensions(machine, "RegistryEdited")


def test_a_record_that_was_rewritten_by_hand_is_announced_and_what_people_change_is_not(
    machine: Machine, any_item, announced
):
    with quiet(machine, "RecordAltered"):
        changed, tampered = (one.complaint_id for one in machine.allocate(any_item(), any_item()))
        assert verified(machine, changed, tampered) == {}
        machine.triage("feedback", changed, "set_vulnerable")
        machine.triage("erase", changed, "--reason", "asked for by the customer")
        assert verified(machine, changed) == {}
        story = machine.deployment.story
        prediction = next(e for e in map(dict, story.query(tampered)) if str(e["entry"]).startswith(PREDICTION))
        story.put({**prediction, "label": "Student loan"})
        assert until(lambda: bool(announced("RecordAltered")), seconds=SECONDS)
    assert len(announced("RecordAltered")) == 1
    assert list(verified(machine, tampered)) == [prediction["entry"]]
    said = [json.loads(line) for line in logged(machine, "AuditSeal") if "altered record" in line]
    assert {(one["complaint_id"], one["entry"]) for one in said if one["complaint_id"] in (changed, tampered)} == {
        (tampered, prediction["entry"])
    }
    assert counted_without_dimensions(machine, "RecordAltered")
