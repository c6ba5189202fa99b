"""Events that need a person raise an alarm, and its message reaches the subscribers of the topic."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.factories import any_arm, any_strategy, put_in_force
from tests.system.alarms import NAMESPACE, SECONDS, alarms, cross, quiet, reset
from tests.system.machine import Machine, until
from triage.metrics import Metric
from triage.strategies.registry import CURRENT, ModelInfo


@pytest.fixture
def champion(machine: Machine) -> ModelInfo:
    (model,) = (m for m in machine.deployment.registry.models() if m.task == "product" and m.state == "champion")
    return model


@pytest.fixture
def followed(machine: Machine, champion: ModelInfo) -> Iterator[None]:
    """Set a strategy with the command, so that it is validated."""
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


def test_a_row_that_was_edited_by_hand_is_put_back_and_announced(machine: Machine, any_item, announced, champion):
    registry = machine.deployment.registry
    table = machine.aws.resource("dynamodb").Table(machine.deployment.name("model-info-table"))

    def now() -> ModelInfo:
        return registry.get(champion.model_id, champion.revision)

    with quiet(machine, "RegistryEdited"):
        key = {"model_id": champion.model_id, "revision": champion.revision}
        edited = table.update_item(
            Key=key,
            ReturnValues="ALL_NEW",
            UpdateExpression="SET #task = :issue REMOVE #bundle",
            ExpressionAttributeNames={"#task": "task", "#bundle": "bundle"},
            ExpressionAttributeValues={":issue": "issue"},
        )
        assert edited["Attributes"]["task"] == "issue" and "bundle" not in edited["Attributes"]
        assert until(lambda: now() == champion, seconds=SECONDS)
        assert until(lambda: bool(announced("RegistryEdited")), seconds=SECONDS)
    (allocation,) = machine.allocate(any_item())
    assert {d.model.version for d in allocation.decisions if d.task == "product"} == {champion.version}


def test_every_alarm_calls_people_and_no_alarm_on_something_else_is_raised_with_it(machine: Machine, announced):
    """The embedded AWS measures no queue, execution, stream, rule or bucket, and treats no missing data as an alarm.

    So the test puts the datapoint in place of AWS, for every alarm of the deployed machine.
    """
    called: set[str] = set()
    for alarm in alarms(machine):
        name, metric = alarm["AlarmName"], alarm["MetricName"]
        with reset(machine, name):
            cross(machine, alarm)
            assert until(lambda: name in names(announced(metric)), seconds=SECONDS), name  # noqa: B023
        called.add(name)
        if alarm["Namespace"] != NAMESPACE:
            assert names(announced(metric)) <= called
    assert len(called) > len(Metric)


def names(messages: list[dict[str, Any]]) -> set[str]:
    return {message["AlarmName"] for message in messages}


def test_a_function_that_raises_an_error_is_announced_by_its_name(machine: Machine, announced):
    """The schedule of the sweeper sends a scope that it knows; here somebody has changed it."""
    (name,) = (alarm["AlarmName"] for alarm in alarms(machine) if "AlarmsSweepErrors" in alarm["AlarmName"])
    with reset(machine, name):
        client = machine.aws.client("lambda")
        answer = client.invoke(FunctionName=machine.function("IntakeSweep"), Payload=json.dumps({"scope": "some"}))
        assert answer["FunctionError"]
        # The embedded AWS counts the error at once, and looks at its alarms with the next metric, here of a sweep.
        machine.invoke("IntakeSweep", {"scope": "started"})
        assert until(lambda: bool(announced("Errors")), seconds=SECONDS)
    assert names(announced("Errors")) == {name}
