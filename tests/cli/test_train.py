"""`triage train` and `triage publish`, which prints the command that registers."""

import json
import re

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.hub import served
from tests.training.data.exports import any_export
from training.recipe import CONFIGS


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    export = any_export(folder, complaints=260)
    recipe = folder / "quick.toml"
    recipe.write_text((CONFIGS / "tiny.toml").read_text().replace("epochs = 2", "epochs = 1"))
    arguments = ["train", str(recipe), "--data", str(export), "--keep", "grouped", "--output", str(folder / "models")]
    arguments.append("--curve")
    return folder / "models", CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)


def test_training_prints_the_manifest_of_each_task(trained):
    models, result = trained
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert printed["product"]["folder"] == str(models / "product")
    assert printed["product"]["manifest"]["recipe"].startswith("quick@")


def test_training_measures_on_what_it_kept_back(trained):
    models, _ = trained
    assert (models / "reports" / "product" / "report.html").is_file()


def test_the_report_has_the_learning_curve_of_the_model_itself(trained):
    models, _ = trained
    report = json.loads((models / "reports" / "product" / "report.json").read_text())
    half, whole = report["learning"]["model"]["points"]
    assert (half["examples"] < 0.6 * whole["examples"], whole["value"]) == (True, report["accuracy"])


def test_a_published_bundle_prints_the_line_that_registers_it(trained, monkeypatch, tmp_path):
    models, _ = trained
    with served(tmp_path) as endpoint:
        monkeypatch.setattr(
            "cli.aws.deployment.running_instance", lambda state: type("I", (), {"hub_endpoint": endpoint})
        )
        lines = [
            CliRunner().invoke(app, ["publish", str(models / "product"), "megabank/quick"], catch_exceptions=False)
            for _ in range(2)
        ]
    assert lines[0].stdout == lines[1].stdout
    assert re.fullmatch(
        r"triage models register megabank/quick --revision [0-9a-f]{40} --task product --activate\n", lines[0].stdout
    )


def test_a_folder_without_a_bundle_is_not_published(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "cli.aws.deployment.running_instance", lambda state: type("I", (), {"hub_endpoint": "http://hub"})
    )
    result = CliRunner().invoke(app, ["publish", str(tmp_path), "megabank/quick"])
    assert "is not a bundle" in str(result.exception)


def test_an_unknown_recipe_is_refused_with_the_known_ones(tmp_path):
    result = CliRunner().invoke(app, ["train", "best", "--output", str(tmp_path / "models")])
    assert "complaints, complaints-gpu, demo, tiny" in str(result.exception)


def test_keeping_back_needs_data(tmp_path):
    result = CliRunner().invoke(app, ["train", "tiny", "--keep", "time", "--output", str(tmp_path / "models")])
    assert "--keep needs --data" in str(result.exception)


def test_a_learning_curve_needs_complaints_that_are_kept_back(tmp_path):
    result = CliRunner().invoke(app, ["train", "tiny", "--curve", "--output", str(tmp_path / "models")])
    assert "--curve needs --keep" in str(result.exception)


def test_the_validation_part_can_be_chosen_and_makes_another_recipe(trained, tmp_path):
    models, result = trained
    first = json.loads(result.stdout)["product"]["manifest"]
    said = [
        "--data",
        str(models.parent / "export.csv"),
        "--validate-on",
        "latest",
        "--output",
        str(tmp_path / "models"),
    ]
    done = CliRunner().invoke(
        app, ["train", str(models.parent / "quick.toml"), *said, "--json"], catch_exceptions=False
    )
    second = json.loads(done.stdout)["product"]["manifest"]
    assert (first["recipe"] == second["recipe"], first["recipe"][:6]) == (False, second["recipe"][:6])
    assert first["source_fingerprint"] == second["source_fingerprint"]


def test_generated_complaints_cannot_be_validated_by_time(tmp_path):
    said = ["--validate-on", "latest", "--output", str(tmp_path / "models")]
    result = CliRunner().invoke(app, ["train", "tiny", *said])
    assert "generated complaints have no dates" in str(result.exception)


def test_a_day_to_test_from_needs_the_split_by_time(tmp_path):
    result = CliRunner().invoke(
        app, ["train", "tiny", "--test-from", "2026-01-01", "--output", str(tmp_path / "models")]
    )
    assert "--test-from needs --keep time" in str(result.exception)


def test_reports_that_training_did_not_write_are_not_replaced(trained, tmp_path):
    models, _ = trained
    mine = tmp_path / "models" / "reports" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    arguments = ["train", str(models.parent / "quick.toml"), "--output", str(tmp_path / "models")]
    assert "reports in it is not from a training run" in str(CliRunner().invoke(app, arguments).exception)
    assert mine.read_text() == "precious"


def test_the_current_folder_is_not_replaced(trained, tmp_path, monkeypatch):
    models, _ = trained
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["train", str(models.parent / "quick.toml"), "--output", "."])
    assert "is the current folder" in str(result.exception)


def test_a_link_to_the_output_folder_is_followed(trained, tmp_path):
    """The bundles and reports exist already, so they are kept."""
    models, result = trained
    (tmp_path / "link").symlink_to(models)
    said = ["--data", str(models.parent / "export.csv"), "--keep", "grouped", "--output", str(tmp_path / "link")]
    again = CliRunner().invoke(
        app, ["train", str(models.parent / "quick.toml"), *said, "--json"], catch_exceptions=False
    )
    assert json.loads(again.stdout) == json.loads(result.stdout)
