"""Rows that are kept back must not reach training: these tests try to get them there."""

import json
import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from tests.training.data.exports import any_export
from training.bundle.folder import REPORTS
from training.bundle.hub import CARD_FILE
from training.bundle.seen import is_seen, load_seen
from training.data.dataset import load_labelled
from training.data.prepare import as_served
from training.evaluation.held_back import measure, part, prepared_from
from training.pipeline import train_models
from training.recipe import CONFIGS, TaskRecipe, WideRecipe, load_recipe
from triage.bundle import MANIFEST_FILE, SEEN_FILE, WIDE_FILE, describe
from triage.redaction import REDACTION_VERSION

TINY = load_recipe(CONFIGS / "tiny.toml")
RECIPE = TINY.model_copy(
    update={
        "epochs": 1,
        "auxiliary": ("sub-product", "sub-issue"),
        "mean": True,
        "label_smoothing": 0.05,
        "wide": WideRecipe(length=256, features=2000, epochs=8, batch_size=16, learning_rate=5e-3),
        "tasks": {
            "product": TaskRecipe(balance=0.0, target_accuracy=0.6, wide_units=16, wide_decay=1e-4),
            "vulnerable": TaskRecipe(
                balance=0.0, target_accuracy=0.9, positive_label="vulnerable", target_recall=0.6, wide_decay=0.1
            ),
        },
    }
)
LATEST = RECIPE.model_copy(update={"validate_on": "latest"})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load_labelled(any_export(tmp_path_factory.mktemp("export"), complaints=240))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    output = tmp_path_factory.mktemp("trained") / "models"
    parts = part(data, "grouped")
    bundles = train_models(RECIPE, output=output, prepared=prepared_from(RECIPE, data, parts.learn))
    evaluations = measure(bundles, data, parts, folder=output, step=lambda said: None)
    return output, bundles, evaluations, parts


@pytest.mark.parametrize("keep", ["grouped", "time"])
def test_no_near_duplicate_of_what_is_kept_back_is_learnt(data, keep):
    parts = part(data, keep)
    assert len(parts.test)
    assert not set(data.groups[parts.learn]) & set(data.groups[parts.test])


@pytest.mark.parametrize("keep", ["grouped", "time"])
def test_no_text_that_is_kept_back_is_learnt(data, keep):
    parts = part(data, keep)
    prepared = prepared_from(RECIPE, data, parts.learn)
    learnt = {example.text for example in (*prepared.train, *prepared.validation)}
    assert not learnt & {as_served(data.rows[place].narrative) for place in parts.test}


def test_no_group_is_on_both_sides_of_the_validation(data):
    prepared = prepared_from(RECIPE, data, part(data, "none").learn)
    assert not {e.group for e in prepared.train} & {e.group for e in prepared.validation}


def test_what_is_validated_on_began_later_than_what_is_trained_on(data):
    prepared = prepared_from(LATEST, data, part(data, "none").learn)
    began: dict[int | None, date] = {}
    for row, group in zip(data.rows, data.groups, strict=True):
        began[int(group)] = min(began.get(int(group), row.received), row.received)
    assert max(began[e.group] for e in prepared.train) < min(began[e.group] for e in prepared.validation)
    assert len(prepared.validation) >= LATEST.validation * len(data.rows) * 0.9


def test_a_text_that_is_trained_on_is_not_validated_on(data):
    twice = replace(data, rows=(*data.rows, data.rows[0]), groups=np.append(data.groups, data.groups.max() + 1))
    last = replace(twice.rows[-1], received=date(2030, 1, 1))
    prepared = prepared_from(LATEST, replace(twice, rows=(*data.rows, last)), np.arange(len(twice.rows)))
    assert not {e.text for e in prepared.train} & {e.text for e in prepared.validation}


def test_which_part_is_validated_on_is_part_of_the_fingerprints(data):
    rows = part(data, "none").learn
    assert LATEST.sha256 != RECIPE.sha256
    assert prepared_from(LATEST, data, rows).fingerprint != prepared_from(RECIPE, data, rows).fingerprint


def test_complaints_of_one_day_cannot_be_validated_by_time(data):
    same = replace(data, rows=tuple(replace(row, received=date(2025, 1, 1)) for row in data.rows))
    with pytest.raises(ValueError, match="use --validate-on random"):
        prepared_from(LATEST, same, np.arange(len(same.rows)))


