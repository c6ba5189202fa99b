"""Every AWS service that calls a resource of ours is allowed to, by the resource's policy and by that of its key.

The embedded AWS checks neither. The callers are found in the templates, by the type of each resource. A type that is
not in `CALLS` fails the test.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from stacks.settings import SETTINGS
from tests.stacks.conftest import Synthesis, Template

POLICIES = (
    ("AWS::S3::BucketPolicy", "Bucket"),
    ("AWS::SNS::TopicPolicy", "Topics"),
    ("AWS::SQS::QueuePolicy", "Queues"),
)
WRITES = frozenset({"kms:Decrypt", "kms:GenerateDataKey*"})
READS = frozenset({"kms:Decrypt"})
READS_STREAM = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
DELIVERS_LOGS = frozenset({"logs:CreateLogDelivery", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies"})
ACCOUNT = ("aws:SourceAccount", "<AWS::AccountId>")


@dataclass(frozen=True)
class Caller:
    """A service that calls a resource in its own name.

    conditions: keys of its requests with their values. A policy may ask for some of them, and for nothing else.
    key_actions: what AWS's documentation asks the resource's key to allow the service.
    key_conditions: of its requests to the key, where they are others; EventBridge's name no account.
    """

    service: str
    resource: str
    actions: frozenset[str]
    conditions: frozenset[tuple[str, str]]
    key_actions: frozenset[str] = WRITES
    key_conditions: frozenset[tuple[str, str]] | None = None


@dataclass(frozen=True)
class RoleCaller:
    """A service that calls a resource with the rights of a role. key_actions: what the role needs of its key."""

    role: str
    resource: str
    actions: frozenset[str]
    key_actions: frozenset[str] = frozenset({"kms:Decrypt", "kms:GenerateDataKey"})


@dataclass(frozen=True)
class Allowed:
    """One statement of a policy that allows something. conditions: the values by key, in readable form."""

    services: frozenset[str]
    actions: frozenset[str]
    conditions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Resource:
    """A resource of a template. path: its construct path."""

    synthesis: Synthesis
    template: Template
    path: str
    properties: dict[str, Any]

    def readable(self, value: Any) -> str:
        return self.synthesis.readable(value, self.template)

    def path_of(self, value: Any) -> str:
        """The path of the resource that a reference or an ARN names."""
        return self.readable(value).removesuffix(".Arn").removesuffix(":*")


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def publishing(service: str, called: str, action: str, *conditions: tuple[str, str]) -> Caller:
    return Caller(service, called, frozenset({action}), frozenset({*conditions, ACCOUNT}))


def sending(resource: Resource, target: Any) -> str:
    """The action by which a service hands something to a target: a function, a topic, a queue or a bucket."""
    kinds = {
        path: each["Type"] for template in resource.synthesis.templates for path, each in template.resources.items()
    }
    return {
        "AWS::Lambda::Function": "lambda:InvokeFunction",
        "AWS::SNS::Topic": "sns:Publish",
        "AWS::SQS::Queue": "sqs:SendMessage",
        "AWS::S3::Bucket": "s3:PutObject",
    }[kinds[resource.path_of(target)]]


def nothing(resource: Resource) -> Iterator[Caller]:
    """For types that call no other resource in the name of a service."""
    yield from ()


def trail(resource: Resource) -> Iterator[Caller]:
    region = SETTINGS[resource.synthesis.environment].region
    name = resource.properties["TrailName"]
    arn = ("aws:SourceArn", f"arn:<AWS::Partition>:cloudtrail:{region}:<AWS::AccountId>:trail/{name}")
    bucket = resource.path_of(resource.properties["S3BucketName"])
    actions = frozenset({"s3:PutObject", "s3:GetBucketAcl"})
    yield Caller("cloudtrail.amazonaws.com", bucket, actions, frozenset({arn}), WRITES | {"kms:DescribeKey"})


def alarm(resource: Resource) -> Iterator[Caller]:
    for kind in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        for topic in resource.properties.get(kind, []):
            yield publishing("cloudwatch.amazonaws.com", resource.path_of(topic), sending(resource, topic))


def rule(resource: Resource) -> Iterator[Caller]:
    source = ("aws:SourceArn", f"{resource.path}.Arn")
    settings = SETTINGS[resource.synthesis.environment]
    account = f"{settings.region}:<AWS::AccountId>"
    queues = f"arn:<AWS::Partition>:sqs:{account}:Complaints-{settings.environment}-Stateful-*"
    for target in resource.properties["Targets"]:
        # A target with a role is called with the role's rights, which the tests of permissions list.
        called = [] if "RoleArn" in target else [target["Arn"]]
        for arn in [*called, *([target["DeadLetterConfig"]["Arn"]] if "DeadLetterConfig" in target else [])]:
            caller = publishing("events.amazonaws.com", resource.path_of(arn), sending(resource, arn), source)
            yield replace(caller, key_conditions=frozenset({("kms:EncryptionContext:aws:sqs:arn", queues)}))


def bucket(resource: Resource) -> Iterator[Caller]:
    """Its notifications, and its access logs in another bucket."""
    source = ("aws:SourceArn", f"{resource.path}.Arn")
    notified = resource.properties.get("NotificationConfiguration", {})
    for kind, target in (("Lambda", "Function"), ("Queue", "Queue"), ("Topic", "Topic")):
        for configuration in notified.get(f"{kind}Configurations", []):
            arn = configuration[target]
            yield publishing("s3.amazonaws.com", resource.path_of(arn), sending(resource, arn), source)
    if "LoggingConfiguration" in resource.properties:
        logs = resource.properties["LoggingConfiguration"].get("DestinationBucketName")
        target = resource.path_of(logs) if logs else resource.path
        yield publishing("logging.s3.amazonaws.com", target, "s3:PutObject", source)


def subscription(resource: Resource) -> Iterator[Caller]:
    endpoint = resource.properties["Endpoint"]
    if resource.properties["Protocol"] in ("lambda", "sqs"):
        source = ("aws:SourceArn", resource.readable(resource.properties["TopicArn"]))
        yield publishing("sns.amazonaws.com", resource.path_of(endpoint), sending(resource, endpoint), source)


def log_group(resource: Resource) -> Iterator[Caller]:
    if "KmsKeyId" in resource.properties:
        region = SETTINGS[resource.synthesis.environment].region
        arn = f"arn:<AWS::Partition>:logs:{region}:<AWS::AccountId>:log-group:*"
        context = frozenset({("kms:EncryptionContext:aws:logs:arn", arn)})
        keys = frozenset({"kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"})
        yield Caller(f"logs.{region}.amazonaws.com", resource.path, frozenset(), context, keys)


def distribution(resource: Resource) -> Iterator[Caller]:
    arn = f"arn:<AWS::Partition>:cloudfront::<AWS::AccountId>:distribution/{resource.path}"
    for origin in resource.properties["DistributionConfig"]["Origins"]:
        if "OriginAccessControlId" in origin:
            origin_path = resource.readable(origin["DomainName"]).removesuffix(".RegionalDomainName")
            source = frozenset({("AWS:SourceArn", arn), ("aws:SourceArn", arn)})
            yield Caller("cloudfront.amazonaws.com", origin_path, frozenset({"s3:GetObject"}), source, READS)


def user_pool(resource: Resource) -> Iterator[Caller]:
    source = ("aws:SourceArn", f"{resource.path}.Arn")
    for trigger in resource.properties.get("LambdaConfig", {}).values():
        if isinstance(trigger, dict) and "LambdaArn" not in trigger:
            yield publishing("cognito-idp.amazonaws.com", resource.path_of(trigger), "lambda:InvokeFunction", source)


def function(resource: Resource) -> Iterator[RoleCaller]:
    if "DeadLetterConfig" in resource.properties:
        target = resource.properties["DeadLetterConfig"]["TargetArn"]
        role = resource.path_of(resource.properties["Role"])
        yield RoleCaller(role, resource.path_of(target), frozenset({sending(resource, target)}))


def handed_on(resource: Resource) -> Iterator[RoleCaller]:
    """What a function's role sends where an invocation failed or succeeded."""
    invoked = resource.path_of(resource.properties["FunctionName"])
    role = resource.path_of(resource.template.resources[invoked]["Properties"]["Role"])
    for destination in resource.properties.get("DestinationConfig", {}).values():
        target = destination["Destination"]
        yield RoleCaller(role, resource.path_of(target), frozenset({sending(resource, target)}))
    if "EventSourceArn" in resource.properties:
        stream = resource.readable(resource.properties["EventSourceArn"])
        assert stream.endswith(".StreamArn"), f"{resource.path} reads {stream}: teach this test what its role needs"
        yield RoleCaller(role, stream, frozenset({f"dynamodb:{action}" for action in READS_STREAM}), READS)


