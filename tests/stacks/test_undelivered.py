"""Whatever AWS invokes on its own keeps what it could not deliver, and an alarm tells people of it.

The sources are found in the templates, so that a new one is checked as well.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

from tests.stacks.conftest import Synthesis, Template


@dataclass(frozen=True)
class Source:
    """Something that invokes. sender: the role that sends what is not delivered, or None for EventBridge itself.

    destination: the readable ARN of where that goes; None where it is lost.
    """

    name: str
    destination: str | None
    sender: str | None


def role_of(synthesis: Synthesis, function: str) -> str:
    role: str = synthesis.readable(synthesis.functions[function]["Role"])
    return role.removesuffix(".Arn")


def destination_of(synthesis: Synthesis, properties: dict[str, Any]) -> str | None:
    found = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return None if found is None else synthesis.readable(found)


def sources(synthesis: Synthesis) -> Iterator[Source]:
    """Yield every mapping of a stream, every target of a rule, and every function that a rule invokes."""
    stateless = synthesis.stateless
    for path, mapping in stateless.of_type("AWS::Lambda::EventSourceMapping").items():
        function = synthesis.readable(mapping["FunctionName"])
        yield Source(path, destination_of(synthesis, mapping), role_of(synthesis, function))
    configurations = {
        synthesis.readable(properties["FunctionName"]): properties
        for properties in stateless.of_type("AWS::Lambda::EventInvokeConfig").values()
    }
    for template in synthesis.templates:
        for path, rule in template.of_type("AWS::Events::Rule").items():
            for target in rule["Targets"]:
                queue = target.get("DeadLetterConfig", {}).get("Arn")
                yield Source(path, None if queue is None else synthesis.readable(queue, template), None)
                function = synthesis.readable(target["Arn"], template).removesuffix(".Arn")
                if function in synthesis.functions:
                    failed = destination_of(synthesis, configurations.get(function, {}))
                    yield Source(function, failed, role_of(synthesis, function))


def holder(synthesis: Synthesis, path: str) -> tuple[Template, dict[str, Any]]:
    (template,) = (each for each in synthesis.templates if path in each.resources)
    return template, template.resources[path]


def key_of(synthesis: Synthesis, path: str) -> str | None:
    """Return the key that encrypts a queue or bucket."""
    template, resource = holder(synthesis, path)
    properties = resource["Properties"]
    (rule,) = properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [{}])
    key = properties.get("KmsMasterKeyId") or rule.get("ServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
    return None if key is None else synthesis.readable(key, template)


def needed(synthesis: Synthesis, path: str) -> set[tuple[str, str]]:
    """Return what a role has to be allowed to send something there, by AWS's documentation."""
    _, resource = holder(synthesis, path)
    key = {(action, str(key_of(synthesis, path))) for action in ("kms:Decrypt", "kms:GenerateDataKey")}
    if resource["Type"] == "AWS::SQS::Queue":
        return key | {("sqs:SendMessage", f"{path}.Arn")}
    return key | {("s3:PutObject", f"{path}.Arn/*"), ("s3:ListBucket", f"{path}.Arn")}


