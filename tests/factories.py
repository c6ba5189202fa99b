"""Values that do not matter to a test, each overridable by keyword."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from triage.bundle import MANIFEST_FILE, BundleFile, Manifest, hash_files
from triage.complaint import Complaint
from triage.explanation.record import Attribution, Checks, Explained, Method, Part, Truncation
from triage.feedback import Feedback
from triage.steps import AllocationRequest, ExplanationRequest, ModelReference, Outcome
from triage.story import AllocationEntry, Decision, ExplanationEntry, PredictionEntry, SelectionEntry, sha256_of_text
from triage.strategies.registry import MirroredBundle, ModelInfo, ModelStrategy
from triage.strategies.strategy import Arm, Strategy
from triage.strategies.strategy_change import Change
from triage.tables import TableSpec

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from runtime.adapters.registry import Registry

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PUSH = 4.0
"""What one occurrence of a label's word adds to that label's logit in the model of `any_bundle`."""


def any_sha256(of: object = "anything") -> str:
    return hashlib.sha256(str(of).encode()).hexdigest()


def any_revision(of: object = "anything") -> str:
    return hashlib.sha1(str(of).encode()).hexdigest()


def any_item(**values: Any) -> dict[str, Any]:
    """Return a complaint as operations write it into `raw_complaints`."""
    return {"complaint_id": "8123456", "narrative": "They closed my account without telling me.", **values}


def any_complaint(**values: Any) -> Complaint:
    return Complaint.read(any_item(**values))


def any_model_reference(**values: Any) -> ModelReference:
    default = {
        "task": "product",
        "model_id": "acme/model",
        "revision": any_revision(),
        "engine": "onnx",
        "manifest_sha256": any_sha256(),
    }
    return ModelReference(**{**default, **values})


def any_prediction(**values: Any) -> PredictionEntry:
    """Return a prediction. `task` is short for a model of this task; key and version come from the model."""
    model = values.pop("model", None) or any_model_reference(task=values.pop("task", "product"))
    label = values.get("label", "Mortgage")
    default = {
        "complaint_id": "8123456",
        "entry": PredictionEntry.key(model),
        "code_version": "test",
        "model": model,
        "model_version": model.version,
        "predicted_at": "2026-03-02T09:29:59.000Z",
        "label": label,
        "confidence": 0.9,
        "top": ({"label": label, "probability": values.get("confidence", 0.9)},),
        "tokens_seen": 12,
        "tokens_total": 12,
        "thresholds": {"auto": 0.8},
        "temperature": 1.0,
        "weights_sha256": any_sha256("weights"),
        "milliseconds": 3.5,
    }
    return PredictionEntry(**{**default, **values})


def any_selection(**values: Any) -> SelectionEntry:
    default = {
        "complaint_id": "8123456",
        "code_version": "test",
        "selected_at": "2026-03-02T09:29:58.000Z",
        "subject": "8123456",
        "models": (),
        "stated": (),
        "unreadable": None,
        "doubts": (),
    }
    return SelectionEntry(**{**default, **values})


def any_allocation_request(**values: Any) -> AllocationRequest:
    default = {"complaint_id": "8123456", "started_at": "2026-03-02T09:29:57.500Z"}
    return AllocationRequest(**{**default, **values})


def any_allocation(**values: Any) -> AllocationEntry:
    """Return an allocation to the mortgage team that needs no person."""
    default = {
        "complaint_id": "8123456",
        "code_version": "test",
        "product_team": "mortgage",
        "product": "Mortgage",
        "issue": "Closing on a mortgage",
        "vulnerable": False,
        "journey": "standard",
        "route": "auto",
        "reasons": (),
        "decisions": (),
        "stated": (),
        "taxonomy_version": "1",
        "started_at": "2026-03-02T09:29:59.000Z",
        "allocated_at": "2026-03-02T09:30:00.000Z",
        "milliseconds": 1000,
    }
    return AllocationEntry(**{**default, **values})


def any_decision(model: ModelReference, **values: Any) -> Decision:
    default = {"task": model.task, "label": "Mortgage", "confidence": 0.9, "weights_sha256": any_sha256("weights")}
    return Decision(model=model, **{**default, **values})


def any_feedback(**values: Any) -> Feedback:
    default = {
        "feedback_id": "f-1",
        "complaint_id": "8123456",
        "kind": "confirm",
        "by": "ann",
        "role": "analyst",
        "mode": "assisted",
        "at": "2026-03-02T10:00:00Z",
        "version": 1,
    }
    return Feedback(**{**default, **values})


def any_explanation_request(**values: Any) -> ExplanationRequest:
    default = {
        "complaint_id": "8123456",
        "task": "product",
        "requester": "ann",
        "purpose": "request of a regulator",
        "lawful_basis": "legal obligation",
    }
    return ExplanationRequest(**{**default, **values})


def any_explanation(
    read: str = "My mortgage was sold.", ends: Sequence[int] = (21,), **values: Any
) -> ExplanationEntry:
    """Return the explanation of a text as the model read it, whose sentences end at these places."""
    request = values.pop("request", None) or any_explanation_request()
    starts = (0, *ends)
    parts = [Part(start=start, end=end) for start, end in zip(starts, ends, strict=False)]
    explained = Explained(
        label="Mortgage",
        runner_up="Student loan",
        reproduced=True,
        replayed_label="Mortgage",
        replayed_confidence=0.9,
        base_value=(0.5, 0.5),
        full_value=(0.9, 0.1),
        sentences=tuple(Attribution(part=part, label=0.4 / len(parts), runner_up=-0.4 / len(parts)) for part in parts),
        words=(),
        method=Method(name="any", output="any", masker="[MASK]", seed=0, trees=3, evaluations=9),
        truncation=Truncation(tokens_seen=9, tokens_total=9, characters_read=ends[-1], characters_total=len(read)),
        checks=Checks(additivity_residual=0.0),
    )
    default = {
        "complaint_id": request.complaint_id,
        "entry": ExplanationEntry.key(request.task, request.request_id),
        "code_version": "test",
        "request": request,
        "explained_at": "2026-03-02T10:00:00.000Z",
        "text_sha256": any_sha256("text"),
        "read_sha256": sha256_of_text(read),
        "prediction": any_prediction(),
        "people": (),
        "explained": explained,
        "rationale": "It speaks for itself.",
        "retained_until": "2029-03-01",
    }
    return ExplanationEntry(**{**default, **values})


def answered(*predictions: PredictionEntry) -> tuple[Outcome, ...]:
    """Return the outcomes of models that answered."""
    return tuple(Outcome(model=prediction.model) for prediction in predictions)


def any_mirrored_bundle(**values: Any) -> MirroredBundle:
    default = {
        "engine": "onnx",
        "manifest_sha256": any_sha256(),
        "weights_sha256": any_sha256("weights"),
        "labels": 2,
        "size": 1,
        "mirrored_at": "2026-03-01T00:00:00.000Z",
    }
    return MirroredBundle(**{**default, **values})


def any_model_info(**values: Any) -> ModelInfo:
    """Return the mirrored champion of a task."""
    default = {
        "model_id": "acme/model",
        "revision": any_revision(),
        "task": "product",
        "state": "champion",
        "bundle": any_mirrored_bundle(),
        "activated_at": "2026-03-01T00:00:01.000Z",
    }
    return ModelInfo(**{**default, **values})


def any_arm(name: str = "champion", **values: Any) -> Arm:
    default = {"model_id": f"acme/{name}", "revision": any_revision(name), "share": 10_000}
    return Arm(name=name, **{**default, **values})


def any_strategy(
    shares: dict[str, int] | None = None, *, shadows: dict[str, int] | None = None, **values: Any
) -> Strategy:
    """Return a strategy with `shares` in basis points by arm, the champion first, and `shadows` likewise."""
    shares = shares or {"champion": 10_000}
    kind = values.get("kind") or {1: "shadow" if shadows else "single", 2: "canary"}.get(len(shares), "ab")
    default = {
        "task": "product",
        "kind": kind,
        "ends_at": NOW + timedelta(days=365) if kind == "ab" else None,
        "shadows": tuple(any_arm(name, share=share) for name, share in (shadows or {}).items()),
        "experiment": "first",
        "champion": next(iter(shares)),
        "arms": tuple(any_arm(name, share=share) for name, share in shares.items()),
    }
    return Strategy(**{**default, **values})


def any_model_strategy(strategy: Strategy, **values: Any) -> ModelStrategy:
    default = {
        "task": strategy.task,
        "version": 1,
        "strategy": strategy,
        "changed_at": "2026-03-01T00:00:00.000Z",
        "changed_by": "ann",
    }
    return ModelStrategy(**{**default, **values})


def any_change(strategy: Strategy, **values: Any) -> Change:
    default = {"kind": "set", "actor": "ann", "reason": "a test", "change_id": uuid4().hex}
    return Change(strategy=strategy, **{**default, **values})


def put_in_force(registry: "Registry", strategy: Strategy, *, by: str, replaces: int) -> ModelStrategy:
    """Put a strategy in force as `triage strategy set` does."""
    changed, _ = registry.strategies.change(any_change(strategy, actor=by), replaces=replaces)
    return changed


def any_manifest(**values: Any) -> Manifest:
    """Return a manifest of files that do not exist."""
    weights = "model.safetensors" if values.get("engine") == "transformers" else "model.onnx"
    default = {
        "engine": "onnx",
        "weights": weights,
        "labels": ("Mortgage", "Student loan"),
        "max_length": 64,
        "files": (BundleFile(path=weights, sha256=any_sha256("weights"), size=7),),
    }
    return Manifest(**{**default, **values})


def any_bundle(folder: Path, *, labels: Sequence[str] = ("Mortgage", "Student loan"), **values: Any) -> Manifest:
    """Write an ONNX model that tokenizes and runs, with its `triage.json`.

    Each occurrence of a label's first word in a text adds PUSH to that label's logit.
    """
    any_hub_model(folder, labels=labels)
    default = {"labels": tuple(labels), "max_length": 32, "files": hash_files(folder)}
    manifest = any_manifest(**{**default, **values})
    (folder / MANIFEST_FILE).write_bytes(manifest.document())
    return manifest


def any_hub_model(folder: Path, *, labels: Sequence[str] = ("Mortgage", "Student loan")) -> None:
    """Write the same model without a `triage.json`, as others publish models."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [label.split()[0].lower() for label in labels]
    vocabulary = write_tokenizer(folder, words)
    config = {"id2label": dict(enumerate(labels)), "max_position_embeddings": 64}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    _write_graph(folder / "model.onnx", [[PUSH * (word == token) for word in words] for token in vocabulary])