def state_machine(resource: Resource) -> Iterator[RoleCaller]:
    """Step Functions lets its service deliver logs by a policy that it writes with the rights of the role."""
    if resource.properties.get("LoggingConfiguration", {}).get("Destinations"):
        yield RoleCaller(resource.path_of(resource.properties["RoleArn"]), "*", DELIVERS_LOGS)


CALLS: dict[str, Callable[[Resource], Iterator[Caller | RoleCaller]]] = {
    "AWS::CloudFront::Distribution": distribution,
    "AWS::CloudTrail::Trail": trail,
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::Cognito::UserPool": user_pool,
    "AWS::DynamoDB::GlobalTable": nothing,
    "AWS::Events::EventBus": nothing,
    "AWS::Events::Rule": rule,
    "AWS::IAM::Policy": nothing,
    "AWS::IAM::Role": nothing,
    "AWS::KMS::Key": nothing,
    "AWS::Lambda::EventInvokeConfig": handed_on,
    "AWS::Lambda::EventSourceMapping": handed_on,
    "AWS::Lambda::Function": function,
    "AWS::Lambda::LayerVersion": nothing,
    "AWS::Lambda::Permission": nothing,
    "AWS::Logs::LogGroup": log_group,
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": nothing,
    "AWS::SNS::Subscription": subscription,
    "AWS::SNS::Topic": nothing,
    "AWS::SNS::TopicPolicy": nothing,
    "AWS::SQS::Queue": nothing,
    "AWS::SQS::QueuePolicy": nothing,
    "AWS::SSM::Parameter": nothing,
    "AWS::StepFunctions::StateMachine": state_machine,
    "Custom::S3AutoDeleteObjects": nothing,
}
"""Which resources a service calls for a resource of this type."""


