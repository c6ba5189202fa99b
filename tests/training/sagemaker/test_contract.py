import json

import pytest

from training.sagemaker.contract import HYPERPARAMETERS, ROOT, ContractError, read_container

HPS = {"SM_HPS": "{}"}


def written(root, content):
    (root / HYPERPARAMETERS).parent.mkdir(parents=True)
    (root / HYPERPARAMETERS).write_text(content)
    return root


def test_without_a_toolkit_the_folders_and_the_file_are_those_of_sagemaker(tmp_path):
    container = read_container({}, root=written(tmp_path, '{"recipe": "tiny", "epochs": "3"}'))
    assert container.model_dir == tmp_path / "model"
    assert container.channel == tmp_path / "input/data/training"
    assert container.output_data_dir == tmp_path / "output/data"
    assert container.checkpoints == tmp_path / "checkpoints"
    assert (container.gpus, container.hyperparameters) == (0, {"recipe": "tiny", "epochs": "3"})


def test_the_folders_of_a_container_are_below_opt_ml():
    assert read_container(HPS).model_dir == ROOT / "model"


def test_variables_go_before_folders_and_file(tmp_path):
    variables = {
        "SM_MODEL_DIR": "/elsewhere/model",
        "SM_CHANNEL_TRAINING": "/elsewhere/data",
        "SM_OUTPUT_DATA_DIR": "/elsewhere/output",
        "SM_NUM_GPUS": "1",
        "SM_HPS": '{"recipe": "tiny", "epochs": 3, "learning_rate": 0.001}',
        "SM_HOSTS": '["algo-1"]',
    }
    container = read_container(variables, root=written(tmp_path, '{"recipe": "other"}'))
    assert str(container.model_dir) == "/elsewhere/model"
    assert str(container.channel) == "/elsewhere/data"
    assert str(container.output_data_dir) == "/elsewhere/output"
    assert container.gpus == 1
    assert container.hyperparameters == {"recipe": "tiny", "epochs": "3", "learning_rate": "0.001"}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "there are no hyperparameters: set SM_HPS or write"),
        ({"SM_HPS": "recipe=tiny"}, "SM_HPS is not JSON"),
        ({"SM_HPS": "[1]"}, "SM_HPS is not an object"),
        ({**HPS, "SM_NUM_GPUS": "many"}, "SM_NUM_GPUS: must be a whole number"),
    ],
)
def test_a_missing_setting_of_the_container_is_named(tmp_path, variables, message):
    with pytest.raises(ContractError, match=message):
        read_container(variables, root=tmp_path)


def channel(tmp_path, *names):
    folder = tmp_path / "input/data/training"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return read_container(HPS, root=tmp_path)


@pytest.mark.parametrize("name", ["complaints.csv.zip", "2026-11/time[1].parquet"])
def test_the_export_is_the_one_file_of_the_channel(tmp_path, name):
    container = channel(tmp_path, name, ".ignored")
    assert container.export() == container.channel / name


@pytest.mark.parametrize(
    ("names", "message"), [((), "no channel"), (("a.csv", "b.csv"), "2 files"), ((".a",), "0 file")]
)
def test_a_channel_without_exactly_one_export_is_refused(tmp_path, names, message):
    with pytest.raises(ContractError, match=message):
        channel(tmp_path, *names).export()


def test_errors_of_the_contract_do_not_quote_what_was_given(tmp_path):
    with pytest.raises(ContractError) as caught:
        read_container({**HPS, "SM_NUM_GPUS": json.dumps("My bank took my house.")}, root=tmp_path)
    assert "house" not in str(caught.value)
