"""The container's entry point: one job that trains in a process of its own, and failures before training."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.training.data.exports import any_export
from training.data.complaint_files import ExportError
from training.recipe import CONFIGS, load_recipe
from training.sagemaker import entry, local
from training.sagemaker.contract import (
    CHECKPOINTS,
    DATA,
    FAILURE,
    HYPERPARAMETERS,
    MODEL,
    OUTPUT_DATA,
    REPORTED,
    ContractError,
)
from training.sagemaker.entry import SUMMARY_FILE, bundles, reason, train
from triage.errors import BundleCorruptError

TINY = load_recipe(CONFIGS / "tiny.toml")
NARRATIVE = "My bank took my house."


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Return the root of a finished job, and the result of its process."""
    root = tmp_path_factory.mktemp("opt") / "ml"
    export = any_export(tmp_path_factory.mktemp("export"))
    command = [sys.executable, "-m", "training.sagemaker", "run", "--root", root, "--data", export]
    command += ["--recipe", "tiny", "--set", "epochs=1", "--set", "learning_rate=2e-4"]
    return SimpleNamespace(root=root, ended=subprocess.run(command, capture_output=True, text=True, check=False))


def laid_out(tmp_path, **hyperparameters):
    root = tmp_path / "ml"
    local.lay_out(root, export=any_export(tmp_path), hyperparameters={"recipe": "tiny", **hyperparameters})
    return root


def test_an_export_that_lies_where_the_channel_is_laid_out_is_kept(tmp_path):
    root = laid_out(tmp_path)
    (export,) = (root / DATA).iterdir()
    content = export.read_bytes()
    local.lay_out(root, export=export, hyperparameters={"recipe": "tiny"})
    assert export.read_bytes() == content


def test_a_folder_with_other_files_is_not_emptied(tmp_path):
    mine = tmp_path / "output" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("precious")
    with pytest.raises(ContractError, match="choose another folder"):
        local.lay_out(tmp_path, export=any_export(tmp_path), hyperparameters={"recipe": "tiny"})
    assert mine.read_text() == "precious"


def test_a_job_ends_well_and_leaves_no_failure(job):
    assert job.ended.returncode == 0, job.ended.stderr
    assert not (job.root / FAILURE).exists()


def test_the_model_folder_holds_a_bundle_of_the_recipe_that_was_asked_for(job):
    manifests = bundles(job.root / MODEL)
    asked = TINY.model_copy(update={"epochs": 1, "learning_rate": 2e-4})
    assert {task: manifest.recipe for task, manifest in manifests.items()} == {"product": asked.reference}


def test_the_summary_says_what_was_trained(job):
    summary = json.loads((job.root / OUTPUT_DATA / SUMMARY_FILE).read_text())
    assert (summary["recipe"]["epochs"], summary["gpus"]) == (1, 0)
    assert summary["metrics"] == {task: dict(manifest.metrics) for task, manifest in bundles(job.root / MODEL).items()}


def test_every_reported_metric_is_in_the_log(job):
    metrics = bundles(job.root / MODEL)["product"].metrics
    told = dict(re.findall(r"^\[metric\] product:(\w+)=(\S+)$", job.ended.stdout, re.MULTILINE))
    assert {name: float(value) for name, value in told.items()} == pytest.approx(
        {name: metrics[name] for name in REPORTED}, rel=1e-4
    )


def test_progress_is_printed_in_tenths(job):
    told = re.findall(r"^\[progress\] train (\d+) %$", job.ended.stdout, re.MULTILINE)
    assert told == sorted(told, key=int)
    assert told[-1] == "100"


def test_the_folder_of_checkpoints_is_there(job):
    assert (job.root / CHECKPOINTS).is_dir()


def test_the_file_has_hyperparameters_as_strings(job):
    assert json.loads((job.root / HYPERPARAMETERS).read_text()) == {
        "recipe": "tiny",
        "epochs": "1",
        "learning_rate": "2e-4",
    }


def test_a_wrong_hyperparameter_is_the_reason_that_sagemaker_reads(tmp_path, capsys):
    root = laid_out(tmp_path, learning_rat="1e-3")
    assert train({}, root=root) == 1
    assert "ContractError: recipe tiny does not accept these settings: learning_rat" in (root / FAILURE).read_text()
    assert not list((root / MODEL).iterdir())


def test_a_second_file_in_the_channel_is_the_reason(tmp_path):
    root = laid_out(tmp_path)
    (root / "input/data/training/other.csv").write_text("")
    assert train({}, root=root) == 1
    assert "holds 2 files" in (root / FAILURE).read_text()


def test_an_export_that_cannot_be_read_is_the_reason(tmp_path):
    root = tmp_path / "ml"
    local.lay_out(root, export=any_export(tmp_path, Issue="No such issue"), hyperparameters={"recipe": "tiny"})
    assert train({}, root=root) == 1
    told = (root / FAILURE).read_text()
    assert told.startswith("ExportError") and "row 1, column 'issue'" in told


def test_a_narrative_in_a_column_of_names_is_not_repeated(tmp_path):
    root = tmp_path / "ml"
    export = any_export(tmp_path, Product=f"{NARRATIVE} " * 10)
    local.lay_out(root, export=export, hyperparameters={"recipe": "tiny"})
    assert train({}, root=root) == 1
    told = (root / FAILURE).read_text()
    assert "a text of 229 characters is no product" in told and "house" not in told


def test_what_fails_in_training_is_told_without_its_message(tmp_path, monkeypatch, capsys):
    def fail(*_arguments, **_named):
        raise ValueError(NARRATIVE)

    monkeypatch.setattr(entry, "fit", fail)
    root = laid_out(tmp_path)
    assert train({}, root=root) == 1
    told = (root / FAILURE).read_text()
    assert told.startswith("ValueError, raised at")
    assert "house" not in told + "".join(capsys.readouterr())


@pytest.mark.parametrize("error", [ExportError(CONFIGS, "is empty", advice="Fill it"), BundleCorruptError("a.json")])
def test_errors_that_never_quote_a_narrative_are_reported_in_full(error):
    assert reason(error) == f"{type(error).__name__}: {error}"


def test_a_reason_is_as_long_as_sagemaker_shows():
    assert len(reason(BundleCorruptError("a" * 5000))) == 1024


def test_laying_out_again_keeps_the_checkpoints_alone(tmp_path):
    root = laid_out(tmp_path)
    for folder in (MODEL, OUTPUT_DATA, CHECKPOINTS):
        (root / folder / "old").write_text("")
    laid_out(tmp_path)
    assert [(root / folder / "old").exists() for folder in (MODEL, OUTPUT_DATA, CHECKPOINTS)] == [False, False, True]
