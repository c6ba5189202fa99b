"""What holds for every command: deployments that are not there, exit codes, and where output goes."""

import pytest

from tests.cli.commands import ENV, export
from tests.factories import any_item


def test_an_environment_that_nobody_deployed_says_how(triage, aws):
    result = triage("status", *ENV)
    assert result.code == 4
    assert "run `make deploy ENVIRONMENT=dev`" in result.err


def test_without_credentials_there_is_no_deployment_to_talk_to(triage, no_credentials):
    result = triage("models", "list", *ENV)
    assert result.code == 4
    assert "dev cannot be asked" in result.err


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
def test_an_error_names_a_file_as_it_is_called(triage, deployment, tmp_path, folder):
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


@pytest.mark.parametrize("arguments", [("--help",), ("models", "--help"), ("strategy", "set", "--help")])
def test_help_is_no_failure(triage, arguments):
    result = triage(*arguments)
    assert result.code == 0
    assert "Usage:" in result.out


def test_the_help_tells_the_exit_codes(triage):
    told = triage("--help").out
    for code, meaning in ((0, "done"), (1, "failed"), (2, "wrong usage"), (3, "not found"), (4, "no deployment")):
        assert f"{code} {meaning}" in told


def test_what_people_read_goes_where_it_disturbs_no_machine(triage, deployment, tmp_path):
    """Progress and errors on standard error, and nothing but JSON on standard output."""
    result = triage("submit", export(tmp_path, any_item()), "--json", *ENV)
    assert "Submitting" in result.err
    assert result.json
