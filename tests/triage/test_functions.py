from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from triage.functions import FUNCTIONS, Environment, MirrorEnvironment, SweepEnvironment

ENVIRONMENTS = [function.environment for function in FUNCTIONS]


def any_value(name: str, annotation: Any) -> Any:
    if bool in (annotation, *get_args(annotation)):
        return True
    if int in (annotation, *get_args(annotation)):
        return 60
    if float in (annotation, *get_args(annotation)):
        return 0.5
    return f"any {name}"


def any_environment(environment_type: type[Environment], **values: Any) -> Environment:
    default = {name: any_value(name, field.annotation) for name, field in environment_type.model_fields.items()}
    return environment_type(**{**default, **values})


@pytest.mark.parametrize("environment_type", ENVIRONMENTS)
def test_what_is_written_is_read(environment_type):
    written = any_environment(environment_type)
    assert environment_type.read(written.variables()) == written


@pytest.mark.parametrize("environment_type", ENVIRONMENTS)
def test_variables_are_upper_case_texts(environment_type):
    for name, value in any_environment(environment_type).variables().items():
        assert name == name.upper()
        assert isinstance(value, str)


@pytest.mark.parametrize(
    ("environment_type", "missing"),
    [
        (environment_type, name)
        for environment_type in ENVIRONMENTS
        for name, field in environment_type.model_fields.items()
        if field.is_required()
    ],
)
def test_a_missing_variable_is_named(environment_type, missing):
    variables = any_environment(environment_type).variables()
    del variables[missing.upper()]
    with pytest.raises(ValidationError, match=missing):
        environment_type.read(variables)


def test_unset_optional_variables_are_not_written():
    written = any_environment(MirrorEnvironment, hub_token_secret=None)
    assert "HUB_TOKEN_SECRET" not in written.variables()
    assert MirrorEnvironment.read(written.variables()) == written


def test_other_variables_of_the_process_are_ignored():
    written = any_environment(SweepEnvironment)
    assert SweepEnvironment.read({**written.variables(), "PATH": "/bin", "AWS_REGION": "eu-west-2"}) == written


@pytest.mark.parametrize("value", ["0", "-1", "many", "", "1.5"])
def test_a_malformed_number_is_named(value):
    variables = {**any_environment(SweepEnvironment).variables(), "MAX_ATTEMPTS": value}
    with pytest.raises(ValidationError, match="max_attempts"):
        SweepEnvironment.read(variables)


def test_the_process_is_read_where_nothing_else_is_given(monkeypatch):
    written = any_environment(SweepEnvironment)
    for name, value in written.variables().items():
        monkeypatch.setenv(name, value)
    assert SweepEnvironment.read() == written


@given(st.text(), st.integers(1), st.sampled_from(["hub_token_secret", "hub_endpoint"]))
def test_any_text_and_number_comes_back(text, number, name):
    written = any_environment(MirrorEnvironment, **{name: text, "max_bundle_megabytes": number})
    assert MirrorEnvironment.read(written.variables()) == written


def test_an_environment_is_closed():
    with pytest.raises(ValidationError, match="surprise"):
        any_environment(SweepEnvironment, surprise="x")
