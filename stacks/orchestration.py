"""Orchestration layer: the order of the steps, in the names of their contracts."""

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from stacks.data import WRITING_KEY, Data
from stacks.function import RuntimeFunction
from stacks.inference import Inference
from stacks.settings import Settings
from stacks.states import ERROR, TIMED_OUT, LoggedStateMachine, announcing, building, fields, invoking, retried
from triage.errors import ComplaintMissingError
from triage.outbox import ALLOCATED
from triage.steps import (
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

CHALLENGERS_PATIENCE = Duration.seconds(20)
"""How long a complaint waits for a model before its stand-in is asked."""

STAND_IN = path(InferenceRequest, "model", "stand_in")
HAS_STAND_IN = sfn.Condition.and_(sfn.Condition.is_present(STAND_IN), sfn.Condition.is_not_null(STAND_IN))


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
        allocate.next(announcing(self, data, EVENT_TYPE)).next(self._settle(data))
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

    def _invoke(self, function: RuntimeFunction) -> tasks.LambdaInvoke:
        task = invoking(self, function, timeout=Duration.seconds(70))
        # What hangs would hang again; once may have been a cold start. People must not wait longer.
        task.add_retry(
            errors=list(TIMED_OUT),
            interval=Duration.seconds(1),
            backoff_rate=2,
            max_attempts=1,
            max_delay=Duration.seconds(20),
            jitter_strategy=sfn.JitterType.FULL,
        )
        return _waiting_for_its_turn(task)

    def _invoke_briefly(self, function: RuntimeFunction) -> tasks.LambdaInvoke:
        """For a model that has a stand-in, which waits for nothing but this."""
        name = f"{function.node.id}Briefly"
        return _waiting_for_its_turn(
            invoking(self, function, timeout=CHALLENGERS_PATIENCE, given_up=TIMED_OUT, name=name)
        )

    def _each_model(self, inference: Inference, settings: Settings) -> sfn.Map:
        by_engine = sfn.Choice(self, "Engine")
        failed = self._failed(otherwise_asked=by_engine)
        for function, engine in (
            (inference.model_inference, "onnx"),
            (inference.model_inference_transformers, "transformers"),
        ):
            served = sfn.Condition.string_equals(path(InferenceRequest, "model", "engine"), engine)
            for condition, judge in (
                (sfn.Condition.and_(HAS_STAND_IN, served), self._invoke_briefly(function)),
                (served, self._invoke(function)),
            ):
                judge.add_catch(failed, errors=[sfn.Errors.ALL], result_path=ERROR)
                by_engine.when(condition, judge)
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
        instead_of = path(InferenceRequest, "instead_of")
        asked = building(
            self,
            "StandIn",
            InferenceRequest,
            complaint_id=sfn.JsonPath.string_at(path(InferenceRequest, "complaint_id")),
            model=sfn.JsonPath.object_at(STAND_IN),
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
        return (
            sfn.Choice(self, "HasStandIn")
            .when(HAS_STAND_IN, asked)
            .when(sfn.Condition.is_present(instead_of), stand_in_failed)
            .otherwise(model_failed)
        )

    def _settle(self, data: Data) -> tasks.DynamoUpdateItem:
        """Last of all: until here the sweeper would start the complaint again, and every step would replay.

        A complaint that was erased meanwhile has nothing to settle. One that was put again meanwhile has lost its
        outbox, and when it expires: settled without, it would be kept for ever, so it is left for the sweeper to take.
        """
        another = ["DynamoDB.ConditionalCheckFailedException"]
        settle = tasks.DynamoUpdateItem(
            self,
            "Settle",
            table=data.raw_complaints.table,
            key={
                "complaint_id": tasks.DynamoAttributeValue.from_string(
                    sfn.JsonPath.string_at(path(Allocated, "complaint_id"))
                )
            },
            condition_expression="attribute_exists(triage_execution)",
            update_expression="SET triage_state = :allocated REMOVE triage_started_at",
            expression_attribute_values={":allocated": tasks.DynamoAttributeValue.from_string(ALLOCATED)},
            result_path=sfn.JsonPath.DISCARD,
            task_timeout=sfn.Timeout.duration(Duration.seconds(30)),
        )
        settle.add_retry(errors=another, max_attempts=0)
        gone = sfn.Succeed(self, "ErasedOrPutAgain")
        settle.add_catch(gone, errors=another, result_path=sfn.JsonPath.DISCARD)
        return retried(settle)


def _waiting_for_its_turn(task: tasks.LambdaInvoke) -> tasks.LambdaInvoke:
    """A burst beyond the reserved concurrency must not cost predictions."""
    task.add_retry(
        errors=["Lambda.TooManyRequestsException"],
        interval=Duration.seconds(1),
        backoff_rate=1.5,
        max_attempts=60,
        max_delay=Duration.seconds(30),
        jitter_strategy=sfn.JitterType.FULL,
    )
    return retried(task)
