"""Trains and exports tiny encoders of several architectures, with random weights at the start."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import HfApi
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    RobertaConfig,
)

from training import pipeline
from training.data.prepare import prepare
from training.model.classifiers import Heads, load, quiet
from training.model.encoder import locate
from training.model.fine_tune import fine_tune, learning
from training.model.frozen_layers import _compact, padded
from training.pipeline import train_models
from training.recipe import CONFIGS, TaskRecipe, WideRecipe, load_recipe
from triage.bundle import describe
from triage.inference.engine import load_engine

TINY = load_recipe(CONFIGS / "tiny.toml")
RECIPE = TINY.model_copy(
    update={
        "frozen_layers": 1,
        "epochs": 1,
        "auxiliary": ("sub-product",),
        "mean": True,
        "wide": WideRecipe(length=128, features=500, epochs=1, batch_size=16, learning_rate=5e-3),
        "tasks": {
            **TINY.tasks,
            "vulnerable": TaskRecipe(
                balance=0.0, target_accuracy=0.9, positive_label="vulnerable", target_recall=0.6, wide_decay=0.1
            ),
        },
    }
)
SMALL: dict[str, Any] = {"num_hidden_layers": 3, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
TOKENS: dict[str, Any] = {"vocab_size": 30_522, "pad_token_id": 0, "max_position_embeddings": 80}
MODERN: dict[str, Any] = {"cls_token_id": 101, "sep_token_id": 102, "bos_token_id": 101, "eos_token_id": 102}
BERT = BertConfig(**SMALL, **TOKENS)
CONFIGS_OF = {
    "distilbert": DistilBertConfig(n_layers=3, dim=32, n_heads=2, hidden_dim=64, **TOKENS),
    "roberta": RobertaConfig(**SMALL, **TOKENS),
    "electra": ElectraConfig(embedding_size=32, **SMALL, **TOKENS),
    "mpnet": MPNetConfig(**SMALL, **TOKENS),
    "deberta-v2": DebertaV2Config(relative_attention=True, pos_att_type=["c2p", "p2c"], **SMALL, **TOKENS),
    "modernbert": ModernBertConfig(**SMALL, **TOKENS, **MODERN),
}


def saved(config, folder):
    """Save an encoder with random weights and the tokenizer of MiniLM, in the files that the Hub would return."""
    torch.manual_seed(3)
    with quiet():
        AutoModel.from_config(config).save_pretrained(folder)
        AutoTokenizer.from_pretrained(locate(TINY.encoder)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("architecture", CONFIGS_OF)
def test_an_encoder_of_any_architecture_becomes_a_model_that_serves(architecture, tmp_path, monkeypatch):
    encoder = saved(CONFIGS_OF[architecture], tmp_path / "encoder")
    monkeypatch.setattr(pipeline, "locate", lambda name: encoder)
    bundles = train_models(RECIPE, output=tmp_path / "models")
    assert list(bundles) == ["product", "vulnerable"]
    for bundle in bundles.values():
        manifest = describe(bundle)
        served = load_engine(bundle, manifest).score("My card was charged twice. I am a veteran.")
        assert len(served.logits) == len(manifest.labels or ())
        assert np.isfinite(served.logits).all()
        assert manifest.metrics["parity_agreement"] > 0.8


def trained(config, tmp_path, **settings):
    recipe = RECIPE.model_copy(update=settings)
    encoder = saved(config, tmp_path / "encoder")
    checkpoints = tmp_path / "checkpoints"
    return encoder, fine_tune(
        prepare(recipe), recipe, encoder=encoder, checkpoints=checkpoints, progress=lambda done: None
    )


def test_only_the_upper_layers_of_any_encoder_learn(tmp_path):
    encoder, models = trained(CONFIGS_OF["roberta"], tmp_path)
    given = dict(AutoModel.from_pretrained(encoder).named_parameters())
    own = models.models["product"].base_model
    assert own is models.models["vulnerable"].base_model
    unchanged = {name for name, weights in own.named_parameters() if torch.equal(weights, given[name])}
    assert unchanged == {name for name in given if name.startswith(("embeddings.", "encoder.layer.0."))}


def test_a_checkpoint_holds_the_encoder_once(tmp_path):
    trained(CONFIGS_OF["distilbert"], tmp_path)
    (weights,) = (tmp_path / "checkpoints").rglob("model.safetensors")
    encoder = (tmp_path / "encoder" / "model.safetensors").stat().st_size
    assert encoder < weights.stat().st_size < 1.5 * encoder


def test_layers_that_are_not_shown_cannot_be_frozen(tmp_path):
    config = AlbertConfig(embedding_size=32, **SMALL, **TOKENS)
    with pytest.raises(ValueError, match="the layers of a albert encoder are not known, so none can be frozen"):
        trained(config, tmp_path)
    trained(config, tmp_path, frozen_layers=0)


@pytest.mark.parametrize(
    ("architecture", "places"), [("electra", 80), ("modernbert", 80), ("roberta", 79), ("mpnet", 78), ("bert", 80)]
)
def test_more_tokens_than_the_encoder_has_places_for_are_refused(architecture, places, tmp_path):
    config = {"bert": BERT, **CONFIGS_OF}[architecture]
    with pytest.raises(ValueError, match=f"is {places + 1}, but the encoder has positions for {places} tokens"):
        trained(config, tmp_path, max_length=places + 1)


@pytest.mark.parametrize("architecture", ["roberta", "mpnet"])
def test_as_many_tokens_as_the_encoder_has_places_for_are_read(architecture, tmp_path):
    """Some architectures number positions from the padding token's index on."""
    encoder = saved(CONFIGS_OF[architecture], tmp_path / "encoder")
    with quiet():
        model = AutoModel.from_pretrained(encoder)
    longest = {"roberta": 79, "mpnet": 78}[architecture]
    model(torch.full((1, longest), 1000))
    with pytest.raises((IndexError, RuntimeError)):
        model(torch.full((1, longest + 1), 1000))