def callers(synthesis: Synthesis) -> Iterator[Caller | RoleCaller]:
    for template in synthesis.templates:
        for path, resource in template.resources.items():
            kind = resource["Type"]
            if kind not in CALLS:
                raise LookupError(f"{path} is of the type {kind}: teach this test which resources it calls, in `CALLS`")
            yield from CALLS[kind](Resource(synthesis, template, path, resource.get("Properties", {})))


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


def key_of(synthesis: Synthesis, resource: str) -> str | None:
    """Return the path of the key of ours under which a resource is; None where it has none."""
    owners = [template for template in synthesis.templates if resource in template.resources]
    if not owners:
        return None
    properties = owners[0].resources[resource].get("Properties", {})
    (rule,) = properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [{}])
    (replica,) = properties.get("Replicas", [{}])
    key = (
        properties.get("KmsMasterKeyId")
        or properties.get("KmsKeyId")
        or rule.get("ServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
        or replica.get("SSESpecification", {}).get("KMSMasterKeyId")
    )
    return None if key is None else synthesis.readable(key, owners[0]).removesuffix(".Arn")


def of_key(synthesis: Synthesis, resource: str) -> list[Allowed] | None:
    """Return what the policy of the resource's key allows services; None where it has no key of ours."""
    path = key_of(synthesis, resource)
    if path is None:
        return None
    (template,) = (each for each in synthesis.templates if path in each.resources)
    policy = template.of_type("AWS::KMS::Key")[path]["KeyPolicy"]
    return [one for each in policy["Statement"] for one in allowed(synthesis, template, each)]


def missing(caller: Caller, statements: list[Allowed], actions: frozenset[str]) -> frozenset[str]:
    """Return the actions that no statement allows the caller."""
    patterns = {
        action
        for statement in statements
        if caller.service in statement.services and set(statement.conditions) <= caller.conditions
        for action in statement.actions
    }
    return frozenset(action for action in actions if not any(fnmatchcase(action, pattern) for pattern in patterns))


def refused(caller: Caller, resource: list[Allowed], key: list[Allowed] | None) -> frozenset[str]:
    asking = caller if caller.key_conditions is None else replace(caller, conditions=caller.key_conditions)
    of_the_key = missing(asking, key, caller.key_actions) if key is not None else frozenset[str]()
    return missing(caller, resource, caller.actions) | of_the_key


def refused_role(synthesis: Synthesis, caller: RoleCaller) -> frozenset[str]:
    """Return what the role of the caller may not do."""
    allowed = synthesis.permissions(caller.role)
    places = {caller.resource, f"{caller.resource}.Arn", f"{caller.resource}.Arn/*"}
    lacking = {action for action in caller.actions if not {(action, place) for place in places} & allowed}
    key = key_of(synthesis, caller.resource.removesuffix(".StreamArn"))
    of_the_key = {action for action in caller.key_actions if key and (action, f"{key}.Arn") not in allowed}
    return frozenset(lacking | of_the_key)


def lacking(synthesis: Synthesis, caller: Caller | RoleCaller) -> frozenset[str]:
    if isinstance(caller, RoleCaller):
        return refused_role(synthesis, caller)
    return refused(caller, of_resource(synthesis, caller.resource), of_key(synthesis, caller.resource))


def test_callers_are_found(production):
    found = [*callers(production)]
    services = {caller.service for caller in found if isinstance(caller, Caller)}
    assert services >= {"cloudtrail.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com"}
    roles = {caller.role for caller in found if isinstance(caller, RoleCaller)}
    assert roles >= {"Intake/IntakeRole", "Audit/SealRole", "Orchestration/Triage/Role"}


def test_every_service_may_call_the_resource_and_use_its_key(synthesis):
    for caller in callers(synthesis):
        assert not lacking(synthesis, caller), caller


@pytest.mark.parametrize("service", ["cloudtrail.amazonaws.com", "cloudwatch.amazonaws.com"])
def test_a_service_that_is_not_allowed_is_named_with_what_it_lacks(production, service):
    caller = next(each for each in callers(production) if isinstance(each, Caller) and each.service == service)
    policy, key = of_resource(production, caller.resource), of_key(production, caller.resource)
    assert refused(caller, [], key) == caller.actions
    assert refused(caller, policy, []) == caller.key_actions
    stranger = replace(caller, conditions=frozenset({("aws:SourceArn", "another")}))
    assert refused(stranger, policy, key) == caller.actions | caller.key_actions


@pytest.mark.parametrize("role", ["Intake/IntakeRole", "Orchestration/Triage/Role"])
def test_a_role_that_may_not_call_is_named_with_what_it_lacks(production, role):
    caller = next(each for each in callers(production) if isinstance(each, RoleCaller) and each.role == role)
    stranger = replace(caller, role="Audit/Auditor")
    assert lacking(production, stranger) >= caller.actions


def made(**resources: dict[str, Any]) -> Synthesis:
    """A synthesis of one template with these resources, for what our templates do not have."""
    document = {
        "Resources": {
            name: {**resource, "Metadata": {"aws:cdk:path": f"App/Stack/{name}/Resource"}}
            for name, resource in resources.items()
        }
    }
    synthesis = Synthesis("prod", 0, "", Path())
    vars(synthesis).update(
        stateless=Template("Stateless", {}, document), stateful=Template("Stateful", {}, {"Resources": {}})
    )
    return synthesis


def typed(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def arn(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


QUEUE = typed("SQS::Queue", KmsMasterKeyId=arn("Key"))
KEY = typed("KMS::Key", KeyPolicy={"Statement": []})
FUNCTION = typed("Lambda::Function", Role=arn("Role"))
ROLE = typed("IAM::Role")
NOTIFIES = {"QueueConfigurations": [{"Event": "s3:ObjectCreated:*", "Queue": arn("Queue")}]}
ORIGIN = {"OriginAccessControlId": "any", "DomainName": {"Fn::GetAtt": ["Files", "RegionalDomainName"]}}
ENCRYPTED = {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"KMSMasterKeyID": arn("Key")}}]}


