"""Shadows layer: once a complaint is allocated, challengers predict beside the champion, on functions of their own."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from stacks.function import Foundation, RuntimeFunction, judging_functions
from stacks.states import (
    ERROR,
    LoggedStateMachine,
    building,
    each_model_request,
    invoking,
    is_engine,
)
from triage.errors import ComplaintMissingError
from triage.functions import SHADOW_FAILED, SHADOW_INFERENCE
from triage.steps import EVENT_TYPE, Allocated, InferenceRequest, ShadowFailure, path


class Shadows(Construct):
    """allocated → each shadow predicts.

    The announcement of an allocation starts it, and triage does not wait for its end. A shadow that fails is recorded
    in the story.
    """

    def __init__(self, scope: Construct, construct_id: str, *, base: Foundation) -> None:
        super().__init__(scope, construct_id)
        data = base.data
        self.shadow_inference = judging_functions(
            self,
            "ShadowInference",
            function=SHADOW_INFERENCE,
            base=base,
            timeout=Duration.seconds(30),
            concurrency=base.settings.shadow_concurrency,
        )
        self.shadow_failed = RuntimeFunction(self, "ShadowFailed", function=SHADOW_FAILED, base=base)
        data.complaints_allocation.allow(self.shadow_failed, "PutItem")
        self.state_machine = LoggedStateMachine(
            self,
            "Shadow",
            definition=self._each_shadow(base.settings.map_concurrency),
            # Longer than a throttled task may wait for its turn.
            timeout=Duration.hours(1),
            functions=(*self.shadow_inference.values(), self.shadow_failed),
            data=data,
            settings=base.settings,
        )
        self.start = events.Rule(
            self,
            "Allocated",
            event_bus=data.bus,
            event_pattern=events.EventPattern(
                source=[base.settings.event_source],
                detail_type=[EVENT_TYPE],
                # Matches where at least one shadow is listed.
                detail={"shadows": {"shadow": [True]}},
            ),
            targets=[
                data.undelivered.after(
                    targets.SfnStateMachine(
                        self.state_machine,
                        input=events.RuleTargetInput.from_event_path("$.detail"),
                        max_event_age=Duration.hours(1),
                        retry_attempts=10,
                    )
                )
            ],
        )

    def _each_shadow(self, concurrency: int) -> sfn.Map:
        failed = self._failed()
        # A complaint that was erased since gets no further entry in its story.
        erased = sfn.Pass(self, "Erased")
        by_engine = sfn.Choice(self, "Engine")
        for engine, function in self.shadow_inference.items():
            judge = self._invoke(function)
            judge.add_catch(erased, errors=[ComplaintMissingError.__name__], result_path=ERROR)
            judge.add_catch(failed, errors=[sfn.Errors.ALL], result_path=ERROR)
            by_engine.when(is_engine(InferenceRequest, engine), judge)
        each_shadow = sfn.Map(
            self,
            "EachShadow",
            items_path=path(Allocated, "shadows"),
            item_selector=each_model_request(Allocated),
            result_path=sfn.JsonPath.DISCARD,
            max_concurrency=concurrency,
        )
        each_shadow.item_processor(by_engine)
        return each_shadow

    def _failed(self) -> sfn.Chain:
        """Record the failure. If that fails too, the other shadows of the complaint still go on."""
        record = self._invoke(self.shadow_failed)
        record.add_catch(sfn.Pass(self, "Unrecorded"), errors=[sfn.Errors.ALL], result_path=ERROR)
        failure = building(
            self,
            "Failed",
            ShadowFailure,
            complaint_id=sfn.JsonPath.string_at(path(InferenceRequest, "complaint_id")),
            model=sfn.JsonPath.object_at(path(InferenceRequest, "model")),
            error=sfn.JsonPath.string_at(f"{ERROR}.Error"),
        )
        return failure.next(record)

    def _invoke(self, function: RuntimeFunction) -> tasks.LambdaInvoke:
        # A shadow that hung is not tried again: it would hang again, and keep the others waiting.
        return invoking(self, function, timeout=Duration.seconds(40), after_a_limit=0, after_an_error=2)
