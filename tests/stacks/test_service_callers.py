"""Every AWS service that calls a resource of ours is allowed to, by the resource's policy and by that of its key.

The embedded AWS checks neither. The callers are found in the templates, so that a new one is checked as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import pytest

from stacks.settings import SETTINGS
from tests.stacks.conftest import Synthesis, Template

POLICIES = (
    ("AWS::S3::BucketPolicy", "Bucket"),
    ("AWS::SNS::TopicPolicy", "Topics"),
    ("AWS::SQS::QueuePolicy", "Queues"),
)
KEY_ACTIONS = {
    "cloudtrail.amazonaws.com": frozenset({"kms:DescribeKey", "kms:GenerateDataKey*", "kms:Decrypt"}),
    "cloudwatch.amazonaws.com": frozenset({"kms:Decrypt", "kms:GenerateDataKey*"}),
    "events.amazonaws.com": frozenset({"kms:Decrypt", "kms:GenerateDataKey*"}),
}
"""What AWS's documentation asks a customer's key to allow a service that calls a resource under this key."""


@dataclass(frozen=True)
class Caller:
    """A service that calls a resource. condition: a key of its requests, and the value that the key has."""

    service: str
    resource: str
    actions: frozenset[str]
    condition: tuple[str, str]


@dataclass(frozen=True)
class Allowed:
    """One statement of a policy that allows something. conditions: the values by key, in readable form."""

    services: frozenset[str]
    actions: frozenset[str]
    conditions: tuple[tuple[str, str], ...]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def callers(synthesis: Synthesis) -> Iterator[Caller]:
    stateless, region = synthesis.stateless, SETTINGS[synthesis.environment].region
    for trail in stateless.of_type("AWS::CloudTrail::Trail").values():
        arn = f"arn:<AWS::Partition>:cloudtrail:{region}:<AWS::AccountId>:trail/{trail['TrailName']}"
        actions = frozenset({"s3:PutObject", "s3:GetBucketAcl"})
        bucket = synthesis.readable(trail["S3BucketName"])
        yield Caller("cloudtrail.amazonaws.com", bucket, actions, ("aws:SourceArn", arn))
    for alarm in stateless.of_type("AWS::CloudWatch::Alarm").values():
        for topic in map(synthesis.readable, alarm.get("AlarmActions", [])):
            account = ("aws:SourceAccount", "<AWS::AccountId>")
            yield Caller("cloudwatch.amazonaws.com", topic, frozenset({"sns:Publish"}), account)
    functions = {f"{path}.Arn" for path in stateless.of_type("AWS::Lambda::Function")}
    for path, rule in stateless.of_type("AWS::Events::Rule").items():
        for target in rule["Targets"]:
            # A target with a role is called with the role's rights, which the tests of permissions list.
            if "RoleArn" not in target:
                called = synthesis.readable(target["Arn"])
                action = "lambda:InvokeFunction" if called in functions else "sqs:SendMessage"
                yield Caller("events.amazonaws.com", called, frozenset({action}), ("aws:SourceArn", f"{path}.Arn"))


def allowed(synthesis: Synthesis, template: Template, statement: dict[str, Any]) -> Iterator[Allowed]:
    principal = statement.get("Principal")
    services = listed(principal.get("Service", [])) if isinstance(principal, dict) else []
    if statement["Effect"] == "Allow" and services:
        conditions = tuple(
            (key, synthesis.readable(value, template))
            for operator in statement.get("Condition", {}).values()
            for key, values in operator.items()
            for value in listed(values)
        )
        yield Allowed(frozenset(services), frozenset(listed(statement["Action"])), conditions)


def of_resource(synthesis: Synthesis, resource: str) -> list[Allowed]:
    """Return what the policies of the resource allow services."""
    found: list[Allowed] = []
    for template in synthesis.templates:
        for policy_type, names in POLICIES:
            for policy in template.of_type(policy_type).values():
                named = {synthesis.readable(each, template).removesuffix(".Arn") for each in listed(policy[names])}
                if resource in named:
                    for statement in policy["PolicyDocument"]["Statement"]:
                        found += allowed(synthesis, template, statement)
        for permission in template.of_type("AWS::Lambda::Permission").values():
            if synthesis.readable(permission["FunctionName"], template).removesuffix(".Arn") == resource:
                source = synthesis.readable(permission["SourceArn"], template)
                services, actions = frozenset({permission["Principal"]}), frozenset({permission["Action"]})
                found.append(Allowed(services, actions, (("aws:SourceArn", source),)))
    return found


def of_key(synthesis: Synthesis, resource: str) -> list[Allowed] | None:
    """Return what the policy of the resource's key allows services; None where it has no key of ours."""
    (template,) = (each for each in synthesis.templates if resource in each.resources)
    properties = template.resources[resource].get("Properties", {})
    (rule,) = properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [{}])
    key = properties.get("KmsMasterKeyId") or rule.get("ServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
    if key is None:
        return None
    path = synthesis.readable(key, template).removesuffix(".Arn")
    policy = synthesis.stateful.of_type("AWS::KMS::Key")[path]["KeyPolicy"]
    return [one for each in policy["Statement"] for one in allowed(synthesis, synthesis.stateful, each)]


def missing(caller: Caller, statements: list[Allowed], actions: frozenset[str]) -> frozenset[str]:
    """Return the actions that no statement allows the caller."""
    patterns = {
        action
        for statement in statements
        if caller.service in statement.services and set(statement.conditions) <= {caller.condition}
        for action in statement.actions
    }
    return frozenset(action for action in actions if not any(fnmatchcase(action, pattern) for pattern in patterns))


def refused(caller: Caller, resource: list[Allowed], key: list[Allowed] | None) -> frozenset[str]:
    of_the_key = missing(caller, key, KEY_ACTIONS[caller.service]) if key is not None else frozenset[str]()
    return missing(caller, resource, caller.actions) | of_the_key


def test_callers_are_found(production):
    assert {caller.service for caller in callers(production)} == KEY_ACTIONS.keys()


def test_every_service_may_call_the_resource_and_use_its_key(synthesis):
    for caller in callers(synthesis):
        resource = caller.resource.removesuffix(".Arn")
        assert not refused(caller, of_resource(synthesis, resource), of_key(synthesis, resource)), caller


@pytest.mark.parametrize("service", ["cloudtrail.amazonaws.com", "cloudwatch.amazonaws.com"])
def test_a_service_that_is_not_allowed_is_named_with_what_it_lacks(production, service):
    caller = next(each for each in callers(production) if each.service == service)
    resource = caller.resource.removesuffix(".Arn")
    policy, key = of_resource(production, resource), of_key(production, resource)
    assert refused(caller, [], key) == caller.actions
    assert refused(caller, policy, []) == KEY_ACTIONS[service]
    stranger = replace(caller, condition=("aws:SourceArn", "another"))
    assert refused(stranger, policy, key) == caller.actions | KEY_ACTIONS[service]