def test_no_column_but_the_narrative_is_read(data, tmp_path):
    """No other column reaches the examples, so a label in a column cannot leak."""
    elsewhere = load_labelled(any_export(tmp_path, complaints=240, Submitted_via="Referral: Mortgage"))
    texts = [
        [e.text for e in prepared_from(RECIPE, each, part(each, "none").learn).train] for each in (data, elsewhere)
    ]
    assert texts[0] == texts[1]


def test_what_is_kept_back_by_time_is_later_than_what_is_learnt(data):
    parts = part(data, "time", test_from=date(2025, 6, 1))
    received = np.array([row.received for row in data.rows])
    assert received[parts.test].min() >= date(2025, 6, 1)
    assert received[parts.learn].max() < date(2025, 6, 1)


def test_without_a_test_part_all_rows_are_learnt(data):
    parts = part(data, "none")
    assert (len(parts.learn), len(parts.test)) == (len(data.rows), 0)


def test_every_run_keeps_back_the_same_rows(data):
    assert part(data, "grouped").test.tolist() == part(data, "grouped").test.tolist()


def test_a_bundle_for_each_task_says_where_it_comes_from(trained, data):
    _, bundles, _, _ = trained
    assert list(bundles) == list(RECIPE.tasks)
    for task, folder in bundles.items():
        manifest = describe(folder)
        assert (manifest.task, manifest.max_length) == (task, 256)
        assert manifest.source_fingerprint == data.fingerprint
        assert manifest.redaction_version == REDACTION_VERSION
        assert WIDE_FILE in {file.path for file in manifest.files}
        assert sum(manifest.label_counts or ()) <= manifest.metrics["train_examples"]


def test_the_wide_part_makes_a_model_that_beats_always_saying_the_same(trained):
    _, bundles, _, _ = trained
    metrics = describe(bundles["product"]).metrics
    assert metrics["accuracy"] > metrics["constant_accuracy"]


def test_a_report_stands_beside_the_bundles(trained):
    output, bundles, evaluations, parts = trained
    for task, folder in bundles.items():
        document = json.loads((output / REPORTS / task / "report.json").read_text())
        assert document["n"] == evaluations[task].n == len(parts.test)
        assert set(document["baselines"]) == {"constant", "TF-IDF + linear"}
        assert document["seen"] == 0
        card = (folder / CARD_FILE).read_text()
        assert card.index("## Figures") < card.index("## On the validation part")
        assert (folder / MANIFEST_FILE).is_file()


def test_a_part_of_what_a_model_was_made_from_is_recognised(trained, data):
    """Even if it comes from another export."""
    _, bundles, _, parts = trained
    seen = load_seen(bundles["product"])
    assert seen is not None
    texts = [as_served(row.narrative) for row in data.rows]
    assert is_seen([texts[place] for place in parts.learn[:9]], seen).all()
    assert not is_seen([texts[place] for place in parts.test], seen).any()


def test_a_bundle_that_was_kept_and_does_not_say_what_it_was_made_from_is_measured(trained, data, tmp_path):
    _, bundles, _, parts = trained
    older = tmp_path / "product"
    shutil.copytree(bundles["product"], older)
    manifest = describe(older)
    (older / SEEN_FILE).unlink()
    without = manifest.model_copy(update={"files": tuple(f for f in manifest.files if f.path != SEEN_FILE)})
    (older / MANIFEST_FILE).write_bytes(without.document())
    evaluations = measure({"product": older}, data, parts, folder=tmp_path, step=lambda said: None)
    assert evaluations["product"].subject.seen is None


def test_a_task_without_labels_on_what_is_kept_back_is_not_measured_and_stops_no_other(trained, data, tmp_path):
    _, bundles, _, parts = trained
    silent = replace(data, rows=tuple(replace(row, vulnerable=None) for row in data.rows))
    said: list[str] = []
    folder = tmp_path / "models"
    shutil.copytree(next(iter(bundles.values())).parent, folder, ignore=shutil.ignore_patterns(REPORTS))
    copied = {task: folder / task for task in bundles}
    assert list(measure(copied, silent, parts, folder=folder, step=said.append)) == ["product"]
    reason = f"none of the {len(parts.test)} complaints has a label for vulnerable"
    assert any(step.startswith(f"Not measuring vulnerable: {reason}") for step in said)
    assert not (folder / REPORTS / "vulnerable").exists()


def test_measuring_again_replaces_the_figures_of_the_card(trained, data):
    output, bundles, _, parts = trained
    before = {task: (folder / CARD_FILE).read_text() for task, folder in bundles.items()}
    measure(bundles, data, parts, folder=output, step=lambda said: None)
    assert {task: (folder / CARD_FILE).read_text() for task, folder in bundles.items()} == before
