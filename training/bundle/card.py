"""The model card that the Hub shows, made from manifest and recipe."""

from collections.abc import Iterable
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from training.bundle.hub import CARD_FILE
from training.recipe import Recipe
from triage.bundle import Manifest

VALIDATION_HEADING = "## On the validation part"

SEEN = "`seen.safetensors` holds digests of the texts that it was made from;"


def model_card(manifest: Manifest, recipe: Recipe) -> str:
    return f"""---
{_card_data(manifest, recipe).to_yaml()}
---

# {recipe.name}: {manifest.task}

Predicts the **{manifest.task}** of a complaint to a bank, one of {len(manifest.labels)} labels. Its lowest
{recipe.frozen_layers} layers are those of `{recipe.encoder}`; the others were trained for
{_and(recipe.tasks)} together.
{_parts(recipe)} `triage.json` holds the labels, the calibration, the thresholds and the hashes of all files.

## Use

Use it only together with people: they review every prediction below the automatic threshold and audit a sample of the
others, and a prediction of vulnerability may only add protection. The model reads up to {manifest.max_length} tokens of
a text, after redaction {manifest.redaction_version}.

| | |
|---|---|
| temperature | {manifest.calibration.temperature:.3f} |
| automatic from | {_or_never(manifest.thresholds.auto)} |
| flagged from | {_or_never(manifest.thresholds.flag)} |

{VALIDATION_HEADING}

Measured with the file that serves, on {manifest.metrics["validation_examples"]:.0f} complaints that were not trained on
but chose checkpoint, calibration and thresholds.{_of_generated(manifest)}

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


def state_figures(bundle: Path, section: str) -> None:
    """Insert the figures of an evaluation into the card, in place of earlier ones."""
    card = bundle / CARD_FILE
    before, heading, after = card.read_text(encoding="utf-8").partition(VALIDATION_HEADING)
    before = before.partition(section.partition("\n")[0])[0]
    card.write_text(f"{before}{section}\n{heading}{after}", encoding="utf-8")


def _card_data(manifest: Manifest, recipe: Recipe) -> ModelCardData:
    names = ("accuracy", "macro_f1", *(("recall", "precision") if manifest.positive_label else ()))
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
        tags=["complaints", str(manifest.task), "onnx"],
        model_name=f"{recipe.name}-{manifest.task}",
        eval_results=results,
    )


def _parts(recipe: Recipe) -> str:
    if recipe.wide is None:
        return f"`model.onnx` serves; `model.safetensors` is the same model in float32 for `transformers`.\n{SEEN}"
    return (
        "`model.onnx` serves: it holds the encoder, which reads a window of the text, and a small network on tokens\n"
        "and pairs of tokens. `model.safetensors` is the encoder alone in float32, `wide.safetensors` is the rest.\n"
        f"{SEEN}"
    )


def _of_generated(manifest: Manifest) -> str:
    if manifest.source_fingerprint is not None:
        return ""
    return " Generated complaints are easier than real ones:\nfigures on real complaints are lower."


def _and(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _table(metrics: dict[str, float]) -> str:
    return "\n".join(f"| {name.replace('_', ' ')} | {value:.4g} |" for name, value in sorted(metrics.items()))


def _or_never(threshold: float | None) -> str:
    return "never" if threshold is None else f"{threshold:.3f}"
