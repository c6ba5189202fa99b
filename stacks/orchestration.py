"""The functions that triage a complaint, and the state machine that invokes them in order."""

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from stacks.data import WRITING_KEY, Data
from stacks.function import INFERENCE_TIME, Foundation, RuntimeFunction, judging_functions
from stacks.settings import Settings
from stacks.states import (
    ERROR,
    LoggedStateMachine,
    announcing,
    building,
    each_model_request,
    fields,
    invoking,
    is_engine,
    retried,
)
from triage.errors import ComplaintMissingError
from triage.functions import ALLOCATE, MODEL_INFERENCE, SELECT_MODELS
from triage.outbox import ALLOCATED
from triage.steps import (
    EVENT_TYPE,
    URGENT_EVENT,
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

URGENT = path(Allocated, "urgent")
# While a deployment replaces functions, one of the version before may answer without the field.
IS_URGENT = sfn.Condition.and_(sfn.Condition.is_present(URGENT), sfn.Condition.boolean_equals(URGENT, True))


class Inference(Construct):
    """The Lambda functions of triage and their rights: select_models, allocate, and model_inference for each engine."""

    def __init__(self, scope: Construct, construct_id: str, *, base: Foundation) -> None:
        super().__init__(scope, construct_id)
        data = base.data
        self.select_models = RuntimeFunction(self, "SelectModels", function=SELECT_MODELS, base=base)
        data.raw_complaints.allow(self.select_models, "GetItem")
        data.complaints_allocation.allow(self.select_models, "GetItem", "PutItem")
        data.model_info.allow(self.select_models, "Query", index="by_state")
        data.model_strategy.allow(self.select_models, "Scan")

        self.model_inference = judging_functions(
            self,
            "ModelInference",
            function=MODEL_INFERENCE,
            base=base,
            timeout=INFERENCE_TIME,
            concurrency=base.settings.inference_concurrency,
        )

        self.allocate = RuntimeFunction(self, "Allocate", function=ALLOCATE, base=base)
        data.complaints_allocation.allow(self.allocate, "Query", "PutItem")


class Orchestration(Construct):
    """select models → each model judges → allocate → announce, the urgent twice → settle the outbox.

    Where a challenger fails, the champion is asked instead. Where any other model fails, its own prediction is missing.
    Where the selection fails, people get the complaint. Only where `allocate` fails the execution ends without an
    allocation, and the sweeper starts it again.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, data: Data, inference: Inference, settings: Settings
    ) -> None:
        super().__init__(scope, construct_id)
        allocate = self._invoke(inference.allocate)
        announce = announcing(self, data, EVENT_TYPE, settings)
        announce.next(self._settle(data))
        urgent = announcing(self, data, URGENT_EVENT, settings, name="AnnounceUrgent").next(announce)
        allocate.next(sfn.Choice(self, "Urgency").when(IS_URGENT, urgent).otherwise(announce))
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
            functions=(inference.select_models, *inference.model_inference.values(), inference.allocate),
            data=data,
            settings=settings,
        )
        data.raw_complaints.key.grant(self.state_machine, *WRITING_KEY)

    def _invoke(self, function: RuntimeFunction) -> tasks.LambdaInvoke:
        return invoking(self, function, timeout=Duration.seconds(70))

    def _invoke_briefly(self, function: RuntimeFunction) -> tasks.LambdaInvoke:
        """Ask a model that has a stand-in. Its time is short, so that the stand-in can be asked soon."""
        name = f"{function.node.id}Briefly"
        return invoking(self, function, timeout=CHALLENGERS_PATIENCE, after_a_limit=0, name=name)

    def _each_model(self, inference: Inference, settings: Settings) -> sfn.Map:
        by_engine = sfn.Choice(self, "Engine")
        failed = self._failed(otherwise_asked=by_engine)
        for engine, function in inference.model_inference.items():
            served = is_engine(InferenceRequest, engine)
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
            item_selector=each_model_request(Selected),
            result_path="$.outcomes",
            max_concurrency=settings.map_concurrency,
        )
        each_model.item_processor(by_engine)
        return each_model

    def _failed(self, *, otherwise_asked: sfn.Choice) -> sfn.Choice:
        """Ask the stand-in, if there is one, like any other model. It has none itself, so this happens at most once."""
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
        # Two states, because a path to the absent field `instead_of` would stop the execution.
        stand_in_failed = building(
            self, "StandInFailed", Outcome, model=model, error=error, instead_of=sfn.JsonPath.object_at(instead_of)
        )
        model_failed = building(self, "ModelFailed", Outcome, model=model, error=error, instead_of=None)
        return (
            sfn.Choice(self, "HasStandIn")
            .when(HAS_STAND_IN, asked)
            .when(sfn.Condition.is_present(instead_of), stand_in_failed)
            .otherwise(model_failed)
        )

    def _settle(self, data: Data) -> tasks.DynamoUpdateItem:
        """Mark the complaint as allocated. This comes last: until then the sweeper may start the execution again.

        A complaint that was erased or put again meanwhile has no outbox, and is not marked. One that was put again has
        also lost its expiry, so it would be kept for ever; unmarked, it is started again by the sweeper.
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
