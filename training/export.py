"""From a trained model to a bundle: ONNX, int8 where it is as good, calibration, manifest and model card."""

import logging
import shutil
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from huggingface_hub import EvalResult, ModelCardData
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from sklearn.metrics import average_precision_score, f1_score
from torch import Tensor, nn
from torch.export import Dim
from transformers import BertForSequenceClassification

from training.prepare import Prepared
from training.recipe import Recipe
from training.thresholds import Booleans, Floats, Integers, choose, confidence_of_answers, flag_threshold, probabilities
from training.train import THREADS, Progress, quiet
from triage.bundle import MANIFEST_FILE, Manifest, Thresholds, hash_files
from triage.inference.engine import load_engine
from triage.taxonomy import load_taxonomy

ONNX_FILE = "model.onnx"

CARD_FILE = "README.md"

INT8_MAY_COST = 0.005
"""Accuracy on the validation part. A model that loses more in int8 is served in float32, four times as large."""

RECALLS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""At which the price in precision is reported."""

TASKS_OF_THE_TAXONOMY = ("product", "issue")


@dataclass(frozen=True)
class Parity:
    """What int8 changes on the validation part.

    agreement: share of texts with the same most probable label. probability_difference: the largest of any label.
    accuracy_change: of int8 over float32.
    """

    agreement: float
    probability_difference: float
    accuracy_change: float


def export(folder: Path, prepared: Prepared, recipe: Recipe, *, workspace: Path, progress: Progress) -> Manifest:
    """Complete the bundle in `folder`, which holds a saved model and its tokenizer.

    workspace: an empty folder for the candidates, to be deleted afterwards.
    """
    full, small = _candidate(workspace / "float32", folder), _candidate(workspace / "int8", folder)
    export_onnx(folder, full / ONNX_FILE, max_length=recipe.max_length)
    progress(0.4)
    quantise(full / ONNX_FILE, small / ONNX_FILE, workspace=workspace)
    progress(0.6)
    texts = [example.text for example in prepared.validation]
    truth = np.array([prepared.labels.index(example.label) for example in prepared.validation])
    exact = serve(full, texts, prepared.labels, recipe, lambda done: progress(0.6 + 0.3 * done))
    quantised = serve(small, texts, prepared.labels, recipe, lambda done: progress(0.9 + 0.1 * done))
    parity = compare(exact, quantised, truth)
    chosen, logits = (small, quantised) if parity.accuracy_change >= -INT8_MAY_COST else (full, exact)
    (chosen / ONNX_FILE).rename(folder / ONNX_FILE)
    return describe_run(folder, prepared, recipe, logits=logits, truth=truth, parity=parity)


def _candidate(candidate: Path, folder: Path) -> Path:
    """A folder with the tokenizer, for a graph that may become the bundle's."""
    candidate.mkdir()
    shutil.copy(folder / "tokenizer.json", candidate)
    return candidate


