import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from training.bundle.graph import INPUTS, combine
from training.bundle.parity import compare
from training.model.fine_tune import window
from training.model.wide import Blend, features_of, fit, fit_blend, learn_vocabulary, read, save
from training.recipe import TaskRecipe, WideRecipe

WIDE = WideRecipe(length=64, features=500, epochs=5, batch_size=16, learning_rate=5e-3)
REGRESSION = TaskRecipe(balance=0.0, target_accuracy=0.9)
NETWORK = REGRESSION.model_copy(update={"wide_units": 8, "wide_decay": 1e-4})
WINDOW = 6
CHANCE = np.random.default_rng(5)
TEXTS = [CHANCE.integers(1, 30, size).tolist() for size in CHANCE.integers(1, 40, 80)]
VOCABULARY = learn_vocabulary(TEXTS, WIDE)
FEATURES = features_of(TEXTS, VOCABULARY)


def any_part(aim: TaskRecipe, labels: int):
    return fit(FEATURES, np.arange(len(TEXTS)) % labels, vocabulary=VOCABULARY, aim=aim, recipe=WIDE, seed=3)


@pytest.fixture(scope="module")
def encoder():
    """An encoder whose logits depend on the tokens that it read: their sum, and their sum times their places."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in INPUTS]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])
    nodes = [
        helper.make_node("CumSum", ["attention_mask", "axis"], ["places"]),
        helper.make_node("Mul", ["input_ids", "places"], ["placed"]),
        helper.make_node("ReduceSum", ["input_ids", "axis_list"], ["sum"]),
        helper.make_node("ReduceSum", ["placed", "axis_list"], ["placed_sum"]),
        helper.make_node("Concat", ["sum", "placed_sum"], ["both"], axis=1),
        helper.make_node("Cast", ["both"], ["logits"], to=TensorProto.FLOAT),
    ]
    constants = [
        numpy_helper.from_array(np.array(1, dtype=np.int64), "axis"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "axis_list"),
    ]
    graph = helper.make_graph(nodes, "sums", inputs, [logits], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(graph, texts):
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    rows = []
    for ids in texts:
        feed = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), dtype=np.int64)}
        rows.append(session.run(None, feed)[0][0])
    return np.array(rows)


def sums(ids):
    seen = np.array(window(ids, WINDOW), dtype=float)
    return [seen.sum(), (seen * np.arange(1, len(seen) + 1)).sum()]


@pytest.mark.parametrize("aim", [REGRESSION, NETWORK], ids=["regression", "network"])
def test_the_graph_computes_what_the_wide_part_does(encoder, aim):
    wide = any_part(aim, labels=2)
    graph = combine(encoder, wide, Blend(deep=0.0, wide=1.0), window=WINDOW)
    np.testing.assert_allclose(run(graph, TEXTS), wide.scores(FEATURES), atol=5e-3)


@settings(max_examples=30, deadline=None)
@given(ids=st.lists(st.integers(1, 29), min_size=1, max_size=20))
def test_the_graph_gives_the_encoder_a_window_of_the_text(encoder, ids):
    graph = combine(encoder, any_part(REGRESSION, labels=2), Blend(deep=1.0, wide=0.0), window=WINDOW)
    np.testing.assert_allclose(run(graph, [ids]), [sums(ids)], rtol=1e-6)


def test_the_parts_are_added_by_their_weights(encoder):
    wide = any_part(NETWORK, labels=2)
    blended = run(combine(encoder, wide, Blend(deep=0.5, wide=2.0), window=WINDOW), TEXTS)
    expected = Blend(deep=0.5, wide=2.0).of(np.array([sums(ids) for ids in TEXTS]), wide.scores(FEATURES))
    np.testing.assert_allclose(blended, expected, atol=2e-2)


def test_a_text_without_a_known_token_has_no_features(encoder):
    unknown = [[1000, 1001]]
    assert features_of(unknown, VOCABULARY).nnz == 0
    wide = any_part(REGRESSION, labels=2)
    graph = combine(encoder, wide, Blend(deep=0.0, wide=1.0), window=WINDOW)
    np.testing.assert_allclose(run(graph, unknown), [wide.layers[-1].bias], atol=1e-5)


def test_the_vocabulary_holds_single_tokens_first_and_nothing_seen_once():
    sizes = [len(ngram) for ngram in VOCABULARY.ngrams]
    assert sizes == sorted(sizes)
    once = learn_vocabulary([[1, 2], [1, 3]], WIDE)
    assert once.ngrams == ((1,),)


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("aim", [REGRESSION, NETWORK], ids=["regression", "network"])
def test_every_label_has_a_score(aim, labels):
    assert any_part(aim, labels).scores(FEATURES).shape == (len(TEXTS), labels)


def test_it_learns_what_single_words_tell():
    texts = [[1, 2, 9], [3, 4, 9]] * 30
    vocabulary = learn_vocabulary(texts, WIDE)
    features, labels = features_of(texts, vocabulary), np.array([0, 1] * 30)
    for aim in (REGRESSION, NETWORK):
        patient = WIDE.model_copy(update={"epochs": 60})
        wide = fit(features, labels, vocabulary=vocabulary, aim=aim, recipe=patient, seed=1)
        assert (wide.scores(features).argmax(axis=1) == labels).all()


def test_the_saved_part_holds_vocabulary_and_layers(tmp_path):
    wide = any_part(NETWORK, labels=3)
    save(wide, tmp_path / "wide.safetensors")
    tensors = load_file(tmp_path / "wide.safetensors")
    assert tensors["ngrams"].shape == (len(VOCABULARY.ngrams), 2)
    assert (tensors["ngrams"][: VOCABULARY.singles, 1] == -1).all()
    np.testing.assert_array_equal(tensors["layers.1.bias"], wide.layers[1].bias.astype(np.float32))


def test_the_head_on_the_mean_is_saved_beside_the_layers(tmp_path):
    wide = any_part(REGRESSION, labels=3)
    save(wide, tmp_path / "wide.safetensors", mean=wide.layers[0])
    tensors = load_file(tmp_path / "wide.safetensors")
    np.testing.assert_array_equal(tensors["mean.weights"], tensors["layers.0.weights"])
    np.testing.assert_array_equal(tensors["mean.bias"], tensors["layers.0.bias"])


def test_it_reads_further_than_the_tokenizer_was_told():
    tokenizer = Tokenizer.from_str(
        '{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,'
        '"pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,'
        '"model":{"type":"WordLevel","vocab":{"a":1,"b":2,"?":0},"unk_token":"?"}}'
    )
    tokenizer.enable_truncation(2)
    assert read(tokenizer, ["a b a b a"], length=4) == [[1, 2, 1, 2]]
    assert tokenizer.encode("a b a").ids == [1, 2]


def test_the_better_part_gets_the_larger_weight_in_the_blend():
    truth = np.arange(200) % 3
    knows = 3.0 * (np.arange(3) == truth[:, None]) + CHANCE.normal(size=(200, 3))
    guesses = CHANCE.normal(size=(200, 3))
    blend = fit_blend(knows, guesses, truth)
    assert blend.deep > 5 * blend.wide
    assert fit_blend(guesses, knows, truth).wide > 5 * fit_blend(guesses, knows, truth).deep


def test_parity_counts_answers_that_int8_changes():
    exact = np.array([[2.0, 0.0], [0.0, 2.0], [0.1, 0.0], [2.0, 0.0]])
    quantised = np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 0.1], [2.0, 0.0]])
    parity = compare(exact, quantised, np.array([0, 1, 0, 0]), np.arange(4))
    assert parity.agreement == 0.75
    assert parity.accuracy_change == -0.25
    assert parity.accuracy_change_low <= -0.25 <= parity.accuracy_change_high
    assert not parity.holds
    assert compare(exact, exact, np.array([0, 1, 0, 0]), np.arange(4)).holds
