"""Shadows layer: challengers predict beside the champion, once the complaint is allocated, on a budget of their own."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from stacks.data import Data
from stacks.function import RuntimeFunction
from stacks.inference import JudgingFunction, judging_environment
from stacks.packages import Packages
from stacks.settings import Settings
from stacks.states import ERROR, TIMED_OUT, LoggedStateMachine, building, invoking
from triage.environment import ShadowFailedEnvironment, ShadowInferenceEnvironment
from triage.errors import ComplaintMissingError
from triage.steps import (
    EVENT_SOURCE,
    EVENT_TYPE,
    SHADOW_FAILED,
    SHADOW_INFERENCE,
    Allocated,
    InferenceRequest,
    ShadowFailure,
    path,
)

THROTTLED = "Lambda.TooManyRequestsException"


class Shadows(Construct):
    """allocated → each shadow predicts.

    Triage knows nothing of it: the announcement on the bus starts it, and nobody waits for its end. A shadow that
    fails is recorded in the story; what fails here is no outage, so no alarm watches it.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, data: Data, packages: Packages, settings: Settings
    ) -> None:
        super().__init__(scope, construct_id)
        self.shadow_inference, self.shadow_inference_transformers = (
            JudgingFunction(
                self,
                construct_id,
                step=SHADOW_INFERENCE,
                package=package,
                environment=judging_environment(ShadowInferenceEnvironment, data, packages, settings),
                data=data,
                settings=settings,
                timeout=Duration.seconds(30),
                concurrency=settings.shadow_concurrency,
            )
            for construct_id, package in (
                ("ShadowInference", packages.onnx),
                ("ShadowInferenceTransformers", packages.shadow_transformers),
            )
        )
        self.shadow_failed = self._shadow_failed(data, packages, settings)
        self.state_machine = LoggedStateMachine(
            self,
            "Shadow",
            definition=self._each_shadow(settings),
            timeout=Duration.minutes(30),
            functions=(self.shadow_inference, self.shadow_inference_transformers, self.shadow_failed),
            settings=settings,
        )
        events.Rule(
            self,
            "Allocated",
            event_bus=data.bus,
            event_pattern=events.EventPattern(
                source=[EVENT_SOURCE],
                detail_type=[EVENT_TYPE],
                # At least one of them: a complaint without shadows starts nothing.
                detail={"shadows": {"shadow": [True]}},
            ),
            targets=[
                targets.SfnStateMachine(
                    self.state_machine,
                    input=events.RuleTargetInput.from_event_path("$.detail"),
                    max_event_age=Duration.hours(1),
                    retry_attempts=10,
                )
            ],
        )

    def _shadow_failed(self, data: Data, packages: Packages, settings: Settings) -> RuntimeFunction:
        function = RuntimeFunction(
            self,
            "ShadowFailed",
            module=SHADOW_FAILED.name,
            package=packages.control,
            environment=ShadowFailedEnvironment(
                code_version=packages.code_version,
                complaints_allocation_table=data.complaints_allocation.table.table_name,
                retention_days=settings.retention_days,
            ),
            settings=settings,
            timeout=Duration.seconds(30),
            concurrency=settings.shadow_concurrency,
        )
        data.complaints_allocation.allow(function, "PutItem")
        return function

    def _each_shadow(self, settings: Settings) -> sfn.Map:
        failed = self._failed()
        # Erased since it was allocated: nothing more is written into its story.
        erased = sfn.Pass(self, "Erased")
        by_engine = sfn.Choice(self, "Engine")
        for function, engine in (
            (self.shadow_inference, "onnx"),
            (self.shadow_inference_transformers, "transformers"),
        ):
            judge = self._invoke(function)
            judge.add_catch(erased, errors=[ComplaintMissingError.__name__], result_path=ERROR)
            judge.add_catch(failed, errors=[sfn.Errors.ALL], result_path=ERROR)
            by_engine.when(sfn.Condition.string_equals(path(InferenceRequest, "model", "engine"), engine), judge)
        each_shadow = sfn.Map(
            self,
            "EachShadow",
            items_path=path(Allocated, "shadows"),
            item_selector={
                "complaint_id.$": path(Allocated, "complaint_id"),
                "model.$": "$$.Map.Item.Value",
            },
            result_path=sfn.JsonPath.DISCARD,
            max_concurrency=settings.map_concurrency,
        )
        each_shadow.item_processor(by_engine)
        return each_shadow

    def _failed(self) -> sfn.Chain:
        """A failure that cannot even be recorded must not end the other shadows of the complaint."""
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
        # A shadow that hangs would hang again, and hold the turn of the others.
        task = invoking(self, function, timeout=Duration.seconds(40), given_up=TIMED_OUT)
        for errors, attempts in (([THROTTLED], 8), ([sfn.Errors.ALL], 2)):
            task.add_retry(
                errors=errors,
                interval=Duration.seconds(2),
                backoff_rate=2,
                max_attempts=attempts,
                max_delay=Duration.seconds(60),
                jitter_strategy=sfn.JitterType.FULL,
            )
        return task
