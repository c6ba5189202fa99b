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
from triage.functions import FUNCTIONS, SELECT_MODELS, STEPS, Environment, Step
from triage.steps import ExecutionInput, Selected

logger = Logger(service="test")


class Told(Environment):
    answer: str


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_each_function_is_built_from_its_environment_and_a_session(function):
    module = importlib.import_module(f"runtime.{function.name}")
    assert callable(module.handler)
    hints = get_type_hints(module.build)
    assert hints.pop("return") == Handler
    assert list(hints.values()) == [function.environment, boto3.Session]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_takes_and_gives_its_contracts_and_refuses_any_other_event(step):
    values = dict.fromkeys(step.environment.model_fields, "1")
    session = boto3.Session(region_name="eu-west-2")
    handler = importlib.import_module(f"runtime.{step.name}").build(step.environment.model_validate(values), session)
    hints = get_type_hints(handler.__wrapped__)
    assert hints.pop("return") is step.gives
    assert list(hints.values()) == [step.takes]
    for event in ({}, {"narrative": "text"}, {"complaint_id": "1", "more": 1}, {"complaint_id": 7}):
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
    step = Step("echo", Environment, takes=ExecutionInput, gives=ExecutionInput)
    echo = step_handler(step, lambda request: request, Logger(service="echo", stream=written))
    echo({"complaint_id": "1"}, None)
    line = json.loads(written.getvalue())
    assert line["complaint_id"] == "1"
    assert line["milliseconds"] >= 0