@pytest.mark.parametrize(
    ("resources", "lacks"),
    [
        pytest.param(
            {"Files": typed("S3::Bucket", NotificationConfiguration=NOTIFIES), "Queue": QUEUE, "Key": KEY},
            {"sqs:SendMessage", *WRITES},
            id="notifications of a bucket",
        ),
        pytest.param(
            {"Files": typed("S3::Bucket", LoggingConfiguration={}), "Key": KEY},
            {"s3:PutObject"},
            id="access logs of a bucket",
        ),
        pytest.param(
            {
                "Feed": typed("SNS::Subscription", Protocol="sqs", TopicArn={"Ref": "Topic"}, Endpoint=arn("Queue")),
                "Topic": typed("SNS::Topic"),
                "Queue": QUEUE,
                "Key": KEY,
            },
            {"sqs:SendMessage", *WRITES},
            id="subscription of a topic",
        ),
        pytest.param(
            {
                "Distribution": typed("CloudFront::Distribution", DistributionConfig={"Origins": [ORIGIN]}),
                "Files": typed("S3::Bucket", BucketEncryption=ENCRYPTED),
                "Key": KEY,
            },
            {"s3:GetObject", "kms:Decrypt"},
            id="origin of a distribution",
        ),
        pytest.param(
            {
                "People": typed("Cognito::UserPool", LambdaConfig={"PreSignUp": arn("Function")}),
                "Function": FUNCTION,
                "Role": ROLE,
            },
            {"lambda:InvokeFunction"},
            id="trigger of a user pool",
        ),
        pytest.param(
            {
                "Mapping": typed(
                    "Lambda::EventSourceMapping",
                    FunctionName={"Ref": "Function"},
                    DestinationConfig={"OnFailure": {"Destination": arn("Queue")}},
                ),
                **{"Function": FUNCTION, "Role": ROLE, "Queue": QUEUE, "Key": KEY},
            },
            {"sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"},
            id="failures of a mapping",
        ),
        pytest.param(
            {
                "Machine": typed(
                    "StepFunctions::StateMachine",
                    RoleArn=arn("Role"),
                    LoggingConfiguration={"Destinations": [{"any": "group"}]},
                ),
                "Role": ROLE,
            },
            {*DELIVERS_LOGS},
            id="logs of a state machine",
        ),
        pytest.param(
            {"Group": typed("Logs::LogGroup", KmsKeyId=arn("Key")), "Key": KEY},
            {"kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"},
            id="key of a log group",
        ),
    ],
)
def test_what_would_be_refused_is_found_for_every_kind_of_caller(resources, lacks):
    synthesis = made(**resources)
    assert {action for caller in callers(synthesis) for action in lacking(synthesis, caller)} == lacks


def test_a_notification_that_is_allowed_is_not_reported():
    def statement(condition: dict[str, Any], *actions: str) -> dict[str, Any]:
        service = {"Service": "s3.amazonaws.com"}
        return {
            "Effect": "Allow",
            "Principal": service,
            "Action": list(actions),
            "Resource": "*",
            "Condition": condition,
        }

    of_the_bucket = {"ArnLike": {"aws:SourceArn": arn("Files")}}
    of_the_account = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    document = {"Statement": [statement(of_the_bucket, "sqs:SendMessage")]}
    synthesis = made(
        Files=typed("S3::Bucket", NotificationConfiguration=NOTIFIES),
        Queue=QUEUE,
        Key=typed("KMS::Key", KeyPolicy={"Statement": [statement(of_the_account, *WRITES)]}),
        Policy=typed("SQS::QueuePolicy", Queues=[{"Ref": "Queue"}], PolicyDocument=document),
    )
    (caller,) = callers(synthesis)
    assert not lacking(synthesis, caller), json.dumps(document)


def test_a_type_that_this_test_does_not_know_has_to_be_taught():
    with pytest.raises(LookupError, match="teach this test which resources it calls"):
        list(callers(made(Stream=typed("KinesisFirehose::DeliveryStream"))))
