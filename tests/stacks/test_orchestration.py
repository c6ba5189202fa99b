"""The definition of the triage state machine, evaluated as Step Functions does. States build contracts."""

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from aws_cdk import Stack

import triage
from stacks.orchestration import CHALLENGERS_PATIENCE
from stacks.settings import SETTINGS
from stacks.states import STOPPED_BY_A_LIMIT, building
from tests.factories import any_allocation
from triage.bundle import Engine
from triage.contracts import Contract
from triage.errors import CONTRACT_ERROR, TransientError, TriageError
from triage.functions import STEPS
from triage.steps import (
    EVENT_TYPE,
    URGENT_EVENT,
    Allocated,
    AllocationRequest,
    ExecutionInput,
    Failure,
    InferenceRequest,
    ModelReference,
    Outcome,
    Selected,
)
from triage.tables import RAW_COMPLAINTS

ROOT = Path(__file__).parents[2]
FAILED = {"Error": "ModelFailedError", "Cause": "{}"}
CONTEXT = {"Execution": {"StartTime": "2026-01-02T03:04:05.678Z"}}


def any_model(engine: Any = "onnx") -> ModelReference:
    return ModelReference(
        task="product", model_id="bank/product", revision="a" * 40, engine=engine, manifest_sha256="b" * 64
    )


def any_selected(models: int = 1) -> Selected:
    return Selected(complaint_id="7", models=(any_model(),) * models)


def dump(contract: Contract) -> Any:
    """What the function of a step returns."""
    return contract.model_dump(mode="json")


def read(path: str, state: Any, context: Any) -> Any:
    """Read a JSONPath of field names from the input of a state, or from the context where it begins with `$$`."""
    value = context if path.startswith("$$") else state
    for name in re.findall(r"\.(\w+)", path):
        value = value[name]
    return value


def build(template: Any, state: Any, context: Any = CONTEXT) -> Any:
    """Evaluate Parameters or an ItemSelector."""
    if not isinstance(template, dict):
        return template
    return {
        name.removesuffix(".$"): read(value, state, context) if name.endswith(".$") else build(value, state, context)
        for name, value in template.items()
    }


def present(path: str, state: Any) -> bool:
    try:
        read(path, state, CONTEXT)
    except KeyError:
        return False
    return True


def holds(rule: dict[str, Any], state: Any) -> bool:
    """Evaluate a rule of a choice. As in Step Functions, a comparison with an absent field stops the execution."""
    if "And" in rule:
        return all(holds(part, state) for part in rule["And"])
    if "IsPresent" in rule:
        return present(rule["Variable"], state) is rule["IsPresent"]
    value = read(rule["Variable"], state, CONTEXT)
    if "BooleanEquals" in rule:
        return value is rule["BooleanEquals"]
    return bool((value is None) == rule["IsNull"] if "IsNull" in rule else value == rule["StringEquals"])


@pytest.fixture
def states(synthesis):
    return synthesis.definition["States"]


@pytest.fixture
def judging(states):
    """The states that each model of the map goes through."""
    return states["EachModel"]["ItemProcessor"]["States"]


@pytest.fixture
def everything(states, judging):
    return states | judging


@pytest.fixture
def tasks(everything):
    return {name: state for name, state in everything.items() if state["Type"] == "Task"}


@pytest.fixture
def invocations(tasks, synthesis):
    """The tasks that invoke our functions, without those that call AWS's services."""
    return {n: t for n, t in tasks.items() if t["Resource"].removesuffix(".Arn") in synthesis.functions}


def test_a_complaint_goes_from_selection_to_the_outbox(synthesis, states):
    order, name = [], synthesis.definition["StartAt"]
    while name is not None:
        order.append(name)
        name = states[name].get("Next", states[name].get("Default"))
    assert order == ["SelectModels", "EachModel", "Judged", "Allocate", "Urgency", "Announce", "Settle"]
    assert states["Settle"]["End"] is True


def test_there_are_no_other_states(states, judging):
    assert states.keys() == {
        *("SelectModels", "EachModel", "Judged", "Allocate", "Announce", "Settle"),
        *("Urgency", "AnnounceUrgent", "Unselected", "NoSuchComplaint", "ErasedOrPutAgain"),
    }
    assert judging.keys() == {
        *("Engine", "ModelInference", "ModelInferenceTransformers"),
        *("ModelInferenceBriefly", "ModelInferenceTransformersBriefly"),
        *("HasStandIn", "StandIn", "StandInFailed", "ModelFailed"),
    }


