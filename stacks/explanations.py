"""Explanations layer: on request only, why a model decided as it did."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.data import Data
from stacks.findings import acknowledge_wildcard, logical_id
from stacks.function import RuntimeFunction
from stacks.inference import JudgingFunction, judging_environment
from stacks.packages import Package, Packages
from stacks.settings import Settings
from stacks.states import LoggedStateMachine, invoking, retried
from triage.environment import DeliverExplanationEnvironment, ExplainEnvironment, FindDecisionEnvironment
from triage.steps import EXPLAIN, FIND_DECISION, ExplanationTask, path

EXPLANATION_TIME = Duration.minutes(5)
TO_BE_HEARD = Duration.seconds(10)


class Explanations(Construct):
    """find what decided → have it explain itself. Nothing of triage starts it, and it changes no decision.

    `role` may start it, and have an explanation handed out; nobody else may.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, data: Data, packages: Packages, settings: Settings
    ) -> None:
        super().__init__(scope, construct_id)
        self.find_decision = self._find_decision(data, packages, settings)
        self.explain, self.explain_transformers = (
            self._explain(construct_id, package, data, packages, settings)
            for construct_id, package in (
                ("Explain", packages.onnx),
                ("ExplainTransformers", packages.explain_transformers),
            )
        )
        self.deliver_explanation = self._deliver_explanation(data, packages, settings)
        self.state_machine = LoggedStateMachine(
            self,
            "Explanation",
            definition=self._explained(),
            timeout=Duration.hours(1),
            functions=(self.find_decision, self.explain, self.explain_transformers),
            settings=settings,
        )
        self.role = self._role(settings)

    def _find_decision(self, data: Data, packages: Packages, settings: Settings) -> RuntimeFunction:
        function = RuntimeFunction(
            self,
            "FindDecision",
            module=FIND_DECISION.name,
            package=packages.control,
            environment=FindDecisionEnvironment(
                code_version=packages.code_version,
                complaints_allocation_table=data.complaints_allocation.table.table_name,
            ),
            settings=settings,
            timeout=Duration.seconds(30),
            concurrency=settings.explanation_concurrency,
        )
        data.complaints_allocation.allow(function, "GetItem")
        return function

    def _explain(
        self, construct_id: str, package: Package, data: Data, packages: Packages, settings: Settings
    ) -> JudgingFunction:
        function = JudgingFunction(
            self,
            construct_id,
            step=EXPLAIN,
            package=package,
            environment=judging_environment(ExplainEnvironment, data, packages, settings),
            data=data,
            settings=settings,
            timeout=EXPLANATION_TIME,
            concurrency=settings.explanation_concurrency,
        )
        data.complaints_allocation.allow(function, "Query")
        return function

    def _deliver_explanation(self, data: Data, packages: Packages, settings: Settings) -> RuntimeFunction:
        function = RuntimeFunction(
            self,
            "DeliverExplanation",
            module="deliver_explanation",
            # With the redactor's library; it loads no model.
            package=packages.onnx,
            environment=DeliverExplanationEnvironment(
                code_version=packages.code_version,
                raw_complaints_table=data.raw_complaints.table.table_name,
                complaints_allocation_table=data.complaints_allocation.table.table_name,
                retention_days=settings.retention_days,
            ),
            settings=settings,
            timeout=Duration.seconds(30),
            concurrency=settings.explanation_concurrency,
        )
        data.raw_complaints.allow(function, "GetItem")
        data.complaints_allocation.allow(function, "GetItem", "PutItem")
        return function

    def _explained(self) -> sfn.Chain:
        by_engine = sfn.Choice(self, "Engine")
        for function, engine in ((self.explain, "onnx"), (self.explain_transformers, "transformers")):
            by_engine.when(
                sfn.Condition.string_equals(path(ExplanationTask, "model", "engine"), engine),
                retried(invoking(self, function, timeout=EXPLANATION_TIME.plus(TO_BE_HEARD))),
            )
        find = retried(invoking(self, self.find_decision, timeout=Duration.seconds(30).plus(TO_BE_HEARD)))
        return sfn.Chain.start(find).next(by_engine)

    def _role(self, settings: Settings) -> iam.Role:
        role = iam.Role(
            self,
            "Explainer",
            assumed_by=iam.AccountPrincipal(Stack.of(self).account),
            description="Asks why a model decided as it did, and is handed the answer",
        )
        self.state_machine.grant_start_execution(role)
        self.state_machine.grant_execution(role, "states:DescribeExecution")
        machine_name = f'{{"Fn::Select":[6,{{"Fn::Split":[":",{{"Ref":"{logical_id(self.state_machine)}"}}]}}]}}'
        acknowledge_wildcard(
            role,
            f"arn:<AWS::Partition>:states:{settings.region}:<AWS::AccountId>:execution:{machine_name}:*",
            "Executions are named after requests: all of this one state machine's may be described.",
        )
        iam.Grant.add_to_principal(
            grantee=role,
            actions=["lambda:InvokeFunction"],
            resource_arns=[self.deliver_explanation.function_arn],
        )
        return role