def test_heads_return_the_logits_of_each_classifier(tmp_path):
    encoder = saved(CONFIGS_OF["mpnet"], tmp_path)
    with quiet():
        models = {
            task: AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=labels).eval()
            for task, labels in (("product", 3), ("issue", 5))
        }
    models["issue"].mpnet = models["product"].mpnet
    batch = padded([[101, 2000, 3000, 102], [101, 102]], padding=0)
    with torch.inference_mode():
        both = Heads(models, {})(**batch)
        for logits, model in zip(both, models.values(), strict=True):
            torch.testing.assert_close(logits, model(**batch).logits)


def test_a_batch_is_padded_with_the_token_that_the_encoder_knows_as_padding():
    batch = padded([[1, 2, 3], [4]], padding=7)
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 7, 7]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize("architecture", ["bert", *CONFIGS_OF])
@pytest.mark.parametrize("frozen", [1, 2, 3])
def test_stored_outputs_replace_the_lower_layers(architecture, frozen, tmp_path):
    config = {"bert": BERT, **CONFIGS_OF}[architecture]
    recipe = RECIPE.model_copy(update={"frozen_layers": frozen, "examples": 20})
    prepared = prepare(recipe)
    trained = load(saved(config, tmp_path / "encoder"), prepared, recipe)
    material = learning(trained, prepared, recipe, lambda done: None)
    learner = material.learner.eval()
    batch = material.collate(material.train[:5])
    assert batch["hidden"].shape == (*batch["input_ids"].shape, 32)
    with torch.inference_mode():
        given = learner(**batch)["logits"]
        run = learner(**{**batch, "hidden": None})["logits"]
        other = learner(**{**batch, "hidden": batch["hidden"] + 1})["logits"]
    for logits, expected, moved in zip(given, run, other, strict=True):
        torch.testing.assert_close(logits, expected, rtol=1e-2, atol=1e-3)
        assert not torch.equal(logits, moved)


def test_without_stored_outputs_the_lower_layers_run(tmp_path):
    """This holds also after a batch that failed."""
    prepared = prepare(RECIPE)
    learner = learning(
        load(saved(BERT, tmp_path / "encoder"), prepared, RECIPE), prepared, RECIPE, lambda done: None
    ).learner.eval()
    ids = torch.full((1, 8), 2000)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.zeros((1, 3), dtype=torch.long)}
    with torch.inference_mode():
        before = learner(**inputs)["logits"]
        with pytest.raises(RuntimeError):
            learner(**inputs, hidden=torch.zeros((1, 8, 5)))
        after = learner(**inputs)["logits"]
    for logits, expected in zip(after, before, strict=True):
        torch.testing.assert_close(logits, expected)


def test_what_exceeds_half_precision_is_kept_whole():
    assert _compact(torch.tensor([1.0, 70_000.0])).tolist() == [1.0, 70_000.0]
    assert _compact(torch.tensor([1.0, 6.0])).dtype == torch.float16


def test_an_encoder_comes_from_the_hub_by_commit_and_without_code(endpoint, tmp_path):
    encoder = saved(CONFIGS_OF["distilbert"], tmp_path / "encoder")
    (encoder / "modeling.py").write_text("raise SystemExit")
    (encoder / "pytorch_model.bin").write_bytes(b"pickle")
    api = HfApi(endpoint=endpoint)
    api.create_repo("bank/tiny-distilbert")
    sha = api.upload_folder(repo_id="bank/tiny-distilbert", folder_path=encoder).oid
    # The client reads its endpoint once, when it is imported.
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from training.model.encoder import locate; print(locate('bank/tiny-distilbert@{sha}'))",
        ],
        env={**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"},
        capture_output=True,
        check=True,
        text=True,
    )
    folder = Path(said.stdout.strip())
    assert folder.name == sha
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert AutoModel.from_pretrained(folder).config.model_type == "distilbert"