def test_a_state_invokes_the_function_of_its_name(invocations):
    for state, task in invocations.items():
        assert task["Resource"] == f"Inference/{state.removesuffix('Briefly')}.Arn"


def test_a_function_is_given_its_whole_input_and_replaces_it(invocations):
    """Therefore the state before it has to build the contract that the function takes."""
    for task in invocations.values():
        assert not {"Parameters", "InputPath", "ResultSelector", "ResultPath", "OutputPath"} & task.keys()


def test_the_map_goes_through_the_selected_models(states):
    assert read(states["EachModel"]["ItemsPath"], dump(any_selected(models=3)), CONTEXT) == [dump(any_model())] * 3


def test_each_model_is_handed_exactly_its_request(states):
    selector = states["EachModel"]["ItemSelector"]
    context = CONTEXT | {"Map": {"Item": {"Value": dump(any_model()), "Index": 0}}}
    request = InferenceRequest.model_validate(build(selector, dump(any_selected()), context))
    assert request == InferenceRequest(complaint_id="7", model=any_model())


def test_a_model_that_fails_becomes_an_outcome_with_the_errors_name(judging):
    state = dump(InferenceRequest(complaint_id="7", model=any_model())) | {"error": FAILED}
    outcome = Outcome.model_validate(build(judging["ModelFailed"]["Parameters"], state))
    assert outcome == Outcome(model=any_model(), error="ModelFailedError")


def test_allocation_is_asked_with_every_outcome(states):
    outcomes = [dump(Outcome(model=any_model())), dump(Outcome(model=any_model(), error="States.Timeout"))]
    state = dump(any_selected(models=2)) | {"outcomes": outcomes}
    assert states["EachModel"]["ResultPath"] == "$.outcomes"
    request = AllocationRequest.model_validate(build(states["Judged"]["Parameters"], state))
    assert dump(request)["outcomes"] == outcomes
    assert (request.complaint_id, request.started_at) == ("7", CONTEXT["Execution"]["StartTime"])
    assert request.selection_error is None


def test_allocation_is_asked_without_models_where_the_selection_failed(states):
    state = dump(ExecutionInput(complaint_id="7")) | {"error": FAILED}
    request = AllocationRequest.model_validate(build(states["Unselected"]["Parameters"], state))
    assert request == AllocationRequest(
        complaint_id="7", started_at=CONTEXT["Execution"]["StartTime"], selection_error="ModelFailedError"
    )
    assert states["Unselected"]["Next"] == "Allocate"


def test_a_state_that_builds_less_than_its_contract_is_refused_at_synthesis():
    with pytest.raises(LookupError, match=r"Outcome has the fields .* and the state gives \['model'\]"):
        building(Stack(), "Nothing", Outcome, model="$.model")


def test_every_engine_has_its_function(judging):
    choice = judging["Engine"]
    assert "Default" not in choice

    def next_of(model: ModelReference) -> str:
        state = dump(InferenceRequest(complaint_id="7", model=model))
        return next(str(rule["Next"]) for rule in choice["Choices"] if holds(rule, state))

    assert {engine: next_of(any_model(engine)) for engine in get_args(Engine)} == {
        "onnx": "ModelInference",
        "transformers": "ModelInferenceTransformers",
    }
    # A champion is waited for longer than whoever it stands in for.
    other = any_model().model_copy(update={"model_id": "bank/champion"})
    assert {
        engine: next_of(any_model(engine).model_copy(update={"stand_in": other})) for engine in get_args(Engine)
    } == {
        "onnx": "ModelInferenceBriefly",
        "transformers": "ModelInferenceTransformersBriefly",
    }


def test_a_failing_model_costs_its_own_prediction_alone(judging):
    for name in (name for name, state in judging.items() if state["Type"] == "Task"):
        assert judging[name]["Catch"] == [
            {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "HasStandIn"}
        ]
    assert all(judging[name]["End"] for name in ("ModelFailed", "StandInFailed"))


