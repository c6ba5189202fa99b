"""The encoder as a graph for ONNX Runtime, in float32 and in int8."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn
from torch.export import Dim
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from training.model.classifiers import quiet
from training.model.heads import Heads


class Logits(nn.Module):
    """One classifier as a graph: `input_ids` and `attention_mask` in, logits out."""

    def __init__(self, model: PreTrainedModel, mean: nn.Linear | None) -> None:
        super().__init__()
        self.heads = Heads({"task": model}, {} if mean is None else {"task": mean})

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        (logits,) = self.heads(input_ids, attention_mask)
        return cast(Tensor, logits)


def export_onnx(folder: Path, target: Path, *, max_length: int, mean: nn.Linear | None = None) -> None:
    """Write the model that is saved in `folder` as one float32 graph with dynamic batch and sequence.

    Attention is exported as plain matrix products: the fused one costs a quarter of int8's speed.
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
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            # The mask follows the ids; giving its axes the same names makes the exporter warn.
            dynamic_shapes={"input_ids": sizes, "attention_mask": {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}},
        )
    graph = onnx.load(target)
    _forget_origin(graph)
    onnx.save(graph, target)


def _forget_origin(graph: onnx.ModelProto) -> None:
    """Drop the stack traces that the exporter attaches, with the paths of the machine that exported."""
    for node in [*graph.graph.node, *(node for function in graph.functions for node in function.node)]:
        del node.metadata_props[:]
        node.doc_string = ""


@contextmanager
def _quiet_export() -> Iterator[None]:
    """Without the exporter's notes on operators of torchvision, which no classifier of text has."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # torch.export calls a deprecated function of its own.
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def quantise(source: Path, target: Path, *, workspace: Path) -> None:
    """int8 weights per channel, activations scaled per text at run time.

    Signed and per channel: unsigned is no faster than float32, and per tensor loses a tenth of the issues.
    """
    shaped = workspace / "shaped.onnx"
    # The exporter has optimised already, and symbolic inference takes longer than the export.
    quant_pre_process(source, shaped, skip_optimization=True, skip_symbolic_shape=True)
    quantize_dynamic(shaped, target, per_channel=True, weight_type=QuantType.QInt8)
