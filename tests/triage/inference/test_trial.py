import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForSequenceClassification

from tests.factories import (
    any_bundle,
    any_hub_model,
    any_manifest,
    any_model_reference,
    write_scores,
    write_tokenizer,
    write_tokenizer_without_words,
)
from triage.bundle import Manifest, describe, hash_files
from triage.errors import BundleUnfitError, ModelFailedError
from triage.inference.classify import classify
from triage.inference.engine import Scores, load_engine
from triage.inference.models import LoadedModels
from triage.inference.trial import LETTERS, try_out
from triage.steps import ModelReference

LABELS = ("Mortgage", "Student loan", "Other")


def tried(folder: Path, manifest: Manifest | None = None) -> None:
    manifest = manifest or describe(folder)
    try_out(load_engine(folder, manifest), manifest)


def a_bert(folder: Path, *, positions: int = 32, labels: int = len(LABELS)) -> Path:
    """Write a small untrained BERT for LABELS with a head of `labels`, as others publish models."""
    folder.mkdir(exist_ok=True)
    vocabulary = write_tokenizer(folder, ["mortgage"])
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=positions,
        initializer_range=0.5,
        id2label={number: str(number) for number in range(labels)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    change(folder / "config.json", id2label=dict(enumerate(LABELS)))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]", "pad_token": "[PAD]"})
    )
    return folder


class Store:
    """Holds the bundle of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def manifest(self, model: ModelReference) -> Manifest:
        return describe(self._folder)

    def fetch(self, model: ModelReference, manifest: Manifest, folder: Path) -> None:
        shutil.copytree(self._folder, folder)


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def panicking_tokenizer(folder: Path) -> None:
    """Give the tokenizer an expression that takes too long, so that its library panics on any word of many letters."""
    document = json.loads((folder / "tokenizer.json").read_text())
    document["pre_tokenizer"] = {
        "type": "Split",
        "pattern": {"Regex": "(a+)+$"},
        "behavior": "Removed",
        "invert": False,
    }
    (folder / "tokenizer.json").write_text(json.dumps(document))


@pytest.mark.parametrize("prepare", [any_bundle, any_hub_model, a_bert], ids=["ours", "plain", "transformers"])
def test_a_model_that_reads_is_taken(tmp_path, prepare):
    prepare(tmp_path)
    tried(tmp_path)


def test_a_tokenizer_that_knows_no_word_is_named(tmp_path):
    a_bert(tmp_path)
    write_tokenizer_without_words(tmp_path)
    with pytest.raises(BundleUnfitError, match=r"does not know \d+ of \d+ tokens of plain letters"):
        tried(tmp_path)


@pytest.mark.parametrize("labels", [2, 5])
def test_a_head_with_other_labels_than_named_is_not_loaded(tmp_path, labels):
    folder = a_bert(tmp_path / "bundle", labels=labels)
    models = LoadedModels(Store(folder), folder=tmp_path / "loaded", capacity=1)
    with pytest.raises(ModelFailedError, match="loading the model raised RuntimeError"):
        models.get(any_model_reference())


def test_a_graph_with_other_scores_than_labels_is_refused(tmp_path):
    any_hub_model(tmp_path)
    write_scores(tmp_path, [1.0, 2.0, 3.0])
    with pytest.raises(BundleUnfitError, match="a short letter fails: the model gave 3 scores for 2 labels"):
        tried(tmp_path)


def test_weights_without_a_head_are_refused_and_not_filled_with_random_numbers(tmp_path):
    a_bert(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file(
        {name: value for name, value in weights.items() if "classifier" not in name}, tmp_path / "model.safetensors"
    )
    with pytest.raises(BundleUnfitError, match=r"the weights lack 2 parts of the model, such as classifier\.bias"):
        tried(tmp_path)


def test_weights_that_are_not_numbers_are_refused(tmp_path):
    a_bert(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({name: value * float("nan") for name, value in weights.items()}, tmp_path / "model.safetensors")
    with pytest.raises(BundleUnfitError, match="a short letter fails: the model gave a score that is NaN or infinite"):
        tried(tmp_path)


def test_fewer_positions_than_the_stated_length_are_refused(tmp_path):
    a_bert(tmp_path, positions=32)
    stated = any_manifest(
        labels=LABELS, engine="transformers", weights="model.safetensors", max_length=64, files=hash_files(tmp_path)
    )
    with pytest.raises(BundleUnfitError, match=r"fails: the model raised \w+\. Its length is stated as 64 tokens"):
        tried(tmp_path, stated)


def test_scores_that_no_text_changes_are_refused(tmp_path):
    any_hub_model(tmp_path)
    write_scores(tmp_path, [2.0, 0.0])
    with pytest.raises(BundleUnfitError, match="the same scores to 6 different letters"):
        tried(tmp_path)


def test_a_long_letter_that_is_not_cut_is_refused():
    class Endless:
        def score(self, text: str) -> Scores:
            tokens = len(text.split())
            return Scores((float(len(text)), 0.0), tokens, tokens)

    with pytest.raises(BundleUnfitError, match="was cut to 128, and the stated length is 64"):
        try_out(Endless(), any_manifest(max_length=64))


def test_a_panic_of_a_library_is_the_models_failure_and_no_end_of_the_process(tmp_path):
    any_hub_model(tmp_path)
    panicking_tokenizer(tmp_path)
    manifest = describe(tmp_path)
    engine = load_engine(tmp_path, manifest)
    with pytest.raises(BaseException, match="retry-limit") as panic:
        engine.score("a" * 3_000 + "!")
    assert not isinstance(panic.value, Exception)
    with pytest.raises(ModelFailedError, match="the model raised PanicException"):
        classify("a" * 3_000 + "!", engine=engine, manifest=manifest)


def test_the_letters_are_of_nobody_and_differ():
    assert len(set(LETTERS)) == len(LETTERS) >= 4
    assert not any(character.isdigit() for letter in LETTERS[:3] for character in letter)
