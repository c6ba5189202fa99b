"""What GitHub Actions may do in an account: a provider of identities, and three roles without keys."""

import re
from collections.abc import Mapping

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.findings import acknowledge_wildcard
from stacks.settings import Settings
from triage.feedback import INBOX

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
REPOSITORY = re.compile(r"[\w.-]+(@\d+)?/[\w.-]+(@\d+)?")
BOOTSTRAP_ROLES = ("deploy", "file-publishing", "image-publishing", "lookup")
WHY_WILDCARDS = (
    "Quotas and lists have no resource to name. What CloudFormation names after the environment's stacks is "
    "not known before it is deployed; the conditions narrow it to complaints of the smoke test."
)
SMOKE = "smoke-"
"""How the ids of the complaints of `triage smoke` begin."""


class Delivery(Construct):
    """`Provider` is one for the account, whatever the number of environments in it. `Roles` is one per environment."""

    def __init__(self, scope: Construct, construct_id: str, *, repository: str, settings: Settings) -> None:
        """repository: as GitHub writes it in the subject of a token: `owner/name`, or `owner@id/name@id`.

        Raises: ValueError where it is neither.
        """
        super().__init__(scope, construct_id)
        if not REPOSITORY.fullmatch(repository):
            raise ValueError(
                f"the repository {repository!r} is not of the form owner/name or owner@id/name@id: "
                "name it by `make delivery REPOSITORY=owner/name ENVIRONMENT=dev`"
            )
        place = Environment(region=settings.region)
        self.provider = Stack(
            self, "Provider", stack_name="Complaints-GitHub", env=place, termination_protection=settings.protected
        )
        iam.OidcProviderNative(self.provider, "GitHub", url=f"https://{ISSUER}", client_ids=[AUDIENCE])
        self.roles = Stack(
            self,
            "Roles",
            stack_name=f"Complaints-{settings.environment}-Delivery",
            env=place,
            termination_protection=settings.protected,
        )
        self.roles.add_stack_dependency(self.provider)
        Roles(self.roles, "GitHub", repository=repository, settings=settings)


