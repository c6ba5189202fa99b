"""The ONNX graphs of a model: the encoder alone, and the served graph that adds the scores of the wide part.

    input_ids, attention_mask ─┬─ window ── encoder ──────────── * deep ─┐
                               └─ n-grams ── TF-IDF ── network ── * wide ─ + ── logits

The served graph cuts the window itself, so that the tokenizer can hand over the whole text.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import torch
from onnx import NodeProto, TensorProto, compose, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn
from torch.export import Dim
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from training.model.classifiers import Heads, quiet
from training.model.fine_tune import head_of
from training.model.wide import Blend, WidePart

TO_THE_END = np.iinfo(np.int64).max
INPUTS = ("input_ids", "attention_mask")

ONNX_FILE, ENCODER_FILE = "model.onnx", "encoder.onnx"
"""The graph that serves, and that of the encoder alone."""


class Logits(nn.Module):
    """One classifier as a module that takes `input_ids` and `attention_mask` and returns the logits alone."""

    def __init__(self, model: PreTrainedModel, mean: nn.Linear | None) -> None:
        super().__init__()
        self.heads = Heads({"task": model}, {} if mean is None else {"task": mean})

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        (logits,) = self.heads(input_ids, attention_mask)
        return cast(Tensor, logits)


def export_onnx(folder: Path, target: Path, *, max_length: int, mean: nn.Linear | None = None) -> None:
    """Write the model saved in `folder` as a float32 graph that takes any batch size and sequence length.

    Attention is exported as plain matrix products: with the fused operator, int8 would be a quarter slower.
    """
    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager")
    example = torch.ones((2, 8), dtype=torch.long)
    sizes = {0: Dim("batch"), 1: Dim("sequence", max=max_length)}
    with _quiet_export():
        torch.onnx.export(
            Logits(model, mean).eval(),
            (example, torch.ones_like(example)),
            target,
            dynamo=True,
            external_data=False,
            verbose=False,
            input_names=list(INPUTS),
            output_names=["logits"],
            # The mask has the same sizes as the ids, but the exporter warns if its axes get the same names.
            dynamic_shapes={"input_ids": sizes, "attention_mask": {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}},
        )
    graph = onnx.load(target)
    _forget_origin(graph)
    onnx.save(graph, target)


def _forget_origin(graph: onnx.ModelProto) -> None:
    """Remove the exporter's stack traces, which contain paths of this machine."""
    for node in [*graph.graph.node, *(node for function in graph.functions for node in function.node)]:
        del node.metadata_props[:]
        node.doc_string = ""


@contextmanager
def _quiet_export() -> Iterator[None]:
    """Silence the exporter's notes on operators of torchvision, which no text classifier uses."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # torch.export calls a deprecated function of torch.
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def quantise(source: Path, target: Path, *, workspace: Path) -> None:
    """Write the graph with signed int8 weights, scaled per channel. Activations are scaled per text at run time.

    Unsigned weights would be no faster than float32, and one scale per tensor would cost a tenth of the issues.
    """
    shaped = workspace / "shaped.onnx"
    # The exporter has already optimised the graph, and symbolic inference would take longer than the export.
    quant_pre_process(source, shaped, skip_optimization=True, skip_symbolic_shape=True)
    quantize_dynamic(shaped, target, per_channel=True, weight_type=QuantType.QInt8)


def assemble(folder: Path, wide: WidePart | None, blend: Blend, *, window: int) -> None:
    """Write the served graph to the folder of the encoder's graph. window: how many tokens the encoder reads."""
    graph = onnx.load(folder / ENCODER_FILE)
    onnx.save(graph if wide is None else combine(graph, wide, blend, window=window), folder / ONNX_FILE)


def combine(encoder: onnx.ModelProto, wide: WidePart, blend: Blend, *, window: int) -> onnx.ModelProto:
    """Return the served graph of both parts.

    encoder: a graph from `INPUTS` to `logits`, as `export_onnx` writes it. window: how many tokens the encoder reads.
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
    # The prefix also renames the sizes of the encoder's inputs, so that they are those of the window.
    joined = compose.merge_models(
        front, deep, [(f"window_{name}", f"deep_{name}") for name in INPUTS], outputs=["ids", "deep_logits"]
    )
    back = _model(_blended(wide, blend, labels=len(wide.layers[-1].bias)), like=encoder)
    whole = compose.merge_models(joined, back, [("ids", "wide_ids"), ("deep_logits", "deep_scores")])
    onnx.checker.check_model(whole)
    return whole


def _window(name: str, *, head: int) -> Iterator[NodeProto]:
    """Cut a row to the window: its first `head` tokens, and its last ones in the remaining room."""
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
        # 1 + log(count) for n-grams that occur, 0 for others: log(max(count, 1)) + min(count, 1).
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
        # Half precision halves the file and changes a score by about a thousandth.
        constants.append(numpy_helper.from_array(layer.weights.astype(np.float16), f"halves_{number}"))
    constants += _constants({"row": [1]})
    inputs = [
        helper.make_tensor_value_info("wide_ids", TensorProto.INT64, ["batch", "sequence"]),
        helper.make_tensor_value_info("deep_scores", TensorProto.FLOAT, ["batch", labels]),
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])
    return helper.make_graph(nodes, "wide", inputs, [logits], constants)


def _network(layers: int) -> Iterator[NodeProto]:
    """Compute `scores` from `features`, with rectified units between the layers."""
    inputs = "features"
    for number in range(layers):
        yield helper.make_node("Cast", [f"halves_{number}"], [f"weights_{number}"], to=TensorProto.FLOAT)
        yield helper.make_node("MatMul", [inputs, f"weights_{number}"], [f"products_{number}"])
        last = number == layers - 1
        yield helper.make_node(
            "Add", [f"products_{number}", f"bias_{number}"], ["scores" if last else f"sums_{number}"]
        )
        if not last:
            inputs = f"units_{number}"
            yield helper.make_node("Relu", [f"sums_{number}"], [inputs])


def _constants(values: dict[str, list[int]]) -> list[TensorProto]:
    return [numpy_helper.from_array(np.array(value, dtype=np.int64), name) for name, value in values.items()]


def _model(graph: onnx.GraphProto, *, like: onnx.ModelProto) -> onnx.ModelProto:
    """Wrap a graph as a model with the operator sets of `like`, because only such models can be merged."""
    return helper.make_model(graph, opset_imports=list(like.opset_import), ir_version=like.ir_version)
