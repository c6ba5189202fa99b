"""What GitHub Actions may do: whom each role trusts, and what it allows, judged as IAM judges it."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from cli.aws.preflight import RIGHTS
from stacks.delivery import BOOTSTRAP_ROLES, SMOKE
from stacks.settings import SETTINGS
from tests.stacks.conftest import BARE_ENVIRONMENT, MEASURING, ROOT
from tests.stacks.policies import allowed, assumed_by_token
from triage import tables
from triage.feedback import INBOX

REPOSITORY = "megabank/complaints"
ACCOUNT = "111122223333"
TABLE = f"arn:aws:dynamodb:eu-west-2:{ACCOUNT}:table/Complaints-prod-Stateful-DataRawComplaints1A2B-XYZ"


def synthesized(folder, **context):
    variables = {"CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context)}
    return subprocess.run(
        [sys.executable, "-W", "error", "delivery.py"],
        cwd=ROOT,
        env=BARE_ENVIRONMENT | MEASURING | variables,
        capture_output=True,
        text=True,
        check=False,
    )


class Roles:
    """The synthesised stacks of one environment."""

    def __init__(self, folder):
        documents = [json.loads(path.read_text()) for path in folder.glob("*.template.json")]
        self.resources = {name: each for document in documents for name, each in document["Resources"].items()}

    def of_type(self, kind):
        return {name: each["Properties"] for name, each in self.resources.items() if each["Type"] == kind}

    def trust(self, role):
        return self.of_type("AWS::IAM::Role")[self.name(role)]["AssumeRolePolicyDocument"]

    def policy(self, role):
        (policy,) = (
            each["PolicyDocument"]
            for each in self.of_type("AWS::IAM::Policy").values()
            if each["Roles"] == [{"Ref": self.name(role)}]
        )
        return policy

    def name(self, role):
        (name,) = (name for name in self.of_type("AWS::IAM::Role") if re.fullmatch(f"GitHub{role}[0-9A-F]{{8}}", name))
        return name


def roles_of(factory, repository):
    folder = factory.mktemp("delivery")
    done = synthesized(folder, repository=repository, environment="prod")
    assert done.returncode == 0, done.stdout + done.stderr
    return Roles(folder)


@pytest.fixture(scope="module")
def roles(tmp_path_factory):
    return roles_of(tmp_path_factory, REPOSITORY)


@pytest.mark.parametrize("role", ["Deploy", "Check"])
def test_a_job_in_the_environment_gets_the_role(roles, role):
    assert assumed_by_token(roles.trust(role), sub=f"repo:{REPOSITORY}:environment:prod")


OTHERS = {
    "another repository": "repo:megabank/other:environment:prod",
    "a repository whose name begins alike": f"repo:{REPOSITORY}-2:environment:prod",
    "a fork": "repo:mallory/complaints:environment:prod",
    "another environment": f"repo:{REPOSITORY}:environment:dev",
    "an environment whose name begins alike": f"repo:{REPOSITORY}:environment:prod-2",
    "a branch without an environment": f"repo:{REPOSITORY}:ref:refs/heads/main",
    "a tag": f"repo:{REPOSITORY}:ref:refs/tags/v1",
    "a pull request": f"repo:{REPOSITORY}:pull_request",
    "a branch that is named like an environment": f"repo:{REPOSITORY}:ref:refs/heads/environment:prod",
    "the name without the ids of an immutable subject": "repo:megabank@1/complaints@2:environment:prod",
}


@pytest.mark.parametrize("role", ["Deploy", "Check"])
@pytest.mark.parametrize("sub", OTHERS.values(), ids=OTHERS)
def test_nobody_else_gets_the_role(roles, role, sub):
    assert not assumed_by_token(roles.trust(role), sub=sub)


@pytest.mark.parametrize("role", ["Deploy", "Check", "Diff"])
def test_a_token_for_another_audience_or_from_another_issuer_is_refused(roles, role):
    subs = {"Diff": f"repo:{REPOSITORY}:pull_request"}
    sub = subs.get(role, f"repo:{REPOSITORY}:environment:prod")
    assert assumed_by_token(roles.trust(role), sub=sub)
    assert not assumed_by_token(roles.trust(role), sub=sub, aud="https://github.com/megabank")
    elsewhere = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.example.com"
    assert not assumed_by_token(roles.trust(role), sub=sub, provider=elsewhere)


def test_a_pull_request_gets_the_role_that_reads_and_nobody_else_does(roles):
    trust = roles.trust("Diff")
    assert assumed_by_token(trust, sub=f"repo:{REPOSITORY}:pull_request")
    for sub in (
        "repo:mallory/complaints:pull_request",
        f"repo:{REPOSITORY}:ref:refs/heads/main",
        f"repo:{REPOSITORY}:environment:prod",
    ):
        assert not assumed_by_token(trust, sub=sub)


def test_a_subject_with_ids_is_trusted_only_with_these_ids(tmp_path_factory):
    trust = roles_of(tmp_path_factory, "megabank@12/complaints@34").trust("Deploy")
    assert assumed_by_token(trust, sub="repo:megabank@12/complaints@34:environment:prod")
    assert not assumed_by_token(trust, sub="repo:megabank@12/complaints@35:environment:prod")
    assert not assumed_by_token(trust, sub=f"repo:{REPOSITORY}:environment:prod")


def test_every_role_is_trusted_by_its_subject_and_audience_alone(roles):
    """A wildcard or a missing condition would let other repositories in."""
    assert len(roles.of_type("AWS::IAM::Role")) == 3
    for role in roles.of_type("AWS::IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Condition"].keys() == {"StringEquals"}
        assert {key.rpartition(":")[2] for key in statement["Condition"]["StringEquals"]} == {"aud", "sub"}
        assert "*" not in json.dumps(statement)


def test_the_provider_is_githubs_and_takes_tokens_for_aws_alone(roles):
    (provider,) = roles.of_type("AWS::IAM::OIDCProvider").values()
    assert provider["Url"] == "https://token.actions.githubusercontent.com"
    assert provider["ClientIdList"] == ["sts.amazonaws.com"]


def bootstrap_role(name):
    return f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-{name}-role-{ACCOUNT}-eu-west-2"


def test_deploying_is_assuming_the_bootstrap_roles_and_nothing_else(roles):
    (statement,) = roles.policy("Deploy")["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert all(allowed(roles.policy("Deploy"), "sts:AssumeRole", bootstrap_role(name)) for name in BOOTSTRAP_ROLES)
    assert not allowed(roles.policy("Deploy"), "sts:AssumeRole", bootstrap_role("cfn-exec"))
    assert not allowed(roles.policy("Deploy"), "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/Admin")


def test_the_bootstrap_roles_have_the_names_that_the_cdk_command_gives_them():
    command = ["node", "node_modules/aws-cdk/bin/cdk", "bootstrap", "--show-template"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    resources = yaml.safe_load(shown)["Resources"].values()
    names = {each["Properties"]["RoleName"]["Fn::Sub"] for each in resources if "RoleName" in each["Properties"]}
    ours = {f"cdk-${{Qualifier}}-{name}-role-${{AWS::AccountId}}-${{AWS::Region}}" for name in BOOTSTRAP_ROLES}
    assert ours < names


def test_a_pull_request_may_read_the_deployed_templates_and_nothing_else(roles):
    policy = roles.policy("Diff")
    stack = f"arn:aws:cloudformation:eu-west-2:{ACCOUNT}:stack/Complaints-prod-Stateful/1"
    assert allowed(policy, "cloudformation:GetTemplate", stack)
    assert not allowed(policy, "cloudformation:GetTemplate", stack.replace("prod", "dev"))
    actions = [action for statement in policy["Statement"] for action in statement["Action"]]
    assert all(re.match(r"cloudformation:(Get|Describe)", action) for action in actions)


def request(*keys):
    return {"dynamodb:LeadingKeys": list(keys)}


def test_the_smoke_test_reaches_its_own_complaints(roles):
    policy = roles.policy("Check")
    for action in ("PutItem", "GetItem", "DeleteItem"):
        assert allowed(policy, f"dynamodb:{action}", TABLE, request(f"{SMOKE}1"))
    assert allowed(policy, "dynamodb:Query", TABLE, request(f"{INBOX}{SMOKE}1"))
    key = f"arn:aws:kms:eu-west-2:{ACCOUNT}:key/1"
    context = {
        "kms:ViaService": ["dynamodb.eu-west-2.amazonaws.com"],
        "kms:EncryptionContext:aws:dynamodb:tableName": [TABLE.rpartition("/")[2]],
    }
    assert allowed(policy, "kms:Decrypt", key, context)
    assert not allowed(policy, "kms:Decrypt", key, context | {"kms:ViaService": ["s3.eu-west-2.amazonaws.com"]})


def test_the_smoke_test_reaches_no_complaint_of_a_customer(roles):
    policy = roles.policy("Check")
    assert not allowed(policy, "dynamodb:GetItem", TABLE, request("C-2025-1"))
    assert not allowed(policy, "dynamodb:BatchGetItem", TABLE, request(f"{SMOKE}1", "C-2025-1"))
    assert not allowed(policy, "dynamodb:GetItem", TABLE)
    assert not allowed(policy, "dynamodb:Scan", TABLE)
    assert not allowed(policy, "dynamodb:GetItem", TABLE.replace("prod", "dev"), request(f"{SMOKE}1"))


def test_the_check_changes_nothing_but_complaints_of_the_smoke_test(roles):
    changing = {
        action
        for statement in roles.policy("Check")["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        if not re.match(r"\w+:(Get|List|Describe|BatchGet|Query)", action)
    }
    assert changing == {
        "dynamodb:DeleteItem",
        "dynamodb:PutItem",
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "sts:AssumeRole",
    }


def test_the_partition_key_of_every_table_of_complaints_is_the_complaint():
    """The rights of the smoke test are bound to this key."""
    of_complaints = (tables.RAW_COMPLAINTS, tables.COMPLAINTS_ALLOCATION, tables.AUDIT_CHAIN)
    assert {table.partition_key for table in of_complaints} == {"complaint_id"}


def test_the_roles_that_the_smoke_test_takes_are_those_of_the_deployment(roles, production):
    """CloudFormation names a role by the first 24 characters of its stack and of its logical id."""
    named = {
        path: f"arn:aws:iam::{ACCOUNT}:role/{production.stateless.stack_name[:24]}-{logical_id[:24]}-1A2B3C4D5E6F"
        for logical_id, path in production.stateless.paths.items()
        if production.stateless.resources[path]["Type"] == "AWS::IAM::Role"
    }
    taken = {path for path, arn in named.items() if allowed(roles.policy("Check"), "sts:AssumeRole", arn)}
    assert taken == {"Explanations/Explainer", "Audit/PrivacyOfficer"}


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"repository": REPOSITORY}, "there is no environment None on AWS"),
        ({"repository": REPOSITORY, "environment": "local"}, "there is no environment 'local' on AWS"),
        ({"environment": "prod"}, "the repository '' is not of the form"),
        ({"repository": "megabank/*", "environment": "prod"}, "the repository 'megabank/\\*' is not of the form"),
        ({"repository": "megabank", "environment": "prod"}, "the repository 'megabank' is not of the form"),
    ],
)
def test_what_is_not_one_repository_and_one_environment_is_refused(tmp_path, context, said):
    done = synthesized(tmp_path, **context)
    assert done.returncode == 1
    assert re.search(said, done.stderr)


def test_the_simulator_refuses_what_it_does_not_know():
    policy = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"a": "true"}}}]}
    with pytest.raises(ValueError, match="Bool is not simulated"):
        allowed(policy, "s3:GetObject", "arn")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    mixed = {"Statement": [everything, everything | {"Effect": "Deny", "Action": "s3:*"}]}
    assert allowed(mixed, "sqs:SendMessage", "arn") and not allowed(mixed, "s3:GetObject", "arn")


def test_the_check_role_may_do_everything_that_the_preflight_asks(roles):
    """Otherwise no deployment would begin: a check that may not look does not pass."""
    arn = f"arn:aws:{{}}:eu-west-2:{ACCOUNT}:{{}}"
    resources = {
        "cloudformation:DescribeStacks": arn.format("cloudformation", "stack/Complaints-prod-Stateless/1"),
        "cloudformation:ListStackResources": arn.format("cloudformation", "stack/Complaints-prod-Stateful/1"),
        "lambda:GetFunctionConcurrency": arn.format("lambda", "function:Complaints-prod-Stateless-Intake1"),
        "ssm:GetParameter": arn.format("ssm", "parameter/cdk-bootstrap/hnb659fds/version"),
    }
    policy = roles.policy("Check")
    assert [right for right in RIGHTS if not allowed(policy, right, resources.get(right, "*"))] == []


def test_the_roles_that_the_smoke_test_takes_know_the_check_role_by_its_name(roles):
    """CloudFormation names a role after its stack and logical id, in at most 64 characters with 12 of its own."""
    named = {name: f"Complaints-prod-Delivery-{name}" for name in roles.of_type("AWS::IAM::Role")}
    trusted = [name for name, whole in named.items() if whole.startswith(SETTINGS["prod"].check_role)]
    assert trusted == [roles.name("Check")]
    assert len(named[trusted[0]]) + 1 + 12 <= 64
