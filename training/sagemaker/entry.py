"""The container's entry point: trains on the export of the channel and writes bundles, or the reason of a failure."""

import json
import shutil
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from training.data.complaint_files import ExportError
from training.model.encoder import EncoderError
from training.recipe import Recipe
from training.sagemaker.contract import FAILURE, Container, ContractError, metric_lines, read_container, recipe_of
from triage.bundle import MANIFEST_FILE, Manifest, describe
from triage.errors import TriageError

SUMMARY_FILE = "training.json"

REASON_CHARACTERS = 1024
"""SageMaker shows only the first characters of a failure."""

QUIET = (ContractError, EncoderError, ExportError, TriageError)
"""Errors whose messages never quote a narrative. Of any other error, only its type and place are written."""

OnProgress = Callable[[str, float], None]


def train(variables: Mapping[str, str], *, root: Path) -> int:
    """Train and return the exit code. The reason of a failure is written below `root`, where SageMaker reads it."""
    try:
        manifests = train_in(read_container(variables, root=root), on_progress=_Tenths())
    except Exception as error:
        _write(root / FAILURE, reason(error))
        print(reason(error), file=sys.stderr)
        return 1
    for task, manifest in manifests.items():
        print(*metric_lines(task, manifest.metrics), sep="\n")
    return 0


def train_in(container: Container, *, on_progress: OnProgress) -> Mapping[str, Manifest]:
    """Write the bundles to the model folder and a summary to the output folder, and return the manifests by task.

    Raises:
        ContractError: the hyperparameters or the channel are wrong.
        ExportError: the export cannot be read.
        EncoderError: the encoder is missing or has other weights.
        ValueError: the data do not fit the recipe.
    """
    recipe, export = recipe_of(container.hyperparameters), container.export()
    container.checkpoints.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as work:
        trained = Path(work, "trained")
        fit(recipe, export, output=trained, checkpoints=container.checkpoints, on_progress=on_progress)
        # Copied, because SageMaker may have mounted the model folder, which then cannot be replaced.
        shutil.copytree(trained, container.model_dir, dirs_exist_ok=True)
    manifests = bundles(container.model_dir)
    summary = {
        "recipe": recipe.model_dump(mode="json"),
        "gpus": container.gpus,
        "metrics": {task: dict(manifest.metrics) for task, manifest in manifests.items()},
    }
    _write(container.output_data_dir / SUMMARY_FILE, json.dumps(summary, indent=2))
    return manifests


def fit(recipe: Recipe, export: Path, *, output: Path, checkpoints: Path, on_progress: OnProgress) -> None:
    """Train on an export and write the bundles to `output`; an interrupted job continues from `checkpoints`."""
    # Imported here, because torch takes seconds and a wrong hyperparameter should be reported at once.
    from training.data.dataset import load_labelled
    from training.evaluation.held_back import part, prepared_from
    from training.pipeline import train_models

    data = load_labelled(export)
    prepared = prepared_from(recipe, data, part(data, "none").learn)
    train_models(recipe, output=output, prepared=prepared, checkpoints=checkpoints, on_progress=on_progress)


def bundles(folder: Path) -> Mapping[str, Manifest]:
    """Return the manifest of every bundle below a folder, by task."""
    found = (describe(path.parent) for path in sorted(folder.rglob(MANIFEST_FILE)))
    return {manifest.task or manifest.recipe or "model": manifest for manifest in found}


def reason(error: Exception) -> str:
    if isinstance(error, QUIET):
        return f"{type(error).__name__}: {error}"[:REASON_CHARACTERS]
    # The message might quote a narrative; lines of source code cannot.
    frames = "".join(traceback.format_tb(error.__traceback__)[-4:])
    return f"{type(error).__name__}, raised at\n{frames}"[:REASON_CHARACTERS]


class _Tenths:
    """Prints a line for each tenth of a step, because the log of a job is kept and read afterwards."""

    def __init__(self) -> None:
        self._printed: dict[str, int] = {}

    def __call__(self, step: str, done: float) -> None:
        tenth = int(done * 10)
        if tenth > self._printed.get(step, -1):
            self._printed[step] = tenth
            print(f"[progress] {step} {tenth * 10} %", flush=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
