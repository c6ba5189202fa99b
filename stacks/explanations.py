"""Explanations layer: on request, why a model decided as it did."""

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.function import HALF_A_MINUTE, Foundation, RuntimeFunction, judging_functions
from stacks.rights import PersonRole, allow
from stacks.states import LoggedStateMachine, invoking, is_engine, longest
from triage.functions import DELIVER_EXPLANATION, EXPLAIN, FIND_DECISION
from triage.steps import ExplanationTask

EXPLANATION_TIME = Duration.minutes(5)
DELIVERY_OF_THE_ANSWER = Duration.seconds(10)


class Explanations(Construct):
    """find the model that decided → explain its decision. Triage does not start this, and no decision changes.

    Only `role` may start it, and have an explanation handed out.
    """

    def __init__(self, scope: Construct, construct_id: str, *, base: Foundation) -> None:
        super().__init__(scope, construct_id)
        data = base.data
        self.find_decision = RuntimeFunction(self, "FindDecision", function=FIND_DECISION, base=base)
        data.complaints_allocation.allow(self.find_decision, "GetItem")

        self.explain = judging_functions(
            self,
            "Explain",
            function=EXPLAIN,
            base=base,
            timeout=EXPLANATION_TIME,
            concurrency=base.settings.explanation_concurrency,
        )
        for function in self.explain.values():
            data.complaints_allocation.allow(function, "Query")
            # An explanation is stored only while its complaint exists.
            data.raw_complaints.allow(function, "ConditionCheckItem")

        self.deliver_explanation = RuntimeFunction(
            self,
            "DeliverExplanation",
            function=DELIVER_EXPLANATION,
            base=base,
            # For the redactor's library. It loads no model.
            package=base.packages.onnx,
        )
        data.raw_complaints.allow(self.deliver_explanation, "GetItem")
        data.complaints_allocation.allow(self.deliver_explanation, "GetItem", "PutItem")

        by_engine = sfn.Choice(self, "Engine")
        patience = EXPLANATION_TIME.plus(DELIVERY_OF_THE_ANSWER)
        explaining = {engine: invoking(self, each, timeout=patience) for engine, each in self.explain.items()}
        for engine, explain in explaining.items():
            by_engine.when(is_engine(ExplanationTask, engine), explain)
        find = invoking(self, self.find_decision, timeout=HALF_A_MINUTE.plus(DELIVERY_OF_THE_ANSWER))
        self.state_machine = LoggedStateMachine(
            self,
            "Explanation",
            definition=sfn.Chain.start(find).next(by_engine),
            # One of the engines explains, and both have the same patience.
            timeout=longest(find, explaining["onnx"]),
            functions=(self.find_decision, *self.explain.values()),
            data=data,
            settings=base.settings,
        )
        self.role = PersonRole(
            self,
            "Explainer",
            description="Asks why a model decided as it did, and is handed the answer",
            settings=base.settings,
            smoke_tested=True,
        )
        self.state_machine.allow_starting_and_describing(self.role, named_after="requests")
        allow(self.role, self.deliver_explanation.function_arn, "lambda:InvokeFunction")
