import importlib
import io
import json
from typing import get_type_hints

import boto3
import pytest
from aws_lambda_powertools import Logger
from pydantic import ValidationError

from runtime.function import Handler, entry_point, step_handler
from triage.contracts import Contract
from triage.environment import Environment
from triage.steps import SELECT_MODELS, STEPS, ExecutionInput, Selected, Step

FUNCTIONS = (
    "intake",
    "sweep",
    "select_models",
    "model_inference",
    "allocate",
    "mirror",
    "shadow_inference",
    "shadow_failed",
)
logger = Logger(service="test")


class Told(Environment):
    answer: str


def test_the_handlers_of_the_steps_exist():
    for step in STEPS:
        module, name = step.handler.rsplit(".", 1)
        assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_is_built_from_its_environment_and_a_session(name):
    module = importlib.import_module(f"runtime.{name}")
    environment, session = (hint for parameter, hint in get_type_hints(module.build).items() if parameter != "return")
    assert issubclass(environment, Environment)
    assert environment.__name__.removesuffix("Environment").lower() == name.replace("_", "")
    assert session is boto3.Session
    assert get_type_hints(module.build)["return"] == Handler


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_is_annotated_with_its_contract(step, cloud):
    built = importlib.import_module(f"runtime.{step.name}").build(getattr(cloud, step.name), cloud.session())
    hints = get_type_hints(built.__wrapped__)
    assert hints.pop("return") is step.gives
    assert list(hints.values()) == [step.takes]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
@pytest.mark.parametrize("event", [{}, {"narrative": "text"}, {"complaint_id": "1", "more": 1}, {"complaint_id": 7}])
def test_a_step_refuses_an_event_outside_its_contract(step, event, cloud):
    handler = importlib.import_module(f"runtime.{step.name}").build(getattr(cloud, step.name), cloud.session())
    with pytest.raises(ValidationError):
        handler(event, None)


def test_a_handler_is_built_once_and_on_its_first_call(monkeypatch):
    built: list[Told] = []

    def build(environment: Told, session: boto3.Session) -> Handler:
        built.append(environment)
        return lambda event, context: environment.answer

    handler = entry_point(Told, build)
    assert built == []
    monkeypatch.setenv("CODE_VERSION", "test")
    monkeypatch.setenv("ANSWER", "first")
    assert [handler({}, None), handler({}, None)] == ["first", "first"]
    assert len(built) == 1


def test_a_function_without_its_environment_fails_by_name_and_again_on_the_next_call(monkeypatch):
    monkeypatch.delenv("ANSWER", raising=False)
    monkeypatch.setenv("CODE_VERSION", "test")
    handler = entry_point(Told, lambda environment, session: lambda event, context: environment.answer)
    with pytest.raises(ValidationError, match="answer"):
        handler({}, None)
    monkeypatch.setenv("ANSWER", "late")
    assert handler({}, None) == "late"


def test_a_result_outside_the_contract_is_refused():
    def wrong(request: ExecutionInput) -> Contract:
        return request

    with pytest.raises(TypeError, match="not Selected"):
        step_handler(SELECT_MODELS, wrong, logger)({"complaint_id": "1"}, None)


def test_a_result_is_plain_json():
    def right(request: ExecutionInput) -> Selected:
        return Selected(complaint_id=request.complaint_id, models=())

    assert step_handler(SELECT_MODELS, right, logger)({"complaint_id": "1"}, None) == {
        "complaint_id": "1",
        "models": [],
    }


def test_one_line_is_logged_with_the_complaint_and_its_time():
    written = io.StringIO()
    step = Step("echo", takes=ExecutionInput, gives=ExecutionInput)
    echo = step_handler(step, lambda request: request, Logger(service="echo", stream=written))
    echo({"complaint_id": "1"}, None)
    line = json.loads(written.getvalue())
    assert line["complaint_id"] == "1"
    assert line["milliseconds"] >= 0
