"""`triage evaluate` on models that read one word, from a folder and from a registry in moto."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.aws.deployment import Deployment
from cli.named_model import champion
from runtime.adapters.bundles import S3Bundles
from tests.factories import (
    NOW,
    any_arm,
    any_bundle,
    any_complaint,
    any_hub_model,
    any_mirrored_bundle,
    any_model_info,
    any_revision,
    any_strategy,
    put_in_force,
)
from tests.training.data.exports import any_export
from training.bundle.seen import save_seen
from training.data.dataset import load_labelled
from training.data.prepare import as_served
from triage.bundle import Manifest
from triage.redaction import REDACTION_VERSION
from triage.selection import select_models
from triage.strategies.registry import ModelInfo
from triage.taxonomy import load_taxonomy

PRODUCTS = tuple(product.name for product in load_taxonomy().products)
ONE = ("Mortgage", "Student loan")
MODEL, REVISION, BUCKET = "acme/model", any_revision(), "bundles"
ENV = ("--env", "dev")


@pytest.fixture
def triage(shell):
    """Return a function that runs the command and returns exit code, output, and errors in one line."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code, out, err = shell("evaluate", *arguments)
        return code, out, " ".join(err.split())

    return run


@pytest.fixture(scope="module")
def export(tmp_path_factory) -> Path:
    return any_export(tmp_path_factory.mktemp("export"), complaints=80)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("bundle")
    any_bundle(folder, labels=ONE, task="product")
    return folder


@pytest.fixture
def deployment(dev):
    return dev


def registered(deployment: Deployment, folder: Path, **values: object) -> ModelInfo:
    """Register a model whose bundle is mirrored."""
    manifest = Manifest.model_validate_json((folder / "triage.json").read_bytes())
    mirrored = any_mirrored_bundle(manifest_sha256=manifest.sha256)
    row = any_model_info(**{"model_id": MODEL, "revision": REVISION, "bundle": mirrored, **values})
    deployment.registry._models.put(row)
    store = S3Bundles(deployment.session.client("s3"), BUCKET)
    store.store(folder, manifest, model_id=row.model_id, revision=row.revision)
    return row


# a folder


def test_standard_output_has_only_figures(triage, bundle, export):
    code, out, err = triage(bundle, "--data", export, "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["task"], told["n"], told["model"]) == ("product", 80, str(bundle))
    assert told["intervals"]["accuracy"][0] <= told["accuracy"] <= told["intervals"]["accuracy"][1]
    assert "Predicting product" in err
    assert "The model does not know the label of" in err


def test_people_see_tables_warnings_and_what_was_not_reached(triage, bundle, export):
    code, out, err = triage(bundle, "--data", export)
    assert code == 0
    assert "macro-F1" in out and "not reached" in out
    assert "The model does not know the label of" in err


def test_a_report_is_written_where_it_is_asked_for(triage, bundle, export, tmp_path):
    _, _, err = triage(bundle, "--data", export, "--report", tmp_path / "report")
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"report.html", "report.json", "card.md"}
    assert "report.html" in err


def test_a_folder_that_cannot_be_made_is_an_error_before_measuring(triage, bundle, export):
    code, _, err = triage(bundle, "--data", export, "--report", export / "report")
    assert code == 2
    assert "cannot be made (Not a directory)" in err
    assert "Predicting" not in err


def test_a_limit_is_a_sample(triage, bundle, export):
    told = json.loads(triage(bundle, "--data", export, "--limit", 20, "--json")[1])
    assert (told["n"], told["labelled"]) == (20, 80)


def test_baselines_learn_from_another_export(triage, bundle, export, tmp_path):
    other = any_export(tmp_path, complaints=240)
    told = json.loads(triage(bundle, "--data", export, "--limit", 20, "--train", other, "--json")[1])
    assert told["baselines"].keys() == {"constant", "TF-IDF + linear"}
    assert told["baseline_dropped"] > 0, "the exports share their first complaints"
    assert told["learning"]["TF-IDF + linear"]["points"]


def test_an_export_that_holds_the_evaluated_complaints_alone_teaches_nothing(triage, bundle, export):
    code, out, err = triage(bundle, "--data", export, "--train", export, "--json")
    assert code == 0
    assert json.loads(out)["baselines"] == {}, "the model's own figures are there all the same"
    assert "the baselines cannot learn from" in err


def test_an_export_of_one_product_is_measured(triage, bundle, tmp_path):
    issue = load_taxonomy().issues_of("Mortgage")[0]
    export = any_export(tmp_path, complaints=10, Product="Mortgage", Issue=issue)
    assert json.loads(triage(bundle, "--data", export, "--json")[1])["n"] == 10


def test_a_changed_file_is_found_before_it_is_loaded(triage, export, tmp_path):
    any_bundle(tmp_path, labels=ONE, task="product")
    (tmp_path / "tokenizer.json").write_text("{}")
    code, _, err = triage(tmp_path, "--data", export)
    assert code == 1
    assert "tokenizer.json differs from its manifest" in err


def test_the_task_of_another_publishers_model_can_be_stated(triage, export, tmp_path):
    any_hub_model(tmp_path, labels=PRODUCTS)
    assert triage(tmp_path, "--data", export)[0] == 2
    told = json.loads(triage(tmp_path, "--data", export, "--task", "product", "--json")[1])
    assert (told["task"], told["coverage"], told["unknown"]) == ("product", 0, 0)


