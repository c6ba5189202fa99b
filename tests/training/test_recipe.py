import pytest
from pydantic import ValidationError

from training.data.prepare import LABELS
from training.recipe import CONFIGS, Recipe, TaskRecipe, load_recipe
from triage.tasks import TASKS

TINY = load_recipe(CONFIGS / "tiny.toml")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_parses_and_learns_what_has_known_labels(path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert set(recipe.learnt) <= set(LABELS)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_looks_for_the_positive_label_of_its_task(path):
    tasks = load_recipe(path).tasks
    assert {name: aim.positive_label for name, aim in tasks.items()} == {name: TASKS[name].positive for name in tasks}


def test_the_hash_changes_with_any_setting():
    assert TINY.model_copy(update={"seed": TINY.seed + 1}).sha256 != TINY.sha256


def test_the_reference_names_recipe_and_hash():
    assert TINY.reference == f"tiny@{TINY.sha256[:16]}"


def test_a_setting_that_does_not_exist_is_refused(tmp_path):
    path = tmp_path / "slip.toml"
    path.write_text("learning_rat = 1.0\n" + (CONFIGS / "tiny.toml").read_text())
    with pytest.raises(ValueError, match="learning_rat: is not a known field"):
        load_recipe(path)


@pytest.mark.parametrize("encoder", ["sentence-transformers/all-MiniLM-L6-v2@main", "some-package", "org/name"])
def test_an_encoder_that_is_not_pinned_is_refused(encoder):
    with pytest.raises(ValidationError, match="must be a pinned encoder"):
        Recipe.model_validate({**TINY.model_dump(), "encoder": encoder})


def test_an_encoder_of_the_hub_is_pinned_by_its_commit():
    pinned = f"sentence-transformers/all-MiniLM-L6-v2@{'0' * 40}"
    assert Recipe.model_validate({**TINY.model_dump(), "encoder": pinned}).encoder == pinned


def test_a_label_that_is_looked_for_needs_a_recall():
    with pytest.raises(ValidationError, match="must be given together"):
        TaskRecipe(balance=0.0, target_accuracy=0.9, positive_label="vulnerable")


def test_a_head_on_the_mean_needs_a_file_to_be_kept_in():
    with pytest.raises(ValidationError, match=r"mean = true needs a \[wide\] section"):
        Recipe.model_validate({**TINY.model_dump(), "mean": True})


def test_a_model_reads_as_far_as_its_wide_part():
    complaints = load_recipe(CONFIGS / "complaints.toml")
    assert complaints.wide is not None
    assert complaints.length == complaints.wide.length > complaints.max_length
    assert TINY.length == TINY.max_length
