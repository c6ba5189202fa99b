"""Rules for every command: missing deployments, exit codes, and the streams that output goes to."""

import subprocess
import sys

import pytest
from typer.core import TyperGroup

from cli.main import ENTRIES, LazyCommand
from tests.cli.commands import ENV, export, registered
from tests.factories import any_item


def test_an_environment_that_nobody_deployed_says_how(triage, aws):
    result = triage("status", *ENV)
    assert result.code == 4
    assert "run `make deploy ENVIRONMENT=dev`" in result.err


def test_without_credentials_there_is_no_deployment_to_talk_to(triage, no_credentials):
    result = triage("models", "list", *ENV)
    assert result.code == 4
    assert "dev cannot be reached" in result.err


def test_an_embedded_aws_that_does_not_run_says_how_to_start_it(triage, tmp_path):
    result = triage("status", "--state", tmp_path / "state")
    assert result.code == 4
    assert "triage up" in result.err


def test_a_refusal_of_aws_is_a_failure_without_a_trace(triage, deployment):
    deployment.session.client("dynamodb").delete_table(TableName="model_info")
    result = triage("models", "list", *ENV)
    assert result.code == 1
    assert "AWS refused or did not answer" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("folder", ["[draft]", "[/a]"])
def test_an_error_shows_file_names_unchanged(triage, deployment, tmp_path, folder):
    file = tmp_path / folder / "strategy.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    assert f"{folder}/strategy.json is not a strategy" in triage("strategy", "set", "product", file, *ENV).err


@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("status", "--env", "staging"),
        ("models", "register", "acme/model", "--task", "product"),
        ("submit", "complaints.csv", "--limit", "0"),
        ("unknown",),
    ],
)
def test_wrong_usage_ends_before_anything_is_asked(triage, arguments):
    assert triage(*arguments).code == 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("train", "demo", "--data", "a.csv", "--data", "b.csv"), "--data"),
        (("train", "demo", "--data=a.csv", "--data", "b.csv"), "--data"),
        (("dataset", "publish", "a.csv", "acme/data", "--seed", "1", "--seed", "1"), "--seed"),
        (("models", "register", "a/b", "--task", "product", "--task", "issue"), "--task"),
        (("submit", "a.csv", "--limit", "1", "--limit", "2"), "--limit"),
    ],
)
def test_an_option_that_takes_one_value_is_not_dropped_when_it_is_given_twice(triage, arguments, named):
    result = triage(*arguments)
    assert result.code == 2
    assert f"{named} was given twice, and takes one value" in result.err


def test_every_option_of_every_command_takes_all_its_values_or_refuses_the_second(triage):
    """Of each command and option, read from the commands themselves."""
    tried = 0
    for path, command in every_command():
        for option in command.params:
            if option.param_type_name == "option" and not option.multiple and not option.is_flag:
                name = option.opts[0]
                assert f"{name} was given twice" in triage(*path, name, "1", name, "2").err, (path, name)
                tried += 1
    assert tried > 50


def every_command():
    for name in ENTRIES:
        command = LazyCommand(name, ENTRIES[name]).load()
        yield from (
            (((name, below), each) for below, each in command.commands.items())
            if isinstance(command, TyperGroup)
            else [((name,), command)]
        )


@pytest.mark.parametrize("arguments", [("--help",), ("models", "--help"), ("strategy", "set", "--help")])
def test_help_exits_with_0(triage, arguments):
    result = triage(*arguments)
    assert result.code == 0
    assert "Usage:" in result.out


def modules_loaded_by(*arguments):
    """Return the packages that a fresh process has imported when the command ends."""
    program = (
        "import atexit, sys; from cli.main import run; sys.argv[0] = 'triage';"
        "atexit.register(lambda: print(*{name.partition('.')[0] for name in sys.modules})); run()"
    )
    ended = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    return set(ended.stdout.splitlines()[-1].split())


def test_the_help_imports_no_command_and_no_heavy_library():
    loaded = modules_loaded_by("--help")
    assert {"cli", "typer"} <= loaded
    assert not loaded & {"boto3", "botocore", "pydantic", "numpy", "runtime", "training", "local", "stacks"}


def test_the_status_imports_nothing_that_computes(tmp_path):
    loaded = modules_loaded_by("status", "--state", str(tmp_path))
    assert {"boto3", "triage", "local"} <= loaded
    assert not loaded & {"numpy", "pyarrow", "torch", "transformers", "onnxruntime", "huggingface_hub", "jinja2"}
    assert not loaded & {"training", "stacks", "aws_cdk"}


@pytest.mark.parametrize("name", ENTRIES)
def test_every_listed_command_can_be_loaded_and_explains_itself(name):
    command = LazyCommand(name, ENTRIES[name]).load()
    assert command.name == name
    assert command.help


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.is_group])
def test_every_command_of_a_group_takes_the_environment(name):
    group = LazyCommand(name, ENTRIES[name]).load()
    assert isinstance(group, TyperGroup)
    assert all("env" in {option.name for option in command.params} for command in group.commands.values())


@pytest.mark.parametrize(
    "arguments",
    [
        (*ENV, "models", "list"),
        ("models", "list", *ENV),
        (*ENV, "models", "list", *ENV),
    ],
)
def test_the_environment_may_stand_before_or_behind_the_command(triage, deployment, arguments):
    registered(deployment)
    assert [model["model_id"] for model in triage(*arguments, "--json").json] == ["acme/model"]


@pytest.mark.parametrize("command", [("status",), ("models", "list")])
def test_two_different_environments_are_refused(triage, command):
    result = triage("--env", "prod", *command, *ENV)
    assert result.code == 2
    assert "names two environments, prod before the command and dev behind it" in result.err


@pytest.mark.parametrize("command", [("up",), ("down",), ("demo",), ("train", "demo")])
def test_an_environment_before_a_command_that_runs_here_alone_is_refused(triage, command):
    result = triage(*ENV, *command)
    assert result.code == 2
    assert f"`triage {command[0]}` runs on this machine alone" in result.err


def test_the_help_tells_the_exit_codes(triage):
    told = triage("--help").out
    for code, meaning in ((0, "done"), (1, "failed"), (2, "wrong usage"), (3, "not found"), (4, "no deployment")):
        assert f"{code} {meaning}" in told


def test_progress_and_errors_go_to_standard_error(triage, deployment, tmp_path):
    """Progress and errors go to standard error. Standard output has only JSON."""
    result = triage("submit", export(tmp_path, any_item()), "--json", *ENV)
    assert "Submitting" in result.err
    assert result.json
