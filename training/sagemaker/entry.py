"""The container's entry point: from hyperparameters and one channel to a bundle, or to a reason."""

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
from training.sagemaker.contract import FAILURE, Container, ContractError, read_container
from training.sagemaker.hyperparameters import recipe_of
from training.sagemaker.metrics import metric_lines
from triage.bundle import MANIFEST_FILE, Manifest, describe
from triage.errors import TriageError

SUMMARY_FILE = "training.json"

REASON_CHARACTERS = 1024
"""SageMaker shows the beginning of a failure."""

QUIET = (ContractError, EncoderError, ExportError, TriageError)
"""Errors whose messages never quote a narrative. Of any other, name and place are told and the message is not."""

OnProgress = Callable[[str, float], None]


def train(variables: Mapping[str, str], *, root: Path) -> int:
    """Train as the container is told; the exit code. A failure is written below `root`, where SageMaker reads it."""
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
    """Fill the model folder with the bundles, and the output folder with a summary of the run; manifests by task.

    Raises:
        ContractError, ExportError, EncoderError, ValueError: as the reason says.
    """
    recipe, export = recipe_of(container.hyperparameters), container.export()
    container.checkpoints.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as work:
        trained = Path(work, "trained")
        fit(recipe, export, output=trained, checkpoints=container.checkpoints, on_progress=on_progress)
        # Copied, not moved: SageMaker may have mounted the model folder, which can then not be replaced.
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
    """Train on an export into `output`. The only place that knows how the pipeline is called.

    checkpoints: a job that was interrupted goes on from the last one.
    """
    # Only now: torch takes seconds to import, and a wrong hyperparameter should be told at once.
    from training.data.dataset import load_labelled
    from training.evaluation.held_back import part, prepared_from
    from training.pipeline import train_models

    data = load_labelled(export)
    prepared = prepared_from(recipe, data, part(data, "none").learn)
    train_models(recipe, output=output, prepared=prepared, checkpoints=checkpoints, on_progress=on_progress)


def bundles(folder: Path) -> Mapping[str, Manifest]:
    """Every bundle below a folder, by its task."""
    found = (describe(path.parent) for path in sorted(folder.rglob(MANIFEST_FILE)))
    return {manifest.task or manifest.recipe or "model": manifest for manifest in found}


def reason(error: Exception) -> str:
    if isinstance(error, QUIET):
        return f"{type(error).__name__}: {error}"[:REASON_CHARACTERS]
    # Lines of source hold no values; the message might.
    frames = "".join(traceback.format_tb(error.__traceback__)[-4:])
    return f"{type(error).__name__}, raised at\n{frames}"[:REASON_CHARACTERS]


class _Tenths:
    """Prints a step's progress at each tenth: a job's log is read afterwards, and kept."""

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