class Roles(Construct):
    """Jobs in the GitHub environment may take `Deploy` and `Check`. A pull request may take `Diff`, which reads."""

    def __init__(self, scope: Construct, construct_id: str, *, repository: str, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self._repository = repository
        self._settings = settings
        in_environment = f"environment:{settings.environment}"
        self.deploy = self._role("Deploy", in_environment, "Deploys through the roles of cdk bootstrap, and no more")
        self.check = self._role("Check", in_environment, "Runs triage preflight and triage smoke")
        self.diff = self._role("Diff", "pull_request", "Reads the deployed templates for cdk diff")

        self._allow(self.deploy, ["sts:AssumeRole"], [self._bootstrap_role(name) for name in BOOTSTRAP_ROLES])
        self._allow(
            self.diff,
            ["cloudformation:DescribeStacks", "cloudformation:GetTemplate"],
            [self._arn("cloudformation", f"stack/{self._prefix}*/*")],
        )
        self._allow_preflight()
        self._allow_smoke()

    @property
    def _prefix(self) -> str:
        """How the names of the environment's stacks begin, and of what CloudFormation names after them."""
        return f"Complaints-{self._settings.environment}-"

    def _role(self, name: str, context: str, description: str) -> iam.Role:
        """Return a role for jobs of the repository in this context alone: the subject is compared whole."""
        stack = Stack.of(self)
        provider = f"arn:{stack.partition}:iam::{stack.account}:oidc-provider/{ISSUER}"
        subject = {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": f"repo:{self._repository}:{context}"}
        principal = iam.WebIdentityPrincipal(provider, {"StringEquals": subject})
        role = iam.Role(self, name, assumed_by=principal, description=description)
        CfnOutput(self, f"{name}RoleArn", value=role.role_arn)
        return role

    def _allow_preflight(self) -> None:
        """Let the preflight list names and read limits. Most of these actions know no resources."""
        self._allow(
            self.check,
            [
                "cloudtrail:DescribeTrails",
                "cloudwatch:DescribeAlarms",
                "dynamodb:ListTables",
                "events:ListEventBuses",
                "events:ListRules",
                "iam:ListRoles",
                "kms:ListAliases",
                "kms:ListKeys",
                "lambda:GetAccountSettings",
                "lambda:ListFunctions",
                "logs:DescribeLogGroups",
                "s3:ListAllMyBuckets",
                "servicequotas:GetServiceQuota",
                "sqs:ListQueues",
                "ssm:DescribeParameters",
                "states:ListStateMachines",
            ],
            ["*"],
        )
        self._allow(
            self.check,
            ["cloudformation:DescribeStacks", "cloudformation:ListStackResources"],
            [self._arn("cloudformation", f"stack/{self._prefix}*/*")],
        )
        self._allow(self.check, ["lambda:GetFunctionConcurrency"], [self._arn("lambda", f"function:{self._prefix}*")])
        self._allow(self.check, ["ssm:GetParameter"], [self._arn("ssm", "parameter/cdk-bootstrap/*")])

    def _allow_smoke(self) -> None:
        """Let the smoke test put, read and delete complaints whose ids begin with `smoke-`, and no others."""
        stack, environment = Stack.of(self), self._settings.environment
        tables = f"{self._prefix}Stateful-*"
        by_dynamodb = {"StringEquals": {"kms:ViaService": f"dynamodb.{stack.region}.amazonaws.com"}}
        self._allow(
            self.check, ["ssm:GetParametersByPath"], [self._arn("ssm", f"parameter/complaints-triage/{environment}*")]
        )
        self._allow(
            self.check,
            ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"],
            [self._arn("dynamodb", f"table/{tables}")],
            {
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{SMOKE}*", f"{INBOX}{SMOKE}*"]},
                # Without a key the condition above holds for all values of none.
                "Null": {"dynamodb:LeadingKeys": "false"},
            },
        )
        self._allow(
            self.check,
            ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"],
            [self._arn("kms", "key/*")],
            {**by_dynamodb, "StringLike": {"kms:EncryptionContext:aws:dynamodb:tableName": tables}},
        )
        # A description has no encryption context, so it cannot share the condition above.
        self._allow(self.check, ["kms:DescribeKey"], [self._arn("kms", "key/*")], by_dynamodb)
        self._allow(
            self.check,
            ["states:GetExecutionHistory"],
            [self._arn("states", f"execution:*:{SMOKE}*")],
        )
        # To compare the ends of chains with their anchors, whose names are all that an anchor has.
        self._allow(
            self.check, ["s3:ListBucket"], [f"arn:{stack.partition}:s3:::{self._prefix.lower()}stateful-dataanchors*"]
        )
        for role in ("ExplanationsExplainer", "AuditPrivacyOfficer"):
            # CloudFormation cuts the stack's name and the logical id to fit them into 64 characters.
            self._allow(self.check, ["sts:AssumeRole"], [self._arn("iam", f"role/{self._prefix}*{role}*")])

    def _bootstrap_role(self, name: str) -> str:
        """Return the ARN of a role of `cdk bootstrap`, in the account and region of this stack."""
        stack = Stack.of(self)
        return self._arn("iam", f"role/cdk-hnb659fds-{name}-role-{stack.account}-{stack.region}")

    def _arn(self, service: str, resource: str) -> str:
        stack = Stack.of(self)
        region = "" if service == "iam" else stack.region
        return f"arn:{stack.partition}:{service}:{region}:{stack.account}:{resource}"

    def _allow(
        self,
        role: iam.Role,
        actions: list[str],
        resources: list[str],
        conditions: Mapping[str, Mapping[str, str | list[str]]] | None = None,
    ) -> None:
        role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources, conditions=conditions))
        stack = Stack.of(self)
        for resource in resources:
            if "*" in resource:
                named = resource.replace(stack.partition, "<AWS::Partition>").replace(stack.account, "<AWS::AccountId>")
                acknowledge_wildcard(role, named, WHY_WILDCARDS)