@pytest.mark.parametrize(
    ("task", "asked", "problem"),
    [
        ("product", "issue", "decides product, not issue"),
        (None, None, "state it with --task"),
        (None, "urgency", "exports have no label for the task urgency"),
    ],
)
def test_a_task_that_does_not_fit_is_wrong_usage(triage, export, tmp_path, task, asked, problem):
    any_bundle(tmp_path, labels=ONE, task=task)
    code, _, err = triage(tmp_path, "--data", export, *(("--task", asked) if asked else ()))
    assert code == 2
    assert problem in err


def test_an_export_without_the_tasks_labels_cannot_be_measured_on(triage, export, tmp_path):
    any_bundle(tmp_path / "bundle", labels=("not vulnerable", "vulnerable"), task="vulnerable")
    untagged = tmp_path / "untagged.csv"
    untagged.write_text(export.read_text().replace(",Tags,", ",Unrelated,", 1))
    code, _, err = triage(tmp_path / "bundle", "--data", untagged)
    assert code == 1
    assert "none of the 80 complaints has a label for vulnerable" in err


def test_a_file_that_is_no_export_is_refused(triage, bundle, tmp_path):
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    assert triage(bundle, "--data", tmp_path / "notes.csv")[0] == 1


@pytest.mark.parametrize("model", ["No/Such@main", "./nowhere", "acme/model"])
def test_a_name_that_is_no_folder_version_or_task_is_not_found(triage, export, model):
    code, _, err = triage(model, "--data", export)
    assert code == 3
    assert "is not the folder of a bundle" in err


# the registry


def test_a_version_of_the_registry_is_fetched_from_its_mirror(triage, deployment, bundle, export):
    row = registered(deployment, bundle)
    told = json.loads(triage(f"{row.model_id}@{row.revision}", "--data", export, "--json", *ENV)[1])
    assert told["model"] == f"{row.model_id}@{row.revision}"
    assert told == json.loads(triage(bundle, "--data", export, "--json")[1]) | {"model": told["model"]}


def test_what_a_version_was_made_from_is_known_from_its_mirror(triage, deployment, tmp_path, export):
    any_hub_model(tmp_path, labels=ONE)
    save_seen([as_served(row.narrative) for row in load_labelled(export).rows[:9]], tmp_path)
    any_bundle(tmp_path, labels=ONE, task="product", redaction_version=REDACTION_VERSION)
    row = registered(deployment, tmp_path)
    for model in (tmp_path, f"{row.model_id}@{row.revision}"):
        _, out, err = triage(model, "--data", export, "--json", *ENV)
        assert json.loads(out)["seen"] == 9
        assert "made from 9 of these complaints" in err


def test_a_task_is_its_champion(triage, deployment, bundle, export):
    registered(deployment, bundle)
    old = registered(deployment, bundle, revision=any_revision("old"), activated_at="2025-01-01T00:00:00.000Z")
    assert json.loads(triage("product", "--data", export, "--json", *ENV)[1])["model"].endswith(old.revision)
    arm = any_arm(model_id=MODEL, revision=REVISION)
    strategy = any_strategy(arms=(arm,))
    put_in_force(deployment.registry, strategy, by="ann", replaces=0)
    assert json.loads(triage("product", "--data", export, "--json", *ENV)[1])["model"].endswith(REVISION)


def test_without_a_strategy_it_is_the_model_that_answers(deployment, bundle):
    for revision, moment in (("a", "2025-02-01T00:00:00.000Z"), ("b", "2025-01-01T00:00:00.000Z"), ("c", None)):
        registered(deployment, bundle, revision=any_revision(revision), activated_at=moment)
    rows = deployment.registry.models()
    selected = select_models(any_complaint(), active=rows, strategies={}, now=NOW, code_version="test")
    assert champion(deployment.registry, "product").revision == selected.models[0].revision


def test_a_version_that_was_never_registered_is_not_found(triage, deployment, export):
    code, _, err = triage(f"{MODEL}@{REVISION}", "--data", export, *ENV)
    assert code == 3
    assert "is not registered" in err


def test_a_task_without_an_active_model_is_not_found(triage, deployment, export):
    code, _, err = triage("product", "--data", export, *ENV)
    assert code == 3
    assert "no model is active for product" in err


def test_a_version_that_was_not_mirrored_says_why(triage, deployment, export):
    deployment.registry._models.put(
        any_model_info(model_id=MODEL, revision=REVISION, state="registered", bundle=None, failure="the Hub is gone")
    )
    code, _, err = triage(f"{MODEL}@{REVISION}", "--data", export, *ENV)
    assert code == 1
    assert "is not mirrored: the Hub is gone" in err


def test_a_mirrored_file_that_was_changed_is_found(triage, deployment, bundle, export):
    registered(deployment, bundle)
    key = f"{MODEL}/{REVISION}/tokenizer.json"
    deployment.session.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"{}")
    code, _, err = triage(f"{MODEL}@{REVISION}", "--data", export, *ENV)
    assert code == 1
    assert "differs from its manifest" in err


def test_slow_libraries_are_imported_only_for_computation():
    """Otherwise `triage --help` would wait for slow libraries."""
    command = "import sys, cli.main; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert not {"sklearn", "matplotlib", "onnxruntime", "jinja2"} & set(run.stdout.split())