class Logits(nn.Module):
    """The classifier as a graph: `input_ids` and `attention_mask` in, logits out."""

    def __init__(self, model: BertForSequenceClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def export_onnx(folder: Path, target: Path, *, max_length: int) -> None:
    """Write the saved model as one float32 graph with dynamic batch and sequence.

    Attention is exported as plain matrix products: the fused one costs a quarter of int8's speed.
    """
    with quiet():
        model = BertForSequenceClassification.from_pretrained(folder, attn_implementation="eager")
    example = torch.ones((2, 8), dtype=torch.long)
    sizes = {0: Dim("batch"), 1: Dim("sequence", max=max_length)}
    with _quiet_export():
        torch.onnx.export(
            Logits(model).eval(),
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


def serve(
    folder: Path, texts: Sequence[str], labels: tuple[str, ...], recipe: Recipe, progress: Progress = lambda _: None
) -> Floats:
    """Logits of shape (n, labels) for cleaned texts, from the very engine that serves, one text at a time."""
    manifest = Manifest(
        engine="onnx", weights=ONNX_FILE, labels=labels, max_length=recipe.max_length, files=hash_files(folder)
    )
    engine = load_engine(folder, manifest)
    rows = []
    with ThreadPoolExecutor(THREADS) as pool:
        for count, scores in enumerate(pool.map(engine.score, texts), start=1):
            rows.append(scores.logits)
            progress(count / len(texts))
    return np.array(rows)


def compare(exact: Floats, quantised: Floats, truth: Integers) -> Parity:
    """Logits of shape (n, labels) from both graphs, and the true labels of shape (n,)."""
    difference = np.abs(probabilities(exact, 1.0) - probabilities(quantised, 1.0)).max()
    right = [float((logits.argmax(axis=1) == truth).mean()) for logits in (exact, quantised)]
    return Parity(
        agreement=float((exact.argmax(axis=1) == quantised.argmax(axis=1)).mean()),
        probability_difference=float(difference),
        accuracy_change=right[1] - right[0],
    )


def describe_run(
    folder: Path, prepared: Prepared, recipe: Recipe, *, logits: Floats, truth: Integers, parity: Parity
) -> Manifest:
    """Write `triage.json` and the model card beside the weights."""
    calibration, thresholds = choose(logits, truth, labels=prepared.labels, recipe=recipe)
    probability = probabilities(logits, calibration.temperature)
    metrics = {
        **measure(probability, truth, labels=prepared.labels, recipe=recipe, thresholds=thresholds),
        **{f"parity_{name}": value for name, value in asdict(parity).items()},
        "train_examples": float(len(prepared.train)),
        "validation_examples": float(len(prepared.validation)),
    }
    manifest = Manifest(
        task=recipe.task,
        engine="onnx",
        weights=ONNX_FILE,
        labels=prepared.labels,
        positive_label=recipe.positive_label,
        max_length=recipe.max_length,
        files=hash_files(folder),
        calibration=calibration,
        thresholds=thresholds,
        taxonomy_version=load_taxonomy().version if recipe.task in TASKS_OF_THE_TAXONOMY else None,
        data_fingerprint=prepared.fingerprint,
        recipe=recipe.reference,
        metrics=metrics,
    )
    (folder / MANIFEST_FILE).write_bytes(manifest.document())
    (folder / CARD_FILE).write_text(model_card(manifest, recipe), encoding="utf-8")
    return manifest


def measure(
    probability: Floats, truth: Integers, *, labels: tuple[str, ...], recipe: Recipe, thresholds: Thresholds
) -> dict[str, float]:
    """What the answers are worth, for calibrated probabilities of shape (n, labels) and the truth of shape (n,).

    constant_accuracy: of always giving the most common label. auto_coverage: share that no person sees.
    """
    positive = labels.index(recipe.positive_label) if recipe.positive_label is not None else None
    given, confidence = confidence_of_answers(probability, positive=positive, flag=thresholds.flag)
    right = given == truth
    alone = confidence >= thresholds.auto if thresholds.auto is not None else np.zeros_like(right)
    metrics = {
        "accuracy": right.mean(),
        "constant_accuracy": np.bincount(truth).max() / len(truth),
        "macro_f1": f1_score(truth, given, average="macro", zero_division=0.0),
        "calibration_error": calibration_error(confidence, right),
        "auto_coverage": alone.mean(),
    }
    if alone.any():
        metrics["auto_accuracy"] = right[alone].mean()
    if positive is not None:
        found, flagged = truth == positive, given == positive
        metrics["recall"] = flagged[found].mean()
        metrics["precision"] = found[flagged].mean()
        metrics["flagged"] = flagged.mean()
        metrics["average_precision"] = average_precision_score(found, probability[:, positive])
        metrics |= precision_curve(probability[:, positive], found)
    return {name: float(value) for name, value in metrics.items()}


def precision_curve(probability: Floats, found: Booleans) -> dict[str, Any]:
    """What each recall costs: text does not show every vulnerability, so beyond some recall flags are chance."""
    flags = {recall: flag_threshold(probability, found, target_recall=recall) for recall in RECALLS}
    return {f"precision_at_recall_{recall}": found[probability >= flag].mean() for recall, flag in flags.items()}


def calibration_error(confidence: Floats, right: Booleans, *, bins: int = 10) -> float:
    """Expected calibration error: by how much confidence and accuracy differ, over bins of equal width."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(float(confidence[place == bin_].sum() - right[place == bin_].sum())) for bin_ in range(bins)]
    return sum(gaps) / len(confidence)


def model_card(manifest: Manifest, recipe: Recipe) -> str:
    """The card that the Hub shows, made from the run alone."""
    return f"""---
{_card_data(manifest, recipe).to_yaml()}
---

# {recipe.name}

Gives the **{recipe.task}** of a complaint to a bank: {len(manifest.labels)} labels. Its lowest {recipe.frozen_layers}
layers are those of `{recipe.encoder}`, the others were trained. `model.onnx` is what serves, `model.safetensors` the
same model in float32 for `transformers`; `triage.json` holds the labels, the calibration, the thresholds and the
hashes of all files.

## Use

Only behind a person: a prediction below the automatic threshold is reviewed, a sample of the others is audited, and a
prediction of vulnerability may only ever add protection. The text is read up to {recipe.max_length} tokens.

| | |
|---|---|
| temperature | {manifest.calibration.temperature:.3f} |
| automatic from | {_or_never(manifest.thresholds.auto)} |
| flagged from | {_or_never(manifest.thresholds.flag)} |

## Figures

On {manifest.metrics["validation_examples"]:.0f} complaints that were not trained on, but that chose checkpoint,
calibration and thresholds, and measured on the file that serves. Generated complaints are easier than real ones:
figures on real complaints are lower.

| measure | value |
|---|---|
{_table(manifest.metrics)}

## Origin

Recipe `{manifest.recipe}`, data sha256 `{manifest.data_fingerprint}`,
taxonomy {manifest.taxonomy_version or "not used"}.

```json
{recipe.model_dump_json(indent=2)}
```
"""


def _card_data(manifest: Manifest, recipe: Recipe) -> ModelCardData:
    names = ("accuracy", "macro_f1", *(("recall", "precision") if recipe.positive_label else ()))
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type="complaints",
            dataset_name=f"complaints with sha256 {manifest.data_fingerprint}",
            dataset_split="validation",
            metric_type="f1" if name == "macro_f1" else name,
            metric_name=name,
            metric_value=round(manifest.metrics[name], 4),
        )
        for name in names
    ]
    return ModelCardData(
        language="en",
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag="text-classification",
        base_model="sentence-transformers/all-MiniLM-L6-v2" if "==" in recipe.encoder else recipe.encoder.split("@")[0],
        tags=["complaints", recipe.task, "onnx"],
        model_name=recipe.name,
        eval_results=results,
    )


def _table(metrics: dict[str, float]) -> str:
    return "\n".join(f"| {name.replace('_', ' ')} | {value:.4g} |" for name, value in sorted(metrics.items()))


def _or_never(threshold: float | None) -> str:
    return "never" if threshold is None else f"{threshold:.3f}"
