"""Shadows run apart from triage: its announcement starts them, on functions and time limits of their own."""

import json
from typing import get_args

import pytest

from stacks.settings import SETTINGS
from tests.factories import any_model_reference
from tests.stacks.test_orchestration import CONTEXT, FAILED, any_model, build, dump, given_up, longest_pauses, read
from triage.bundle import Engine
from triage.errors import CONTRACT_ERROR, THROTTLED
from triage.steps import EVENT_TYPE, Allocated, InferenceRequest, ShadowFailure

SHADOW = any_model_reference(arm="next", bucket=7, strategy_version=1, shadow=True)
ALLOCATED = Allocated(
    complaint_id="7",
    product_team="team",
    product=None,
    issue=None,
    vulnerable=None,
    journey="standard",
    route="auto",
    allocated_at="2026-03-02T09:30:00.000Z",
    models=(),
    version=1,
    decided_by="model",
    shadows=(SHADOW,),
)


@pytest.fixture
def map_(synthesis):
    (state,) = synthesis.shadow_definition["States"].values()
    return state


@pytest.fixture
def judging(map_):
    return map_["ItemProcessor"]["States"]


@pytest.fixture
def rule(synthesis):
    return synthesis.stateless.of_type("AWS::Events::Rule")["Shadows/Allocated"]


def test_triage_neither_knows_nor_waits_for_shadows(synthesis):
    assert "shadow" not in json.dumps(synthesis.definition).lower()


def test_no_function_of_triage_is_shared_with_shadows(synthesis):
    ours = {path for path in synthesis.functions if path in json.dumps(synthesis.shadow_definition)}
    assert ours == {"Shadows/ShadowInference", "Shadows/ShadowInferenceTransformers", "Shadows/ShadowFailed"}


def test_the_announcement_starts_them_where_there_is_one(rule, synthesis):
    assert synthesis.readable(rule["EventBusName"]).startswith("Data/Bus")
    assert rule["EventPattern"] == {
        "source": [SETTINGS[synthesis.environment].event_source],
        "detail-type": [EVENT_TYPE],
        "detail": {"shadows": {"shadow": [True]}},
    }
    (target,) = rule["Targets"]
    assert synthesis.readable(target["Arn"]) == "Shadows/Shadow"
    assert target["InputPath"] == "$.detail"
    assert [shadow["shadow"] for shadow in dump(ALLOCATED)["shadows"]] == [True]


def test_each_shadow_is_handed_exactly_its_request(map_):
    assert read(map_["ItemsPath"], dump(ALLOCATED), CONTEXT) == [dump(SHADOW)]
    context = CONTEXT | {"Map": {"Item": {"Value": dump(SHADOW), "Index": 0}}}
    request = InferenceRequest.model_validate(build(map_["ItemSelector"], dump(ALLOCATED), context))
    assert request == InferenceRequest(complaint_id="7", model=SHADOW)


def test_every_engine_has_its_shadow_function(judging):
    served = {rule["StringEquals"]: rule["Next"] for rule in judging["Engine"]["Choices"]}
    assert served == {"onnx": "ShadowInference", "transformers": "ShadowInferenceTransformers"}
    assert served.keys() == set(get_args(Engine))


@pytest.mark.parametrize("name", ["ShadowInference", "ShadowInferenceTransformers"])
def test_a_failure_is_recorded_and_ends_no_other_shadow(judging, name):
    erased, failed = judging[name]["Catch"]
    assert (erased["ErrorEquals"], erased["Next"]) == (["ComplaintMissingError"], "Erased")
    assert (failed["ErrorEquals"], failed["Next"]) == (["States.ALL"], "Failed")
    assert judging["Failed"]["Next"] == "ShadowFailed"
    assert [rule["Next"] for rule in judging["ShadowFailed"]["Catch"]] == ["Unrecorded"]
    assert all(judging[end]["Type"] == "Pass" and judging[end]["End"] for end in ("Erased", "Unrecorded"))


def test_what_is_recorded_of_a_failure_is_its_contract(judging):
    state = dump(InferenceRequest(complaint_id="7", model=any_model())) | {"error": FAILED}
    failure = ShadowFailure.model_validate(build(judging["Failed"]["Parameters"], state))
    assert failure == ShadowFailure(complaint_id="7", model=any_model(), error="ModelFailedError")


def test_a_shadow_that_hangs_or_fails_for_good_is_not_asked_again(judging):
    for name in ("ShadowInference", "ShadowInferenceTransformers", "ShadowFailed"):
        assert {"Sandbox.Timedout", "States.Timeout", "ModelFailedError", CONTRACT_ERROR} <= {*given_up(judging[name])}


def test_a_shadow_is_tried_a_few_times(judging):
    for name in ("ShadowInference", "ShadowInferenceTransformers", "ShadowFailed"):
        tries = {error: rule["MaxAttempts"] for rule in judging[name]["Retry"] for error in rule["ErrorEquals"]}
        assert tries["States.ALL"] == 2


def test_a_backlog_does_not_fail_a_shadow_sooner_than_what_answers(judging, synthesis):
    """Otherwise a challenger would lose predictions, and seem worse, whenever much is to be done."""

    def turns(states):
        return {
            longest_pauses({"Retry": [rule]})
            for name, task in states.items()
            if "Inference" in name
            for rule in task["Retry"]
            if rule["ErrorEquals"] == [THROTTLED]
        }

    assert turns(judging) == turns(synthesis.definition["States"]["EachModel"]["ItemProcessor"]["States"])


def test_a_shadow_has_less_time_and_fewer_turns_than_what_answers(judging, synthesis):
    settings = SETTINGS[synthesis.environment]
    shadows, inference = settings.shadow_concurrency, settings.inference_concurrency
    assert (shadows is None and inference is None) or 0 < (shadows or 0) < (inference or 0)
    for suffix in ("", "Transformers"):
        shadow = synthesis.functions[f"Shadows/ShadowInference{suffix}"]
        assert shadow["Timeout"] < synthesis.functions[f"Inference/ModelInference{suffix}"]["Timeout"]
        assert shadow["Timeout"] < judging[f"ShadowInference{suffix}"]["TimeoutSeconds"]
        assert shadow.get("ReservedConcurrentExecutions") == settings.shadow_concurrency


def test_no_alarm_watches_a_shadow_that_fails_because_its_failure_is_recorded(synthesis):
    """Alarms watch what is not recorded: executions that fail or time out, and events that start none."""
    watched = {alarm.get("MetricName") for alarm in synthesis.stateless.of_type("AWS::CloudWatch::Alarm").values()}
    assert "ShadowFailed" not in watched
    assert {"ExecutionsFailed", "ExecutionsTimedOut", "FailedInvocations"} <= watched
