from concurrent.futures import ThreadPoolExecutor

import onnx
import pytest

from tests.factories import PUSH, any_bundle
from triage.bundle import hash_files
from triage.inference.engine import Engine, load_engine

LABELS = ("Mortgage", "Student loan")
MAX_LENGTH = 32


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Engine:
    folder = tmp_path_factory.mktemp("onnx")
    return load_engine(folder, any_bundle(folder, labels=LABELS, max_length=MAX_LENGTH))


def test_the_words_of_a_text_make_its_scores(engine):
    assert engine.score("my mortgage and my student loan").logits == (PUSH, PUSH)
    assert engine.score("Mortgage, mortgage").logits == (2 * PUSH, 0)


def test_a_short_text_is_seen_whole(engine):
    scores = engine.score("my mortgage")
    # The word `my` is two pieces of the vocabulary; the two others are [CLS] and [SEP].
    assert scores.tokens_seen == scores.tokens_total == 5


def test_a_long_text_is_cut_by_tokens_and_says_how_many(engine):
    scores = engine.score("mortgage " * 100)
    assert scores.tokens_seen == MAX_LENGTH
    assert scores.tokens_total == 102
    assert scores.logits[0] == PUSH * (MAX_LENGTH - 2)


@pytest.mark.parametrize("words", range(MAX_LENGTH - 4, MAX_LENGTH + 3))
def test_nothing_is_cut_up_to_the_length_and_something_beyond(engine, words):
    scores = engine.score("mortgage " * words)
    assert scores.tokens_total == words + 2
    assert scores.tokens_seen == min(MAX_LENGTH, words + 2)


@pytest.mark.parametrize("text", ["", "\u200b", "[PAD] [CLS] [SEP] [UNK]", "\x00", "\ufffd" * 10, "XXXX" * 50])
def test_odd_texts_are_scored(engine, text):
    scores = engine.score(text)
    assert len(scores.logits) == len(LABELS)
    assert 2 <= scores.tokens_seen <= MAX_LENGTH


@pytest.mark.parametrize(
    ("text", "tokens"),
    # A word that is not in the vocabulary is one token, however long it is.
    [("\U0001f600" * 75_000, 3), ("\U0001f600 " * 60_000, 60_002), ("mortgage " * 34_000, 34_002)],
    ids=["one word of emoji", "emoji", "words"],
)
def test_300_kilobytes_are_scored(engine, text, tokens):
    scores = engine.score(text)
    assert scores.tokens_total == tokens
    assert scores.tokens_seen == min(tokens, MAX_LENGTH)
    assert len(scores.logits) == len(LABELS)


def test_threads_share_an_engine(engine):
    texts = ["mortgage " * number for number in range(60)]
    alone = [engine.score(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(engine.score, texts)) == alone


def test_padding_and_truncation_that_a_tokenizer_was_saved_with_do_not_count(tmp_path):
    from tokenizers import Tokenizer

    manifest = any_bundle(tmp_path, labels=LABELS, max_length=MAX_LENGTH)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.enable_padding(length=200)
    tokenizer.enable_truncation(4)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    engine = load_engine(tmp_path, manifest.model_copy(update={"files": hash_files(tmp_path)}))
    assert engine.score("a mortgage, a mortgage").tokens_seen == 7


@pytest.mark.parametrize("escape", [False, True])
def test_a_graph_reads_no_file_outside_its_bundle(tmp_path, escape):
    folder = tmp_path / "bundle"
    folder.mkdir()
    manifest = any_bundle(folder, labels=LABELS, max_length=MAX_LENGTH)
    graph = onnx.load(folder / "model.onnx")
    onnx.save(graph, folder / "model.onnx", save_as_external_data=True, location="weights", size_threshold=64)
    assert (folder / "weights").is_file()
    if not escape:
        assert load_engine(folder, manifest)
        return
    (folder / "weights").rename(tmp_path / "weights")
    graph = onnx.load(folder / "model.onnx", load_external_data=False)
    for tensor in graph.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../weights"
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(Exception, match=r"(?i)external data|outside|escape"):
        load_engine(folder, manifest)