def watched(synthesis: Synthesis) -> set[str]:
    """Return the queues whose messages raise an alarm that is announced."""
    return {
        synthesis.readable(dimension["Value"]).removesuffix(".QueueName")
        for alarm in synthesis.stateless.of_type("AWS::CloudWatch::Alarm").values()
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
        and (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
        and alarm["AlarmActions"]
        for dimension in alarm["Dimensions"]
    }


def announcing_queues(synthesis: Synthesis, path: str) -> set[str]:
    """Return the queues that hear of something at a destination: itself, or those that its bucket tells of objects."""
    _, resource = holder(synthesis, path)
    if resource["Type"] == "AWS::SQS::Queue":
        return {path}
    told = resource["Properties"].get("NotificationConfiguration", {}).get("EventBridgeConfiguration", {})
    if told.get("EventBridgeEnabled") is not True:
        return set()
    return {
        synthesis.readable(target["Arn"], template).removesuffix(".Arn")
        for template in synthesis.templates
        for rule in template.of_type("AWS::Events::Rule").values()
        if rule.get("EventPattern", {}).get("detail-type") == ["Object Created"]
        and path in [synthesis.readable(name, template) for name in rule["EventPattern"]["detail"]["bucket"]["name"]]
        for target in rule["Targets"]
    }


def faults(synthesis: Synthesis, source: Source) -> list[str]:
    if source.destination is None:
        return ["what it cannot deliver is lost"]
    path = source.destination.removesuffix(".Arn")
    found = []
    if key_of(synthesis, path) is None:
        found.append("its destination is not encrypted with a key of ours")
    if source.sender and (missing := needed(synthesis, path) - synthesis.permissions(source.sender)):
        found.append(f"its role may not send: {sorted(missing)}")
    if not announcing_queues(synthesis, path) & watched(synthesis):
        found.append("no alarm tells of it")
    return found


def test_streams_rules_and_functions_are_found(synthesis):
    found = [source.name for source in sources(synthesis)]
    for part in ("Audit/Seal/", "Feedback/Feedback/", "Intake/Intake/", "MLOps/Mirror/"):
        assert any(name.startswith(part) for name in found)
    assert {*found} >= {"Intake/Sweep", "Audit/KeepHeld", "Promotion/SchedulePromotions", "Shadows/Allocated"}


def test_nothing_that_aws_invokes_is_lost_in_silence(synthesis):
    assert {source: found for source in sources(synthesis) if (found := faults(synthesis, source))} == {}


def test_nothing_else_invokes_a_function_without_waiting_for_its_answer(synthesis):
    """A function is invoked by a mapping, a rule or a state machine, or by a person who waits."""
    principals = {p["Principal"] for p in synthesis.stateless.of_type("AWS::Lambda::Permission").values()}
    assert principals == {"events.amazonaws.com"}
    kinds = {resource["Type"] for template in synthesis.templates for resource in template.resources.values()}
    others = {"AWS::Lambda::Url", "AWS::SNS::Subscription", "AWS::Scheduler::Schedule", "AWS::Pipes::Pipe"}
    assert not kinds & others


def altered(synthesis: Synthesis, change) -> Synthesis:
    """Return the synthesis with a fault in its templates."""

    class Changed(Synthesis):
        def _template(self, name: str) -> Template:
            template = super()._template(name)
            document = deepcopy(dict(template.document))
            for resource in document["Resources"].values():
                change(resource["Type"], resource.get("Properties", {}))
            return Template(template.stack_name, template.properties, document)

    return Changed(synthesis.environment, synthesis.returncode, synthesis.output, synthesis.folder)


def without(kind: str, name: str):
    return lambda found, properties: properties.pop(name, None) if found == kind else None


def without_dead_letters(kind: str, properties: dict[str, Any]) -> None:
    for target in properties.get("Targets", []) if kind == "AWS::Events::Rule" else []:
        target.pop("DeadLetterConfig", None)


def without_sending(kind: str, properties: dict[str, Any]) -> None:
    if kind == "AWS::IAM::Policy":
        statements = properties["PolicyDocument"]["Statement"]
        statements[:] = [one for one in statements if "sqs:SendMessage" not in json.dumps(one["Action"])]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (without("AWS::Lambda::EventSourceMapping", "DestinationConfig"), "is lost"),
        (without("AWS::Lambda::EventInvokeConfig", "DestinationConfig"), "is lost"),
        (without_dead_letters, "is lost"),
        (without("AWS::SQS::Queue", "KmsMasterKeyId"), "not encrypted"),
        (without("AWS::S3::Bucket", "BucketEncryption"), "not encrypted"),
        (without("AWS::S3::Bucket", "NotificationConfiguration"), "no alarm"),
        (without("AWS::CloudWatch::Alarm", "MetricName"), "no alarm"),
        (without_sending, "may not send"),
    ],
    ids=["mapping", "function", "rule", "queue key", "bucket key", "notice", "alarm", "role"],
)
def test_a_fault_that_is_put_in_is_found(production, change, fault):
    faulty = altered(production, change)
    assert any(fault in one for source in sources(faulty) for one in faults(faulty, source))