CHAMPION = any_model("transformers").model_copy(update={"model_id": "bank/champion", "arm": "champion"})
CHALLENGER = any_model().model_copy(update={"arm": "challenger", "stand_in": CHAMPION})


def judge(
    states: dict[str, Any], model: ModelReference, failing: set[str], item_selector: Any
) -> tuple[list[str], Any]:
    """Walk the map's states where these versions fail: the states on the way, and the outcome."""
    context = CONTEXT | {"Map": {"Item": {"Value": dump(model), "Index": 0}}}
    state, name, way = build(item_selector, dump(any_selected()), context), "Engine", list[str]()
    while True:
        way.append(name)
        step = states[name]
        if step["Type"] == "Task":
            request = InferenceRequest.model_validate(state)
            if request.model.version not in failing:
                return way, dump(Outcome(model=request.model, instead_of=request.instead_of))
            state, name = state | {"error": FAILED}, step["Catch"][0]["Next"]
        elif step["Type"] == "Choice":
            name = next((rule["Next"] for rule in step["Choices"] if holds(rule, state)), step.get("Default"))
        else:
            state = build(step["Parameters"], state)
            if step.get("End"):
                return way, state
            name = step["Next"]


@pytest.mark.parametrize(
    ("model", "failing", "way", "outcome"),
    [
        (CHALLENGER, (), ("ModelInferenceBriefly",), Outcome(model=CHALLENGER)),
        (
            CHALLENGER,
            (CHALLENGER,),
            ("ModelInferenceBriefly", "HasStandIn", "StandIn", "Engine", "ModelInferenceTransformers"),
            Outcome(model=CHAMPION, instead_of=Failure(model=CHALLENGER, error="ModelFailedError")),
        ),
        (
            CHALLENGER,
            (CHALLENGER, CHAMPION),
            (
                *("ModelInferenceBriefly", "HasStandIn", "StandIn", "Engine", "ModelInferenceTransformers"),
                *("HasStandIn", "StandInFailed"),
            ),
            Outcome(
                model=CHAMPION,
                error="ModelFailedError",
                instead_of=Failure(model=CHALLENGER, error="ModelFailedError"),
            ),
        ),
        (
            CHAMPION,
            (CHAMPION,),
            ("ModelInferenceTransformers", "HasStandIn", "ModelFailed"),
            Outcome(model=CHAMPION, error="ModelFailedError"),
        ),
    ],
    ids=["answers", "stood-in-for", "both-fail", "without-stand-in"],
)
def test_where_a_challenger_fails_its_stand_in_is_asked_by_its_own_engine(
    states, judging, model, failing, way, outcome
):
    walked, result = judge(judging, model, {m.version for m in failing}, states["EachModel"]["ItemSelector"])
    assert walked == ["Engine", *way]
    assert Outcome.model_validate(result) == outcome


def test_a_reference_without_the_field_stand_in_has_no_stand_in(judging):
    state = {"complaint_id": "7", "model": any_model().model_dump(mode="json", exclude={"stand_in"}), "error": FAILED}
    choice = judging["HasStandIn"]
    assert not any(holds(rule, state) for rule in choice["Choices"])
    assert choice["Default"] == "ModelFailed"


def test_a_failing_selection_leads_to_people(states):
    assert states["SelectModels"]["Catch"][-1] == {
        "ErrorEquals": ["States.ALL"],
        "ResultPath": "$.error",
        "Next": "Unselected",
    }


def test_a_complaint_that_is_not_there_fails_the_execution(states):
    """Its rule comes before the rule for all errors, because Step Functions applies the first match."""
    first = states["SelectModels"]["Catch"][0]
    assert (first["ErrorEquals"], first["Next"]) == (["ComplaintMissingError"], "NoSuchComplaint")
    assert states["NoSuchComplaint"] == {"Type": "Fail", "Error": "ComplaintMissingError"}


def test_nothing_after_the_selection_is_swallowed(states):
    for name in ("EachModel", "Allocate", "Announce"):
        assert "Catch" not in states[name]


def test_a_complaint_that_was_erased_meanwhile_has_nothing_to_settle(states):
    (rule,) = states["Settle"]["Catch"]
    assert rule["ErrorEquals"] == ["DynamoDB.ConditionalCheckFailedException"]
    assert states[rule["Next"]]["Type"] == "Succeed"


