import pytest

from training.recipe import CONFIGS, load_recipe
from training.sagemaker.contract import ContractError, encoded, recipe_of

TINY = load_recipe(CONFIGS / "tiny.toml")


def test_a_recipe_is_named():
    assert recipe_of({"recipe": "tiny"}) == TINY


def test_settings_that_differ_are_texts():
    recipe = recipe_of({"recipe": "tiny", "epochs": "3", "learning_rate": "1e-5", "encoder": "some-package==1.0"})
    assert (recipe.epochs, recipe.learning_rate, recipe.encoder) == (3, 1e-5, "some-package==1.0")
    assert recipe.reference != TINY.reference


def test_values_may_be_json_as_the_sdk_writes_them():
    assert recipe_of({"recipe": '"tiny"', "encoder": '"some-package==1.0"'}).encoder == "some-package==1.0"


def test_names_that_sagemaker_adds_are_left_alone():
    added = {"sagemaker_program": "train.py", "sagemaker_job_name": '"x"', "_tuning_objective_metric": "accuracy"}
    assert recipe_of({"recipe": "tiny", **added}) == TINY


def test_what_a_request_encodes_is_what_a_container_reads():
    overrides = {"epochs": 3, "learning_rate": 1e-5, "encoder": "some-package==1.0"}
    texts = encoded("tiny", overrides)
    assert all(isinstance(text, str) for text in texts.values())
    assert recipe_of(texts) == TINY.model_copy(update=overrides)


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({}, "'recipe' is missing: set it to one of .*tiny"),
        ({"recipe": "huge"}, "there is no recipe 'huge'"),
        ({"recipe": "../configs/tiny"}, "there is no recipe"),
        ({"recipe": "tiny", "learning_rat": "1e-3"}, "tiny does not accept these settings: learning_rat: is not a"),
        ({"recipe": "tiny", "epochs": "0"}, "epochs: must be at least 1"),
        ({"recipe": "tiny", "epochs": "many"}, "epochs: must be a whole number"),
        ({"recipe": "tiny", "name": "mine"}, "the name of a recipe cannot be replaced"),
        ({"recipe": "tiny", "epochs.first": "1"}, "there is no setting 'epochs.first'"),
    ],
)
def test_what_no_recipe_takes_is_refused(hyperparameters, message):
    with pytest.raises(ContractError, match=message):
        recipe_of(hyperparameters)
