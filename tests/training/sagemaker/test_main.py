import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import training.sagemaker
from training.sagemaker.__main__ import app

JOB = Path(training.sagemaker.__file__).parent / "job.toml"


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_request_is_printed_as_json():
    request = json.loads(invoke("request", JOB).stdout)
    assert request["HyperParameters"]["recipe"] == "complaints-gpu"


def test_recipe_and_name_can_be_given_beside_the_file():
    request = json.loads(invoke("request", JOB, "--recipe", "tiny", "--name", "tiny-1").stdout)
    assert (request["HyperParameters"]["recipe"], request["TrainingJobName"]) == ("tiny", "tiny-1")


@pytest.mark.parametrize(("option", "value", "message"), [("--recipe", "huge", "no recipe"), ("--name", "a b", "name")])
def test_a_job_that_is_wrong_is_refused_with_the_reason(option, value, message):
    ended = invoke("request", JOB, option, value)
    assert ended.exit_code == 1
    assert message in str(ended.output)


def test_a_setting_without_a_value_is_wrong_usage(tmp_path):
    ended = invoke("run", "--root", tmp_path, "--data", JOB, "--recipe", "tiny", "--set", "epochs")
    assert ended.exit_code == 2


def test_a_container_without_settings_fails(tmp_path, monkeypatch):
    monkeypatch.delenv("SM_HPS", raising=False)
    assert invoke("train", "--root", tmp_path).exit_code == 1
    assert "there are no hyperparameters" in (tmp_path / "output/failure").read_text()