def test_a_complaint_that_was_put_again_meanwhile_is_not_settled(states):
    """It has lost its expiry, and the sweeper only restores that of complaints without a state."""
    assert states["Settle"]["Parameters"]["ConditionExpression"] == "attribute_exists(triage_execution)"


def test_every_task_ends_by_itself(tasks):
    assert all(0 < task["TimeoutSeconds"] <= 120 for task in tasks.values())


def given_up(task) -> list[str]:
    """Names of the errors that end a task at its first try."""
    return [error for rule in task["Retry"] if rule["MaxAttempts"] == 0 for error in rule["ErrorEquals"]]


def test_every_task_is_retried_whatever_else_stops_it(tasks):
    """The rule for all errors comes last, because Step Functions applies the first match."""
    for task in tasks.values():
        assert task["Retry"][-1]["ErrorEquals"] == ["States.ALL"]
        assert task["Retry"][-1]["MaxAttempts"] >= 3
        assert all("States.ALL" not in rule["ErrorEquals"] for rule in task["Retry"][:-1])


def test_tries_are_spread_by_jitter_and_never_more_than_a_minute_apart(tasks):
    for task in tasks.values():
        for rule in task["Retry"]:
            if rule["MaxAttempts"] > 0:
                assert rule["JitterStrategy"] == "FULL"
                assert rule["BackoffRate"] > 1
                assert 0 < rule["IntervalSeconds"] <= rule["MaxDelaySeconds"] <= 60


def test_a_permanent_error_of_ours_is_not_retried(invocations):
    """Its rule comes first, because Step Functions applies the first match."""
    for task in invocations.values():
        first, *others = task["Retry"]
        assert first["MaxAttempts"] == 0
        assert {"ComplaintMissingError", "ModelFailedError", "BundleCorruptError"} <= {*first["ErrorEquals"]}
        assert all(rule["MaxAttempts"] > 0 for rule in others)


def test_a_model_that_hangs_is_given_one_more_try_and_none_where_another_stands_in(invocations):
    """A complaint that a challenger answers is 20 seconds late at most."""
    for name, task in invocations.items():
        briefly = name.endswith("Briefly")
        (rule,) = (rule for rule in task["Retry"] if "Sandbox.Timedout" in rule["ErrorEquals"])
        assert rule["MaxAttempts"] == (0 if briefly else 1)
        assert "States.Timeout" in rule["ErrorEquals"]
        assert (task["TimeoutSeconds"] <= 20) is briefly


def errors_of_the_domain() -> set[type[TriageError]]:
    """Every error of the domain, in whichever module."""
    for module in pkgutil.walk_packages(triage.__path__, "triage."):
        # The engines' libraries are heavy, and raise nothing of their own here.
        if not module.name.endswith("_engine"):
            importlib.import_module(module.name)

    def below(error):
        return {error, *(name for child in error.__subclasses__() for name in below(child))}

    return {e for e in below(TriageError) - {TriageError} if e.__module__.startswith("triage.")}


def test_a_challenger_has_time_to_start_from_cold_on_the_slower_engine():
    """Importing torch and transformers takes less than half of the patience, and the rest loads the bundle.

    It is measured as processor time, of which these functions have 1.7 seconds a second.
    """
    command = (
        "import time; from triage.inference import transformers_engine; "
        "from transformers import BertForSequenceClassification; print(time.process_time())"
    )
    run = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(run.stdout) < CHALLENGERS_PATIENCE.to_seconds() / 2


def test_no_transient_error_is_given_up_at_once(invocations):
    transient = {error.__name__ for error in errors_of_the_domain() if issubclass(error, TransientError)}
    assert transient
    for task in invocations.values():
        assert not transient & {*given_up(task)}


def test_every_permanent_error_of_the_domain_is_given_up_at_once(invocations):
    named = {error.__name__ for error in errors_of_the_domain() if not issubclass(error, TransientError)}
    for name, task in invocations.items():
        hanging = {*STOPPED_BY_A_LIMIT} if name.endswith("Briefly") else set()
        assert {*given_up(task)} == named | {CONTRACT_ERROR} | hanging


def test_a_complaint_that_vanished_is_not_settled_again_and_again(states):
    assert "DynamoDB.ConditionalCheckFailedException" in given_up(states["Settle"])


