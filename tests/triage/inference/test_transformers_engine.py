import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from tests.factories import any_bundle, any_manifest, write_tokenizer
from triage.bundle import Manifest, describe
from triage.inference.engine import Engine, load_engine

LABELS = ("Mortgage", "Student loan", "Other")
MAX_LENGTH = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A real, untrained BERT of two small layers, as transformers saves it."""
    folder: Path = tmp_path_factory.mktemp("transformers")
    vocabulary = write_tokenizer(folder, ["mortgage"])
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=MAX_LENGTH,
        initializer_range=0.5,
        id2label=dict(enumerate(LABELS)),
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def manifest(folder) -> Manifest:
    return describe(folder)


@pytest.fixture(scope="module")
def engine(folder, manifest) -> Engine:
    return load_engine(folder, manifest)


def test_a_saved_model_is_described(manifest):
    assert (manifest.engine, manifest.weights) == ("transformers", "model.safetensors")
    assert manifest.labels == LABELS
    assert manifest.max_length == MAX_LENGTH


def test_the_scores_are_those_of_the_model(folder, engine):
    model = BertForSequenceClassification.from_pretrained(folder).eval()
    tokens = PreTrainedTokenizerFast.from_pretrained(folder)("my mortgage", return_tensors="pt")
    with torch.inference_mode():
        expected = model(**tokens).logits[0].tolist()
    assert engine.score("my mortgage").logits == pytest.approx(expected)


def test_scoring_twice_gives_the_same(engine):
    assert engine.score("my mortgage") == engine.score("my mortgage")


def test_a_long_text_is_cut_by_tokens_and_says_how_many(engine):
    scores = engine.score("mortgage " * 100)
    assert (scores.tokens_seen, scores.tokens_total) == (MAX_LENGTH, 102)


@pytest.mark.parametrize("words", [MAX_LENGTH - 3, MAX_LENGTH - 2, MAX_LENGTH - 1])
def test_nothing_is_cut_up_to_the_length_and_something_beyond(engine, words):
    scores = engine.score("mortgage " * words)
    assert (scores.tokens_seen, scores.tokens_total) == (min(MAX_LENGTH, words + 2), words + 2)


@pytest.mark.parametrize("text", ["", "\u200b", "[PAD] [CLS] [SEP] [UNK]", "\x00", "\U0001f600 " * 60_000])
def test_odd_texts_are_scored(engine, text):
    scores = engine.score(text)
    assert len(scores.logits) == len(LABELS)
    assert 2 <= scores.tokens_seen <= MAX_LENGTH


def test_threads_share_an_engine(engine):
    texts = ["mortgage " * number for number in range(16)]
    alone = [engine.score(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(engine.score, texts))
    for one, other in zip(alone, together, strict=True):
        assert one.logits == pytest.approx(other.logits, abs=1e-5)
        assert (one.tokens_seen, one.tokens_total) == (other.tokens_seen, other.tokens_total)


@pytest.mark.parametrize("text", ["", "my mortgage", "mortgage " * 100, "\U0001f600 caf\u00e9 " * 30])
def test_both_engines_count_tokens_alike(engine, tmp_path, text):
    onnx = load_engine(tmp_path, any_bundle(tmp_path, labels=("Mortgage", "Other"), max_length=MAX_LENGTH))
    ours, theirs = onnx.score(text), engine.score(text)
    assert ours.tokens_seen == theirs.tokens_seen
    assert ours.tokens_total == theirs.tokens_total


def test_pickled_weights_are_not_loaded(folder, tmp_path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    torch.save(BertForSequenceClassification.from_pretrained(folder).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        load_engine(tmp_path, any_manifest(engine="transformers"))


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("config.json", {"AutoModelForSequenceClassification": "code.Model", "AutoConfig": "code.Config"}),
        ("tokenizer_config.json", {"AutoTokenizer": ["code.Tokenizer", "code.Tokenizer"]}),
    ],
)
def test_code_that_lies_beside_the_weights_is_not_run(folder, manifest, tmp_path, name, classes):
    bundle = tmp_path / "bundle"
    shutil.copytree(folder, bundle)
    (bundle / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    settings = json.loads((bundle / name).read_text())
    settings |= {"auto_map": classes, "model_type": "unheard-of", "tokenizer_class": "Tokenizer"}
    (bundle / name).write_text(json.dumps(settings))
    # Whether it is refused or read without it, is the library's affair.
    with suppress(Exception):
        load_engine(bundle, manifest)
    assert not (tmp_path / "ran").exists()