def write_tokenizer(folder: Path, words: Sequence[str] = ()) -> list[str]:
    """Write a lower-casing WordPiece tokenizer for single letters and these words, and return its vocabulary."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,'"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters), *words]
    tokenizer = Tokenizer(models.WordPiece({token: number for number, token in enumerate(vocabulary)}))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return vocabulary


def write_tokenizer_without_words(folder: Path) -> None:
    """Write what transformers makes up where a tokenizer's file is missing: special tokens and no word."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordPiece({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))


def write_scores(folder: Path, scores: Sequence[float]) -> None:
    """Replace the graph by one that gives these scores to every text."""
    import onnx
    from onnx import TensorProto, helper

    constant = helper.make_tensor("scores", TensorProto.FLOAT, [1, len(scores)], list(scores))
    graph = helper.make_graph(
        [helper.make_node("Constant", [], ["logits"], value=constant)],
        "constant",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx"
    )


def _write_graph(path: Path, embeddings: list[list[float]]) -> None:
    """Return a graph whose logits are the sum of the rows of the tokens."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    width = len(embeddings[0])
    graph = helper.make_graph(
        nodes=[
            helper.make_node("Gather", ["rows", "input_ids"], ["embedded"]),
            helper.make_node("ReduceSum", ["embedded", "axes"], ["logits"], keepdims=0),
        ],
        name="bag-of-words",
        inputs=[helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, [1, "tokens"])],
        outputs=[helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [1, width])],
        initializer=[
            numpy_helper.from_array(np.array(embeddings, dtype=np.float32), "rows"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "axes"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def create_table(client: "DynamoDBClient", spec: TableSpec) -> None:
    """Create a table from its specification, as CDK does."""

    def keys(partition_key: str, sort_key: str | None) -> list[Any]:
        ranges = [{"AttributeName": sort_key, "KeyType": "RANGE"}] if sort_key else []
        return [{"AttributeName": partition_key, "KeyType": "HASH"}, *ranges]

    indexes: list[Any] = [
        {
            "IndexName": index.name,
            "KeySchema": keys(index.partition_key, index.sort_key),
            "Projection": {"ProjectionType": index.projection}
            | ({"NonKeyAttributes": list(index.attributes)} if index.attributes else {}),
        }
        for index in spec.indexes
    ]
    options: dict[str, Any] = {"GlobalSecondaryIndexes": indexes} if indexes else {}
    client.create_table(
        TableName=spec.name,
        KeySchema=keys(spec.partition_key, spec.sort_key),
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in sorted(spec.keys)],
        BillingMode="PAY_PER_REQUEST",
        **options,
    )