def test_the_map_is_bounded(states, synthesis):
    assert states["EachModel"]["MaxConcurrency"] == SETTINGS[synthesis.environment].map_concurrency > 0


def test_an_allocation_is_announced_as_the_last_step_gave_it(synthesis, states):
    (entry,) = states["Announce"]["Parameters"]["Entries"]
    assert entry == {
        "Detail.$": "$",
        "DetailType": EVENT_TYPE,
        "EventBusName": "Data/Bus.Arn",
        "Source": SETTINGS[synthesis.environment].event_source,
    }
    assert EVENT_TYPE == "ComplaintAllocated"
    assert states["Announce"]["ResultPath"] is None


def test_an_urgent_allocation_is_also_announced_as_urgent_before_the_other_event(synthesis, states):
    allocated = any_allocation(urgent=True).announcement()
    assert states["Allocate"]["Next"] == "Urgency"
    choice = states["Urgency"]

    def follows(allocation: Allocated) -> str:
        taken = (rule["Next"] for rule in choice["Choices"] if holds(rule, dump(allocation)))
        return str(next(taken, choice["Default"]))

    assert follows(allocated) == "AnnounceUrgent"
    assert follows(allocated.model_copy(update={"urgent": False})) == "Announce"
    assert not any(holds(rule, {"complaint_id": "7"}) for rule in choice["Choices"])
    urgent, announce = states["AnnounceUrgent"], states["Announce"]
    assert (urgent["Next"], announce["Next"], urgent["ResultPath"]) == ("Announce", "Settle", None)
    ((first,), (second,)) = (state["Parameters"]["Entries"] for state in (urgent, announce))
    assert first == {**second, "DetailType": URGENT_EVENT}
    assert urgent["Retry"] == announce["Retry"]
    assert URGENT_EVENT == "ComplaintUrgent"


def test_settling_removes_the_complaint_from_the_outbox(states):
    """Without `triage_started_at` a complaint leaves the sweeper's index."""
    parameters = states["Settle"]["Parameters"]
    assert parameters["TableName"] == "Data/RawComplaints/Table"
    (key,) = parameters["Key"]
    assert key == RAW_COMPLAINTS.partition_key in Allocated.model_fields
    assert parameters["Key"][key] == {"S.$": f"$.{key}"}
    index = RAW_COMPLAINTS.index("by_triage_state")
    assert parameters["UpdateExpression"] == f"SET {index.partition_key} = :allocated REMOVE {index.sort_key}"
    assert parameters["ExpressionAttributeValues"] == {":allocated": {"S": "allocated"}}


def test_no_narrative_travels(synthesis):
    assert "narrative" not in json.dumps(synthesis.definition).lower()
    contracts: set[type[Contract]] = {c for step in STEPS for c in (step.takes, step.gives)}
    for contract in contracts:
        assert "narrative" not in json.dumps(contract.model_json_schema()["properties"]).lower()


@pytest.mark.parametrize("path", ["Orchestration/Triage", "Shadows/Shadow", "Promotion/Promotion"])
def test_executions_are_logged_and_traced_without_their_data(synthesis, path):
    machine = synthesis.stateless.of_type("AWS::StepFunctions::StateMachine")[path]
    logging = machine["LoggingConfiguration"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ALL", False)
    (destination,) = logging["Destinations"]
    group = synthesis.readable(destination["CloudWatchLogsLogGroup"]["LogGroupArn"])
    assert group == f"{path}Logs.Arn"
    assert machine["TracingConfiguration"] == {"Enabled": True}


def longest_pauses(task) -> float:
    """The seconds between all tries, where each pause has its full length."""
    pauses = 0.0
    for rule in task["Retry"]:
        pause = rule.get("IntervalSeconds", 0)
        for _ in range(rule["MaxAttempts"]):
            pauses += min(pause, rule["MaxDelaySeconds"])
            pause *= rule["BackoffRate"]
    return float(pauses)


def test_an_execution_keeps_its_history(synthesis):
    """An express state machine has no history, and starts a second execution of the same name."""
    machine = synthesis.stateless.of_type("AWS::StepFunctions::StateMachine")["Orchestration/Triage"]
    assert machine.get("StateMachineType", "STANDARD") == "STANDARD"
