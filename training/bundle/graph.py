"""The served graph: the encoder's logits and the wide part's scores, weighed and added, from one list of token ids.

    input_ids, attention_mask ─┬─ window ── encoder ──────────── * deep ─┐
                               └─ n-grams ── TF-IDF ── network ── * wide ─ + ── logits

The window is cut by the graph, so that the tokenizer may hand over the whole text.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, compose, helper, numpy_helper

from training.model.blend import Blend
from training.model.encoding import head_of
from training.model.wide import WidePart

TO_THE_END = np.iinfo(np.int64).max
INPUTS = ("input_ids", "attention_mask")


def combine(encoder: onnx.ModelProto, wide: WidePart, blend: Blend, *, window: int) -> onnx.ModelProto:
    """encoder: a graph from `INPUTS` to `logits`, as `training.bundle.onnx_graph` writes it.

    window: tokens that it reads.
    """
    head = head_of(window)
    nodes = [node for name in INPUTS for node in _window(name, head=head)]
    constants = [*_constants({"at_0": [0], "at_head": [head], "at_end": [TO_THE_END], "axis": [1]})]
    constants += _constants({"at_tail": [head - window]})
    both = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in INPUTS]
    cut = [helper.make_tensor_value_info(f"window_{n}", TensorProto.INT64, ["batch", "window"]) for n in INPUTS]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "sequence"])
    nodes.append(helper.make_node("Identity", ["input_ids"], ["ids"]))
    front = _model(helper.make_graph(nodes, "window", both, [*cut, ids], constants), like=encoder)
    deep = compose.add_prefix(encoder, "deep_")
    # The prefix also renames the named sizes of the inputs, which then are those of the window.
    joined = compose.merge_models(
        front, deep, [(f"window_{name}", f"deep_{name}") for name in INPUTS], outputs=["ids", "deep_logits"]
    )
    back = _model(_blended(wide, blend, labels=len(wide.layers[-1].bias)), like=encoder)
    whole = compose.merge_models(joined, back, [("ids", "wide_ids"), ("deep_logits", "deep_scores")])
    onnx.checker.check_model(whole)
    return whole


def _window(name: str, *, head: int) -> Iterator[NodeProto]:
    """The first `head` of a row and what of its end fits behind them."""
    yield helper.make_node("Slice", [name, "at_0", "at_head", "axis"], [f"{name}_head"])
    yield helper.make_node("Slice", [name, "at_head", "at_end", "axis"], [f"{name}_rest"])
    yield helper.make_node("Slice", [f"{name}_rest", "at_tail", "at_end", "axis"], [f"{name}_tail"])
    yield helper.make_node("Concat", [f"{name}_head", f"{name}_tail"], [f"window_{name}"], axis=1)


def _blended(wide: WidePart, blend: Blend, *, labels: int) -> onnx.GraphProto:
    vocabulary = wide.vocabulary
    nodes = [
        helper.make_node(
            "TfIdfVectorizer",
            ["wide_ids"],
            ["counts"],
            mode="TF",
            min_gram_length=1,
            max_gram_length=2,
            max_skip_count=0,
            ngram_counts=[0, vocabulary.singles],
            ngram_indexes=list(range(len(vocabulary.ngrams))),
            pool_int64s=[token for ngram in vocabulary.ngrams for token in ngram],
        ),
        # 1 + log(count) of what occurs, 0 of what does not: log(max(count, 1)) + min(count, 1).
        helper.make_node("Max", ["counts", "one"], ["at_least_one"]),
        helper.make_node("Log", ["at_least_one"], ["logarithms"]),
        helper.make_node("Min", ["counts", "one"], ["occurs"]),
        helper.make_node("Add", ["logarithms", "occurs"], ["sublinear"]),
        helper.make_node("Mul", ["sublinear", "idf"], ["weighed"]),
        helper.make_node("ReduceL2", ["weighed", "row"], ["length"], keepdims=1),
        helper.make_node("Max", ["length", "tiny"], ["divisor"]),
        helper.make_node("Div", ["weighed", "divisor"], ["features"]),
        *_network(len(wide.layers)),
        helper.make_node("Mul", ["scores", "share_of_wide"], ["from_wide"]),
        helper.make_node("Mul", ["deep_scores", "share_of_deep"], ["from_deep"]),
        helper.make_node("Add", ["from_deep", "from_wide"], ["logits"]),
    ]
    floats = {
        "one": [1.0],
        "tiny": [1e-12],
        "idf": vocabulary.idf,
        **{f"bias_{number}": layer.bias for number, layer in enumerate(wide.layers)},
        "share_of_wide": [blend.wide],
        "share_of_deep": [blend.deep],
    }
    constants = [numpy_helper.from_array(np.asarray(value, dtype=np.float32), name) for name, value in floats.items()]
    for number, layer in enumerate(wide.layers):
        # Half precision halves the file; a score changes by about a thousandth.
        constants.append(numpy_helper.from_array(layer.weights.astype(np.float16), f"halves_{number}"))
    constants += _constants({"row": [1]})
    inputs = [
        helper.make_tensor_value_info("wide_ids", TensorProto.INT64, ["batch", "sequence"]),
        helper.make_tensor_value_info("deep_scores", TensorProto.FLOAT, ["batch", labels]),
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])
    return helper.make_graph(nodes, "wide", inputs, [logits], constants)


def _network(layers: int) -> Iterator[NodeProto]:
    """From `features` to `scores`, with rectified units between the layers."""
    given = "features"
    for number in range(layers):
        yield helper.make_node("Cast", [f"halves_{number}"], [f"weights_{number}"], to=TensorProto.FLOAT)
        yield helper.make_node("MatMul", [given, f"weights_{number}"], [f"products_{number}"])
        last = number == layers - 1
        yield helper.make_node(
            "Add", [f"products_{number}", f"bias_{number}"], ["scores" if last else f"sums_{number}"]
        )
        if not last:
            given = f"units_{number}"
            yield helper.make_node("Relu", [f"sums_{number}"], [given])


def _constants(values: dict[str, list[int]]) -> list[TensorProto]:
    return [numpy_helper.from_array(np.array(value, dtype=np.int64), name) for name, value in values.items()]


def _model(graph: onnx.GraphProto, *, like: onnx.ModelProto) -> onnx.ModelProto:
    """Of the same operator sets, which merging asks for."""
    return helper.make_model(graph, opset_imports=list(like.opset_import), ir_version=like.ir_version)
