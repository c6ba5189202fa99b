"""Orchestration layer: the order of the steps, in the names of their contracts."""

from collections.abc import Iterable
from typing import TypeVar

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from stacks.data import WRITING_KEY, Data
from stacks.findings import acknowledge_wildcard, logical_id
from stacks.function import RuntimeFunction
from stacks.inference import Inference
from stacks.settings import Settings
from triage.contracts import Contract
from triage.errors import ComplaintMissingError, permanent
from triage.outbox import ALLOCATED
from triage.steps import (
    EVENT_SOURCE,
    EVENT_TYPE,
    Allocated,
    AllocationRequest,
    ExecutionInput,
    Failure,
    InferenceRequest,
    Outcome,
    Selected,
    path,
)

ERROR = "$.error"
TIMED_OUT = ("Sandbox.Timedout", sfn.Errors.TIMEOUT)


Task = TypeVar("Task", bound=sfn.TaskStateBase)


def retried(task: Task) -> Task:
    """Retry whatever is not caught by a narrower rule before: 1, 2, 4, 8, 16 seconds at most, with full jitter."""
    task.add_retry(
        errors=[sfn.Errors.ALL],
        interval=Duration.seconds(1),
        backoff_rate=2,
        max_attempts=5,
        max_delay=Duration.seconds(20),
        jitter_strategy=sfn.JitterType.FULL,
    )
    return task


def building(scope: Construct, name: str, contract: type[Contract], **parameters: object) -> sfn.Pass:
    """A state that builds exactly one contract. None leaves a field to its default: CDK drops it."""
    return sfn.Pass(scope, name, parameters=fields(contract, **parameters))


def fields(contract: type[Contract], **parameters: object) -> dict[str, object]:
    if set(parameters) != set(contract.model_fields):
        raise LookupError(f"a {contract.__name__} is not built of {sorted(parameters)}")
    return parameters


