import ast
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import get_args

import pytest

from cli import options
from cli.aws.deployment import REGIONS
from local.session import REGION
from stacks.settings import DEV, LOCAL, PROD, SETTINGS, Settings
from triage.functions import FUNCTIONS

STACKS = Path(__file__).parents[2] / "stacks"


def attributes_read(name: str) -> set[str]:
    """`x` of every `….<name>.x`, `…._<name>.x` or `<name>.x` in the stacks."""
    nodes = [n for file in STACKS.rglob("*.py") for n in ast.walk(ast.parse(file.read_text()))]
    named = {name, f"_{name}"}
    return {n.attr for n in nodes if isinstance(n, ast.Attribute) and ast.unparse(n.value).split(".")[-1] in named}


def test_settings_are_found_by_the_name_of_their_environment():
    assert {name: settings.environment for name, settings in SETTINGS.items()} == {
        "local": "local",
        "dev": "dev",
        "prod": "prod",
    }


@pytest.mark.parametrize("field", [field.name for field in fields(Settings)])
def test_every_setting_is_used(field):
    """A construct uses it, or a function whose environment has a field with its name."""
    assert field in attributes_read("settings") or any(field in f.environment.model_fields for f in FUNCTIONS)


def test_no_construct_asks_which_environment_it_is_in():
    """Each difference is a setting. The name of the environment only becomes part of names and descriptions."""
    compared = [
        ast.unparse(node)
        for file in STACKS.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Compare) and "environment" in ast.unparse(node)
    ]
    assert not compared


def test_settings_are_values():
    with pytest.raises(FrozenInstanceError):
        DEV.region = "us-east-1"  # type: ignore[misc]


def test_nothing_has_a_default_that_an_environment_could_forget():
    with pytest.raises(TypeError, match="max_attempts"):
        Settings(environment="test")  # type: ignore[call-arg]


def test_the_command_line_knows_the_same_environments_and_regions():
    choice, _ = get_args(options.Environment)
    assert set(get_args(choice)) == SETTINGS.keys()
    assert {name: settings.region for name, settings in SETTINGS.items() if name != "local"} == REGIONS
    assert LOCAL.region == REGION


def test_production_keeps_more_and_refuses_more_than_development():
    assert PROD.retention_days > DEV.retention_days
    assert (PROD.protected, DEV.protected) == (True, False)
    assert PROD.https_only and DEV.https_only


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_the_stream_expires_before_a_complaint_does(settings):
    longest_in_a_stream_days = 1
    assert settings.retention_days > longest_in_a_stream_days


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_the_whole_table_is_swept_no_more_often_than_the_index(settings):
    assert settings.sweep_all_every.to_seconds() >= settings.sweep_every.to_seconds()
