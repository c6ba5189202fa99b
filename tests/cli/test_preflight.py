"""`triage preflight`: each check in both outcomes, without rights, and without credentials."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from cli.aws import preflight
from cli.aws.preflight import Account, Check, checked
from cli.commands import preflight as command
from cli.templates import SynthesisError, Templates

GIB = 1024**3
NUMBER = "123456789012"
ABSENT = ("ValidationError", "Stack with id Complaints-dev-Stateless does not exist")
FUNCTION = {
    "Type": "AWS::Lambda::Function",
    "Properties": {"Architectures": ["arm64"], "Code": {"S3Key": "code.zip"}, "Layers": [{"Ref": "Layer"}]},
}
LAYER = {
    "Type": "AWS::Lambda::LayerVersion",
    "Properties": {"CompatibleArchitectures": ["arm64"], "Content": {"S3Key": "layer.zip"}},
}
TRAIL = {"Type": "AWS::CloudTrail::Trail", "Properties": {"TrailName": "complaints-triage-dev"}}


@pytest.fixture
def templates(tmp_path):
    """Return a function that writes one stack with these resources, and reads it."""

    def written(
        *resources: dict[str, Any], files: tuple[str, ...] = ("layer", "code"), platform="linux/arm64"
    ) -> Templates:
        assets = {
            name: {"source": {"path": f"asset.{name}"}, "destinations": {"here": {"objectKey": f"{name}.zip"}}}
            for name in files
        }
        for name in files:
            (tmp_path / f"asset.{name}" / "python").mkdir(parents=True, exist_ok=True)
        images = {"image": {"source": {"directory": "asset.image", "platform": platform}, "destinations": {}}}
        (tmp_path / "one.assets.json").write_text(json.dumps({"files": assets, "dockerImages": images}))
        document = {"Resources": {f"R{number}": resource for number, resource in enumerate(resources)}}
        (tmp_path / "one.json").write_text(json.dumps(document))
        properties = {
            "stackName": "Complaints-dev-Stateless",
            "templateFile": "one.json",
            "requiresBootstrapStackVersion": 6,
            "bootstrapStackVersionSsmParameter": "/cdk-bootstrap/hnb659fds/version",
        }
        stack = {"type": "aws:cloudformation:stack", "environment": "aws://unknown/eu-west-2", "properties": properties}
        (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {"one": stack}}))
        return Templates.read("dev", tmp_path)

    return written


class Aws:
    """Answers each operation as a test says; a pair is the code and message of an error. All others are denied."""

    def __init__(self) -> None:
        self.session = boto3.Session("any", "any", region_name="eu-west-2")
        self.answers: dict[str, Any] = {}
        self.asked: set[tuple[str, str]] = set()
        self.session.events.register("before-call", self._answer)

    def _answer(self, model: Any, **_: Any) -> Any:
        self.asked.add((model.service_model.service_name, model.name))
        answer = self.answers.get(model.name, ("AccessDeniedException", "you may not"))
        if callable(answer):
            answer = answer()
        if isinstance(answer, tuple):
            code, message = answer
            return SimpleNamespace(status_code=400), {
                "Error": {"Code": code, "Message": message},
                "ResponseMetadata": {},
            }
        return SimpleNamespace(status_code=200), {"ResponseMetadata": {}, **answer}

    def account(self, templates: Templates, **answers: Any) -> Account:
        self.answers |= {"ListStackResources": ABSENT} | answers
        return Account(self.session, templates, NUMBER)


@pytest.fixture
def aws(no_credentials) -> Aws:
    return Aws()


def resources(**by_type: str) -> dict[str, Any]:
    found = [{"ResourceType": kind.replace("__", "::"), "PhysicalResourceId": name} for kind, name in by_type.items()]
    return {"StackResourceSummaries": found}


def test_the_credentials_say_whose_account_it_is(aws):
    aws.answers["GetCallerIdentity"] = {"Account": NUMBER, "Arn": "arn:aws:iam::123456789012:user/ann"}
    assert preflight.credentials(aws.session) == Check(
        "credentials", True, f"account {NUMBER} as arn:aws:iam::{NUMBER}:user/ann"
    )
    aws.answers["GetCallerIdentity"] = ("ExpiredToken", "too old")
    refused = preflight.credentials(aws.session)
    assert not refused.ok and "ExpiredToken" in refused.detail and "sign in again" in refused.detail


def test_the_region_is_that_of_the_stacks_whatever_the_shell_says(templates):
    found = preflight.region(templates(FUNCTION), {"dev": "eu-west-2"}, {"AWS_REGION": "us-east-1"})
    assert found.ok and "us-east-1 does not matter" in found.detail
    other = preflight.region(templates(FUNCTION), {"dev": "eu-west-1"}, {})
    assert not other.ok and "looks in eu-west-1" in other.detail


@pytest.mark.parametrize(
    ("answer", "ok", "said"),
    [
        ({"Parameter": {"Value": "30"}}, True, "version 30"),
        ({"Parameter": {"Value": "5"}}, False, "the stacks need 6"),
        (("ParameterNotFound", "none"), False, f"cdk bootstrap aws://{NUMBER}/eu-west-2"),
    ],
)
def test_the_bootstrap_has_to_be_as_new_as_the_stacks_need(aws, templates, answer, ok, said):
    found = preflight.bootstrap(aws.account(templates(FUNCTION), GetParameter=answer))
    assert (found.ok, said in found.detail) == (ok, True)


def limits(limit: int, free: int) -> dict[str, Any]:
    sizes = {"TotalCodeSize": 75 * GIB}
    return {"AccountLimit": {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": free, **sizes}}


RESERVING = {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": 50}}


@pytest.mark.parametrize(
    ("functions", "limit", "ok", "said"),
    [
        ([RESERVING, RESERVING], 1_000, True, "100 reserved, 900 left"),
        ([RESERVING, RESERVING], 10, False, "ask for 200"),
        ([RESERVING, RESERVING], 199, False, "ask for 200"),
        ([RESERVING, RESERVING], 200, True, "100 left"),
        ([FUNCTION], 10, True, "a burst of complaints will wait"),
    ],
)
def test_the_reservations_have_to_leave_a_hundred_executions(aws, templates, functions, limit, ok, said):
    found = preflight.concurrency(aws.account(templates(*functions), GetAccountSettings=limits(limit, limit)))
    assert (found.ok, said in found.detail) == (ok, True), found.detail


def test_reservations_that_the_stacks_have_already_are_not_counted_twice(aws, templates):
    account = aws.account(
        templates(RESERVING),
        GetAccountSettings=limits(150, 100),
        ListStackResources=resources(AWS__Lambda__Function="intake"),
        GetFunctionConcurrency={"ReservedConcurrentExecutions": 50},
    )
    assert preflight.concurrency(account).ok


@pytest.mark.parametrize(("used", "ok"), [(0, True), (75 * GIB, False)])
def test_the_code_has_to_fit_into_the_storage_of_the_account(aws, templates, used, ok):
    found = templates(FUNCTION, FUNCTION)
    (found.folder / "asset.code" / "a.py").write_text("x" * 1000)
    settings = {"AccountLimit": {"TotalCodeSize": 75 * GIB}, "AccountUsage": {"TotalCodeSize": used}}
    check = preflight.code_storage(aws.account(found, GetAccountSettings=settings))
    assert check.ok is ok and "of 75 GB used" in check.detail


def quota_of(aws: Aws, templates: Any, trails: int, **answers: Any) -> Check:
    there = {"trailList": [{"Name": str(number)} for number in range(trails)]}
    return preflight.quota(aws.account(templates(TRAIL), DescribeTrails=there, **answers), "AWS::CloudTrail::Trail")


def test_a_fixed_quota_that_is_used_up_says_to_remove_something(aws, templates):
    assert quota_of(aws, templates, 4).ok
    full = quota_of(aws, templates, 5)
    assert not full.ok and "remove some" in full.detail


def test_what_the_stacks_have_already_needs_no_quota(aws, templates):
    assert quota_of(aws, templates, 5, ListStackResources=resources(AWS__CloudTrail__Trail="complaints-triage-dev")).ok


@pytest.mark.parametrize(
    ("answer", "ok", "said"),
    [
        ({"Quota": {"Value": 3.0}}, True, "1 of 3 used (applied)"),
        ({"Quota": {"Value": 2.0}}, False, "ask Service Quotas for 3 (dynamodb L-F98FE922)"),
        (("NoSuchResourceException", "never changed"), True, "2,500 used (documented)"),
    ],
)
def test_the_applied_quota_counts_and_the_documented_one_where_none_is(aws, templates, answer, ok, said):
    table = {"Type": "AWS::DynamoDB::GlobalTable"}
    account = aws.account(templates(table, table), ListTables={"TableNames": ["other"]}, GetServiceQuota=answer)
    found = preflight.quota(account, "AWS::DynamoDB::GlobalTable")
    assert (found.ok, said in found.detail) == (ok, True), found.detail


def test_a_name_taken_by_something_outside_the_stacks_stops_the_deployment(aws, templates):
    there = {"trailList": [{"Name": "complaints-triage-dev"}, {"Name": "of-others"}]}
    taken = preflight.names(aws.account(templates(TRAIL), DescribeTrails=there))
    assert not taken.ok and "AWS::CloudTrail::Trail complaints-triage-dev" in taken.detail
    assert "of-others" not in taken.detail
    assert preflight.names(aws.account(templates(TRAIL), DescribeTrails={"trailList": []})).ok
    ours = resources(AWS__CloudTrail__Trail="complaints-triage-dev")
    assert preflight.names(aws.account(templates(TRAIL), DescribeTrails=there, ListStackResources=ours)).ok


def test_tables_buckets_and_queues_of_a_former_deployment_are_named(aws, templates):
    there: dict[str, Any] = {
        "ListTables": {"TableNames": ["Complaints-dev-Stateful-Raw", "Complaints-prod-Raw"]},
        "ListBuckets": {"Buckets": [{"Name": "complaints-dev-stateful-bundles"}]},
        "ListQueues": {"QueueUrls": ["https://sqs.eu-west-2.amazonaws.com/1/Complaints-dev-Stateful-Parked"]},
    }
    left = preflight.leftovers(aws.account(templates(TRAIL), **there))
    assert not left.ok and "prod" not in left.detail
    assert "Complaints-dev-Stateful-Parked, Complaints-dev-Stateful-Raw, complaints-dev-stateful-bundles" in left.detail
    ours = resources(
        AWS__DynamoDB__GlobalTable="Complaints-dev-Stateful-Raw",
        AWS__S3__Bucket="complaints-dev-stateful-bundles",
        AWS__SQS__Queue=there["ListQueues"]["QueueUrls"][0],
    )
    assert preflight.leftovers(aws.account(templates(TRAIL), **there, ListStackResources=ours)).ok
    # SQS answers without a list where there is no queue.
    assert preflight.leftovers(aws.account(templates(TRAIL), **there | {"ListQueues": {}}, ListStackResources=ours)).ok


@pytest.mark.parametrize(
    ("status", "ok", "said"),
    [
        ("CREATE_COMPLETE", True, ""),
        ("UPDATE_ROLLBACK_COMPLETE", True, ""),
        ("ROLLBACK_COMPLETE", False, "delete-stack --stack-name Complaints-dev-Stateless"),
        ("UPDATE_ROLLBACK_FAILED", False, "continue-update-rollback"),
        ("REVIEW_IN_PROGRESS", False, "never executed"),
        ("UPDATE_IN_PROGRESS", False, "wait until"),
    ],
)
def test_a_stack_has_to_be_in_a_state_that_can_be_updated(aws, templates, status, ok, said):
    stack = {"StackName": "Complaints-dev-Stateless", "StackStatus": status, "CreationTime": "2026-01-01T00:00:00Z"}
    aws.answers["DescribeStacks"] = {"Stacks": [stack]}
    found = preflight.stack_state(aws.session, templates(FUNCTION).stacks[0])
    assert (found.ok, said in found.detail) == (ok, True), found.detail


def test_a_stack_that_is_not_there_yet_can_be_created(aws, templates):
    aws.answers["DescribeStacks"] = ABSENT
    assert preflight.stack_state(aws.session, templates(FUNCTION).stacks[0]).ok


def test_without_rights_every_check_says_what_it_lacks_and_how_to_go_on(aws, templates):
    found = list(preflight.of_the_account(Account(aws.session, templates(FUNCTION, TRAIL), NUMBER)))
    assert {check.check for check in found} >= {"bootstrap", "lambda concurrency", "names", "quota CloudTrail::Trail"}
    for check in found:
        assert not check.ok and "is denied: allow it, or " in check.detail, check


def test_an_error_of_aws_is_told_apart_from_a_missing_right(aws, templates):
    account = aws.account(templates(FUNCTION), GetParameter=("ThrottlingException", "slower"))
    found = checked("bootstrap", lambda: preflight.bootstrap(account), instead="look yourself")
    assert found == Check(
        "bootstrap", False, "not checked, GetParameter failed with ThrottlingException: look yourself"
    )


def ran(**outputs: str) -> Any:
    def run(arguments: list[str]) -> Any:
        output = outputs.get(arguments[1])
        return subprocess.CompletedProcess(arguments, 0 if output is not None else 1, output or "", "")

    return run


@pytest.mark.parametrize(
    ("outputs", "ok", "said"),
    [
        ({"info": "", "buildx": "Platforms: linux/amd64, linux/arm64"}, True, "builds linux/arm64"),
        ({"info": "", "buildx": "Platforms: linux/amd64"}, False, "cannot build linux/arm64"),
        ({}, False, "start it"),
    ],
)
def test_docker_has_to_run_and_to_build_for_the_functions(templates, outputs, ok, said):
    found = preflight.docker(templates(FUNCTION), run=ran(**outputs), variables={"CDK_DOCKER": "true"})
    assert (found.ok, said in found.detail) == (ok, True)


def test_a_machine_without_docker_is_told_to_install_it(templates):
    found = preflight.docker(templates(FUNCTION), variables={"CDK_DOCKER": "no-such-program"})
    assert not found.ok and "not installed" in found.detail

    def hangs(arguments: list[str]) -> Any:
        raise subprocess.TimeoutExpired(arguments, 60)

    assert "restart it" in preflight.docker(templates(FUNCTION), run=hangs, variables={"CDK_DOCKER": "true"}).detail


def elf(file: Path, machine: bytes) -> None:
    file.write_bytes(b"\x7fELF" + b"\0" * 14 + machine)


def test_the_layers_have_to_be_built_for_the_processor_of_the_functions(templates):
    found = templates(FUNCTION, LAYER)
    folder = found.folder / "asset.layer" / "python"
    assert "make package" in preflight.layers(found).detail and not preflight.layers(found).ok
    (folder / "library.py").write_text("pass")
    elf(folder / "fast.so", b"\xb7\x00")
    assert preflight.layers(found).ok and preflight.architecture(found).ok
    assert not preflight.layers(found, limit_megabytes=0).ok
    elf(folder / "fast.so.2", b"\x3e\x00")
    wrong = preflight.architecture(found)
    assert not wrong.ok and "fast.so.2" in wrong.detail


def test_functions_layers_and_images_have_to_agree_on_the_processor(templates):
    found = preflight.architecture(templates(FUNCTION, LAYER, platform="linux/amd64"))
    assert not found.ok and "images on amd64" in found.detail


@pytest.fixture
def synthesised(monkeypatch, templates):
    monkeypatch.setattr(command, "synthesised", lambda environment, folder: templates(FUNCTION, TRAIL))


def test_no_credentials_give_one_clear_line_and_no_trace(triage, no_credentials, synthesised):
    result = triage("preflight", "--json", "--env", "dev")
    assert result.code == 1 and "Traceback" not in result.err
    by_name = {check["check"]: check for check in result.json}
    assert not by_name["credentials"]["ok"] and "aws sso login" in by_name["credentials"]["detail"]
    assert "bootstrap" not in by_name and "credentials" in result.err
    assert all(set(check) == {"check", "ok", "detail"} for check in result.json)


def test_people_see_first_what_will_not_work(triage, aws, synthesised, monkeypatch):
    monkeypatch.setattr(boto3, "Session", lambda **_: aws.session)
    aws.answers["GetCallerIdentity"] = {"Account": NUMBER, "Arn": "arn:aws:iam::123456789012:user/ann"}
    result = triage("--env", "dev", "preflight")
    assert result.code == 1 and "Before deploying dev" in result.out
    assert result.out.index("WILL NOT WORK") < result.out.index(" ok ")


def test_before_the_embedded_aws_runs_nothing_is_missing(triage, tmp_path, monkeypatch, templates):
    monkeypatch.setattr(command, "synthesised", lambda environment, folder: templates(FUNCTION))
    monkeypatch.setattr(preflight, "of_this_machine", lambda found: iter(()))
    monkeypatch.setattr(command, "REGIONS", {})
    result = triage("preflight", "--json", "--state", tmp_path / "state")
    assert result.code == 0 and {check["ok"] for check in result.json} == {True}


def test_templates_that_cannot_be_synthesised_are_one_failed_check(triage, monkeypatch):
    def fails(environment, folder):
        raise SynthesisError("the templates of dev cannot be synthesised: a finding; see `make synth`")

    monkeypatch.setattr(command, "synthesised", fails)
    result = triage("preflight", "--json", "--env", "dev")
    assert result.code == 1
    assert [(check["check"], check["ok"]) for check in result.json] == [("templates", False)]


PREFIXES = {"service-quotas": "servicequotas", "stepfunctions": "states"}
ACTIONS = {"s3:ListBuckets": "s3:ListAllMyBuckets"}
"""IAM's names where they differ from those of the service and the operation."""


def test_the_rights_that_the_checks_need_are_those_that_are_stated(aws, templates):
    kinds = preflight.QUOTAS.keys() | preflight.NAMES.keys()
    named = [
        {"Type": kind, "Properties": {preflight.NAMES[kind][0]: "any"} if kind in preflight.NAMES else {}}
        for kind in kinds
    ]
    aws.answers |= {
        "ListStackResources": resources(AWS__Lambda__Function="intake"),
        "GetAccountSettings": limits(10, 10) | {"AccountUsage": {"TotalCodeSize": 0}},
        **{
            listing.operation.title().replace("_", ""): {listing.key: []}
            for listing in vars(preflight).values()
            if isinstance(listing, preflight.Listing)
        },
    }
    list(preflight.of_the_account(Account(aws.session, templates(*named), NUMBER)))
    asked = {f"{PREFIXES.get(service, service)}:{operation}" for service, operation in aws.asked}
    assert {ACTIONS.get(action, action) for action in asked} == set(preflight.RIGHTS)