class LoggedStateMachine(sfn.StateMachine):
    """Logs and traces every execution, without its data; invokes any version of the functions it is given."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        definition: sfn.IChainable,
        timeout: Duration,
        functions: Iterable[RuntimeFunction],
        settings: Settings,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            definition_body=sfn.DefinitionBody.from_chainable(definition),
            timeout=timeout,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    scope, f"{construct_id}Logs", retention=settings.log_retention, removal_policy=RemovalPolicy.DESTROY
                ),
                level=sfn.LogLevel.ALL,
                include_execution_data=False,
            ),
        )
        for function in functions:
            acknowledge_wildcard(
                self,
                f"<{logical_id(function)}.Arn>:*",
                "The state machine may invoke any version of this one function.",
            )
        acknowledge_wildcard(
            self, "*", "Log delivery and X-Ray have no resources to name in a policy (AWS documentation)."
        )


class Orchestration(Construct):
    """select models → each model judges → allocate → announce → settle the outbox.

    For a challenger that fails the champion stands in. Any other model that fails costs its own prediction; a
    selection that fails is allocated to people. Only what stops `allocate` itself ends the execution without an
    allocation, and the sweeper starts it again.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, data: Data, inference: Inference, settings: Settings
    ) -> None:
        super().__init__(scope, construct_id)
        allocate = self._invoke(inference.allocate)
        allocate.next(retried(self._announce(data))).next(self._settle(data))
        judged = building(
            self,
            "Judged",
            AllocationRequest,
            complaint_id=sfn.JsonPath.string_at(path(Selected, "complaint_id")),
            started_at=sfn.JsonPath.string_at("$$.Execution.StartTime"),
            outcomes=sfn.JsonPath.object_at("$.outcomes"),
            selection_error=None,
        ).next(allocate)
        unselected = building(
            self,
            "Unselected",
            AllocationRequest,
            complaint_id=sfn.JsonPath.string_at(path(ExecutionInput, "complaint_id")),
            started_at=sfn.JsonPath.string_at("$$.Execution.StartTime"),
            outcomes=[],
            selection_error=sfn.JsonPath.string_at(f"{ERROR}.Error"),
        ).next(allocate)
        select = self._invoke(inference.select_models)
        select.add_catch(
            sfn.Fail(self, "NoSuchComplaint", error=ComplaintMissingError.__name__),
            errors=[ComplaintMissingError.__name__],
        )
        select.add_catch(unselected, errors=[sfn.Errors.ALL], result_path=ERROR)
        self.state_machine = LoggedStateMachine(
            self,
            "Triage",
            definition=select.next(self._each_model(inference, settings)).next(judged),
            # Longer than a throttled task may wait for its turn.
            timeout=Duration.hours(1),
            functions=(
                inference.select_models,
                inference.model_inference,
                inference.model_inference_transformers,
                inference.allocate,
            ),
            settings=settings,
        )
        data.raw_complaints.key.grant(self.state_machine, *WRITING_KEY)

    def _invoke(self, function: RuntimeFunction, *, payload: sfn.TaskInput | None = None) -> tasks.LambdaInvoke:
        task = tasks.LambdaInvoke(
            self,
            f"{function.node.id}Task",
            state_name=function.node.id,
            lambda_function=function,
            payload=payload,
            payload_response_only=True,
            # Our own retries name the errors that no other try can mend.
            retry_on_service_exceptions=False,
            task_timeout=sfn.Timeout.duration(Duration.seconds(70)),
        )
        task.add_retry(errors=list(permanent()), max_attempts=0)
        # What hangs would hang again; once may have been a cold start. The champion, or a person, must not wait longer.
        task.add_retry(
            errors=list(TIMED_OUT),
            interval=Duration.seconds(1),
            backoff_rate=2,
            max_attempts=1,
            max_delay=Duration.seconds(20),
            jitter_strategy=sfn.JitterType.FULL,
        )
        # A burst beyond the reserved concurrency waits for its turn; it must not cost predictions.
        task.add_retry(
            errors=["Lambda.TooManyRequestsException"],
            interval=Duration.seconds(1),
            backoff_rate=1.5,
            max_attempts=60,
            max_delay=Duration.seconds(30),
            jitter_strategy=sfn.JitterType.FULL,
        )
        return retried(task)

    def _each_model(self, inference: Inference, settings: Settings) -> sfn.Map:
        by_engine = sfn.Choice(self, "Engine")
        failed = self._failed(otherwise_asked=by_engine)
        for function, engine in (
            (inference.model_inference, "onnx"),
            (inference.model_inference_transformers, "transformers"),
        ):
            judge = self._invoke(function)
            judge.add_catch(failed, errors=[sfn.Errors.ALL], result_path=ERROR)
            by_engine.when(sfn.Condition.string_equals(path(InferenceRequest, "model", "engine"), engine), judge)
        each_model = sfn.Map(
            self,
            "EachModel",
            items_path=path(Selected, "models"),
            item_selector={
                "complaint_id.$": path(Selected, "complaint_id"),
                "model.$": "$$.Map.Item.Value",
            },
            result_path="$.outcomes",
            max_concurrency=settings.map_concurrency,
        )
        each_model.item_processor(by_engine)
        return each_model

    def _failed(self, *, otherwise_asked: sfn.Choice) -> sfn.Choice:
        """The stand-in is asked like any other model. It has none itself, so this comes round once at most."""
        model, error = sfn.JsonPath.object_at(path(InferenceRequest, "model")), sfn.JsonPath.string_at(f"{ERROR}.Error")
        stand_in, instead_of = path(InferenceRequest, "model", "stand_in"), path(InferenceRequest, "instead_of")
        asked = building(
            self,
            "StandIn",
            InferenceRequest,
            complaint_id=sfn.JsonPath.string_at(path(InferenceRequest, "complaint_id")),
            model=sfn.JsonPath.object_at(stand_in),
            instead_of=fields(Failure, model=model, error=error),
        ).next(otherwise_asked)
        # Two ends, since a path to what is absent would stop the execution.
        stand_in_failed = building(
            self,
            "StandInFailed",
            Outcome,
            model=model,
            error=error,
            instead_of=sfn.JsonPath.object_at(instead_of),
        )
        model_failed = building(self, "ModelFailed", Outcome, model=model, error=error, instead_of=None)
        has_stand_in = sfn.Condition.and_(sfn.Condition.is_present(stand_in), sfn.Condition.is_not_null(stand_in))
        return (
            sfn.Choice(self, "HasStandIn")
            .when(has_stand_in, asked)
            .when(sfn.Condition.is_present(instead_of), stand_in_failed)
            .otherwise(model_failed)
        )

    def _announce(self, data: Data) -> tasks.EventBridgePutEvents:
        return tasks.EventBridgePutEvents(
            self,
            "Announce",
            entries=[
                tasks.EventBridgePutEventsEntry(
                    event_bus=data.bus,
                    source=EVENT_SOURCE,
                    detail_type=EVENT_TYPE,
                    detail=sfn.TaskInput.from_json_path_at("$"),
                )
            ],
            result_path=sfn.JsonPath.DISCARD,
            task_timeout=sfn.Timeout.duration(Duration.seconds(30)),
        )

    def _settle(self, data: Data) -> tasks.DynamoUpdateItem:
        """Last of all: until here the sweeper would start the complaint again, and every step would replay.

        A complaint that was erased meanwhile has nothing to settle.
        """
        erased = ["DynamoDB.ConditionalCheckFailedException"]
        settle = tasks.DynamoUpdateItem(
            self,
            "Settle",
            table=data.raw_complaints.table,
            key={
                "complaint_id": tasks.DynamoAttributeValue.from_string(
                    sfn.JsonPath.string_at(path(Allocated, "complaint_id"))
                )
            },
            condition_expression="attribute_exists(complaint_id)",
            update_expression="SET triage_state = :allocated REMOVE triage_started_at",
            expression_attribute_values={":allocated": tasks.DynamoAttributeValue.from_string(ALLOCATED)},
            result_path=sfn.JsonPath.DISCARD,
            task_timeout=sfn.Timeout.duration(Duration.seconds(30)),
        )
        settle.add_retry(errors=erased, max_attempts=0)
        settle.add_catch(sfn.Succeed(self, "Erased"), errors=erased, result_path=sfn.JsonPath.DISCARD)
        return retried(settle)
