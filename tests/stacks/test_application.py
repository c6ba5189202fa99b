import json

import pytest
from ministack.services.cloudformation import provisioners

from stacks.settings import SETTINGS

STATE = {
    "AWS::DynamoDB::GlobalTable",
    "AWS::Events::EventBus",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
}
"""The types that hold state, and the policies that CloudFormation attaches to them."""

EMPTIES = "Custom::S3AutoDeleteObjects"
POLICIES = {"AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"}
DECIDED = {"AWS::DynamoDB::GlobalTable", "AWS::KMS::Key", "AWS::S3::Bucket", "AWS::SQS::Queue", *POLICIES}


def kinds(template) -> dict[str, str]:
    """The types of all resources but those that empty buckets before they are deleted."""
    return {path: resource["Type"] for path, resource in template.resources.items() if "AutoDeleteObjects" not in path}


def types(template) -> set[str]:
    return {*kinds(template).values()}


@pytest.mark.parametrize("environment", ["local", "dev", "prod"])
def test_an_environment_is_synthesized_without_network_credentials_or_docker(syntheses, environment):
    """It prints nothing: any output would be a warning of Python or a finding of cdk-nag."""
    synthesis = syntheses[environment]
    assert (synthesis.returncode, synthesis.output) == (0, "")


def test_the_environment_is_local_unless_another_is_named(local):
    assert local.stateful.stack_name == "Complaints-local-Stateful"


def test_an_application_with_an_unacknowledged_finding_is_refused(altered):
    assert altered.returncode != 0
    assert "Validation failed" in altered.output


def test_the_findings_of_a_refused_application_are_those_of_the_offender_alone(altered):
    places = [line for line in altered.output.splitlines() if "aws-cdk-lib." in line]
    assert places
    assert all("Other/Open/" in place for place in places)


def test_the_stateful_stack_holds_nothing_but_state(synthesis):
    assert types(synthesis.stateful) <= STATE


def test_the_stateless_stack_holds_no_state(synthesis):
    assert not types(synthesis.stateless) & STATE


def test_state_never_depends_on_what_can_be_rebuilt(synthesis):
    assert "Fn::ImportValue" not in str(synthesis.stateful.document)


def test_production_alone_is_protected_against_termination(synthesis):
    assert synthesis.stateful.properties.get("terminationProtection", False) is (synthesis.environment == "prod")


def test_what_can_be_rebuilt_is_never_protected(synthesis):
    assert not synthesis.stateless.properties.get("terminationProtection", False)


def test_state_stays_in_production_and_goes_elsewhere(synthesis):
    expected = "Retain" if synthesis.environment == "prod" else "Delete"
    # What CloudFormation deletes by default, or keeps by default, is not left to it.
    decided = {path: r for path, r in synthesis.stateful.resources.items() if r["Type"] in DECIDED}
    for path, resource in decided.items():
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == (expected, expected), path
    # The embedded AWS speaks plain HTTP, which policies refuse elsewhere.
    without = POLICIES if synthesis.environment == "local" else set()
    assert {resource["Type"] for resource in decided.values()} >= DECIDED - without


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("AWS::DynamoDB::GlobalTable", "TableName"),
        ("AWS::S3::Bucket", "BucketName"),
        ("AWS::SQS::Queue", "QueueName"),
        ("AWS::KMS::Alias", "AliasName"),
        ("AWS::Lambda::Function", "FunctionName"),
        ("AWS::StepFunctions::StateMachine", "StateMachineName"),
        ("AWS::IAM::Role", "RoleName"),
        ("AWS::IAM::Policy", "ManagedPolicyName"),
        ("AWS::Events::Rule", "Name"),
    ],
)
def test_nothing_has_a_physical_name(synthesis, kind, name):
    for template in synthesis.templates:
        assert not [path for path, properties in template.of_type(kind).items() if name in properties]


def test_development_and_production_call_their_state_by_the_same_logical_ids(dev, production):
    ours, theirs = ({path: each for each, path in one.stateful.paths.items()} for one in (dev, production))
    assert {path: ours[path] for path in kinds(dev.stateful)} == theirs


def test_only_what_state_machines_log_to_has_the_name_that_aws_asks_for(synthesis):
    """AWS lets its services log below `/aws/vendedlogs/` without adding to a policy that is full after a few groups."""
    groups = synthesis.stateless.of_type("AWS::Logs::LogGroup")
    machines = synthesis.stateless.of_type("AWS::StepFunctions::StateMachine").values()
    logged = {
        synthesis.readable(each["CloudWatchLogsLogGroup"]["LogGroupArn"]).removesuffix(".Arn")
        for machine in machines
        for each in machine["LoggingConfiguration"]["Destinations"]
    }
    named = {path: group["LogGroupName"] for path, group in groups.items() if "LogGroupName" in group}
    assert named.keys() == logged
    assert all(name.startswith("/aws/vendedlogs/states/") for name in named.values())
    assert len({*named.values()}) == len(named) == len(machines)


def test_a_bucket_that_goes_with_its_stack_is_emptied_first(synthesis):
    """AWS deletes no bucket with objects. The embedded AWS deletes none at all."""
    template = synthesis.stateful
    emptied = {synthesis.readable(each["BucketName"], template) for each in template.of_type(EMPTIES).values()}
    buckets = template.of_type("AWS::S3::Bucket").keys()
    goes = {path for path in buckets if template.resources[path]["DeletionPolicy"] == "Delete"}
    assert emptied == (goes if synthesis.environment != "local" else set())
    assert bool(emptied) is SETTINGS[synthesis.environment].empties_buckets


NAMES_WITHIN_A_NAME = {("AWS::CloudWatch::Alarm", "MetricName"), ("AWS::IAM::Policy", "PolicyName")}
"""A metric's name counts within its namespace, and an inline policy's within its role."""


def names_in_the_account(synthesis) -> set[str]:
    """Every name of a synthesis that exists once in an account and region, or that metrics and events are found by."""
    found = set()
    for template in synthesis.templates:
        outputs = template.document.get("Outputs", {}).values()
        found |= {template.stack_name, *(output["Export"]["Name"] for output in outputs)}
        for resource in template.resources.values():
            for name, value in resource.get("Properties", {}).items():
                named = name.endswith(("Name", "Namespace")) and (resource["Type"], name) not in NAMES_WITHIN_A_NAME
                # A name that refers to a resource differs as the resource's own name does.
                if named and not (isinstance(value, dict) and value.keys() <= {"Ref", "Fn::GetAtt", "Fn::ImportValue"}):
                    found.add(synthesis.readable(value, template))
    for rule in synthesis.stateless.of_type("AWS::Events::Rule").values():
        found |= {*rule.get("EventPattern", {}).get("source", [])}
    for machine in synthesis.stateless.of_type("AWS::StepFunctions::StateMachine").values():
        definition = json.loads(synthesis.readable(machine["DefinitionString"]))
        for state in definition["States"].values():
            found |= {entry["Source"] for entry in state.get("Parameters", {}).get("Entries", [])}
    for function in synthesis.functions.values():
        variables = function["Environment"]["Variables"]
        found |= {variables[name] for name in ("METRICS_NAMESPACE", "EVENT_SOURCE") if name in variables}
    return {name for name in found if not name.startswith(("AWS/", "aws."))}


def test_two_environments_of_one_account_share_no_name(dev, production):
    """Neither a physical name, nor an export, a parameter, a namespace of metrics or a source of events."""
    assert not names_in_the_account(dev) & names_in_the_account(production)


@pytest.mark.parametrize(
    "name",
    [
        "Complaints-dev-Stateless",
        "complaints-triage-dev",
        "/complaints-triage/dev/bus",
        "ComplaintsTriage/dev",
        "complaints-triage.dev",
    ],
)
def test_names_in_the_account_are_found(dev, name):
    """Shows that the test above can fail."""
    assert name in names_in_the_account(dev)


def test_alarms_count_the_metrics_that_the_functions_of_their_environment_write(synthesis):
    alarms = synthesis.stateless.of_type("AWS::CloudWatch::Alarm").values()
    namespaces = {alarm["Namespace"] for alarm in alarms if "Namespace" in alarm}
    watched = {name for name in namespaces if not name.startswith("AWS/")}
    variables = [function["Environment"]["Variables"] for function in synthesis.functions.values()]
    written = {each["METRICS_NAMESPACE"] for each in variables if "METRICS_NAMESPACE" in each}
    assert watched == written == {f"ComplaintsTriage/{synthesis.environment}"}


def test_development_and_production_consist_of_the_same_resources(dev, production):
    for ours, theirs in zip(dev.templates, production.templates, strict=True):
        assert kinds(ours) == kinds(theirs)


def test_the_embedded_aws_runs_what_production_runs(local, production):
    """Except for layers, because it has its own libraries, policies against plain HTTP, and CloudTrail."""
    for ours, theirs in zip(local.templates, production.templates, strict=True):
        missing = {kind for path, kind in kinds(theirs).items() if path not in kinds(ours) and "Trail" not in path}
        assert missing <= {
            "AWS::Lambda::LayerVersion",
            "AWS::S3::BucketPolicy",
            "AWS::SQS::QueuePolicy",
            "AWS::SNS::TopicPolicy",
        }
        assert kinds(ours).items() <= kinds(theirs).items()


def test_the_embedded_aws_knows_every_resource_of_the_local_templates(local):
    """It refuses a whole template for one unknown type."""
    for template in local.templates:
        assert types(template) <= provisioners._RESOURCE_HANDLERS.keys()


CALLED_UNSIGNED = ("AWS::ApiGateway", "AWS::AppSync::", "AWS::CloudFront::", "AWS::Cognito::", "AWS::Lambda::Url")
"""Types whose users have no access key: people with a browser, and other systems."""


def called_unsigned(template) -> set[str]:
    kinds = {resource["Type"] for resource in template.resources.values()}
    return {kind for kind in kinds if kind.startswith((*CALLED_UNSIGNED, "Custom::", "AWS::CloudFormation::Custom"))}


def test_nothing_that_is_deployed_locally_is_called_without_a_signature(local):
    """The gate before the embedded AWS lets only signed requests through, and functions of custom resources answer
    without a signature. Who needs such a type opens the gate for it, as narrowly as it can be."""
    for template in local.templates:
        assert not called_unsigned(template)


def test_types_that_are_called_without_a_signature_are_found(altered):
    assert any(called_unsigned(template) for template in altered.templates)


def test_the_embedded_aws_does_not_know_every_type():
    """Shows that the test above can fail."""
    assert "AWS::Budgets::Budget" not in provisioners._RESOURCE_HANDLERS


def test_a_synthesis_warns_of_nothing_but_empty_layers(synthesis):
    assert not [warning for warning in synthesis.warnings if "layer is empty" not in warning]
