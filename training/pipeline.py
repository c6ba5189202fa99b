"""The whole procedure: prepare, train, export. Publication is a step of its own."""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tokenizers import Tokenizer

from training.bundle.current import is_current
from training.bundle.export import Exporter
from training.data.prepare import Prepared, prepare
from training.model.classifiers import Trained
from training.model.encoder import locate
from training.model.encoding import Progress
from training.model.fine_tune import fine_tune
from training.model.wide import WidePart, features_of, fit, learn_vocabulary, read
from training.recipe import Recipe
from triage.bundle import MANIFEST_FILE

STEPS = ("prepare", "train", "export")

LAYOUT = 2
"""Of a checkpoint: a run does not go on from one whose parameters have other names."""

REPORTS = "reports"
"""The folder beside the bundles in which evaluations stand."""

OnProgress = Callable[[str, float], None]
"""Told the step, one of `STEPS`, and the share of it that is done, 0 to 1."""

Bundles = Mapping[str, Path]
"""The folder of each task's bundle."""


def train_models(
    recipe: Recipe,
    *,
    output: Path,
    prepared: Prepared | None = None,
    checkpoints: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Bundles:
    """Train a model for each task of the recipe, into bundle folders `output/TASK`.

    Bundles of the same recipe and data that are intact are kept; any other content of `output` is replaced, at the
    end and at once.

    prepared: the data, by default the complaints that the recipe has generated.
    checkpoints: a folder from which a run of this recipe and these data goes on that was cut off; without one it starts
        again. Other runs may use the same folder.

    Raises:
        EncoderError: the encoder is missing, or not the one that is known.
        ExportFailedError: a graph does not compute what its parts do.
        ValueError: the data or the encoder do not fit the recipe, or `output` holds anything but what a run leaves.
    """
    output = output.resolve()
    _require_replaceable(output)
    report = on_progress or (lambda step, done: None)
    prepared = prepare(recipe) if prepared is None else prepared
    report("prepare", 1.0)
    if all(is_current(output / task, recipe, prepared) for task in recipe.tasks):
        report("export", 1.0)
        return {task: output / task for task in recipe.tasks}
    output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as temporary:
        workspace = Path(temporary)
        trained = fine_tune(
            prepared,
            recipe,
            encoder=locate(recipe.encoder),
            # A checkpoint of other data may have seen what this run keeps back.
            checkpoints=(checkpoints or workspace) / f"{LAYOUT}-{recipe.sha256[:16]}-{prepared.fingerprint[:16]}",
            progress=partial(report, "train"),
        )
        _export(trained, prepared, recipe, workspace, partial(report, "export"))
        _replace(output, workspace / "bundles")
    return {task: output / task for task in recipe.tasks}


def _export(trained: Trained, prepared: Prepared, recipe: Recipe, workspace: Path, progress: Progress) -> None:
    for number, task in enumerate(recipe.tasks):
        bundle = workspace / "bundles" / task
        trained.save(task, bundle)
        exporter = Exporter(
            task=task,
            labels=prepared.labels[task],
            recipe=recipe,
            mean=trained.means.get(task),
            wide=wide_part(bundle, task, prepared, recipe),
            workspace=workspace / "candidates" / task,
        )
        exporter.export(bundle, prepared, _within(progress, number, of=len(recipe.tasks)))


def _within(progress: Progress, number: int, *, of: int) -> Progress:
    """Progress of one of several equal parts."""
    return lambda done: progress((number + done) / of)


def wide_part(bundle: Path, task: str, prepared: Prepared, recipe: Recipe) -> WidePart | None:
    """Fit on the training part what the recipe wants beside the encoder."""
    if recipe.wide is None:
        return None
    places = {label: place for place, label in enumerate(prepared.labels[task])}
    known = [example for example in prepared.train if example.labels.get(task) in places]
    tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))
    texts = read(tokenizer, [example.text for example in known], length=recipe.wide.length)
    vocabulary = learn_vocabulary(texts, recipe.wide)
    labels = np.array([places[example.labels[task]] for example in known])
    return fit(
        features_of(texts, vocabulary),
        labels,
        vocabulary=vocabulary,
        aim=recipe.tasks[task],
        recipe=recipe.wide,
        seed=recipe.seed,
    )


def _require_replaceable(output: Path) -> None:
    """What stands there is deleted in the end, so it must be bundles and their reports, and nothing of anybody's."""
    if output == Path.cwd():
        raise ValueError(f"{output} is the current folder, which cannot be replaced: give a folder of its own")
    for found in output.iterdir() if output.is_dir() else ():
        ours = _are_reports(found) if found.name == REPORTS else (found / MANIFEST_FILE).is_file()
        if not ours:
            raise ValueError(f"{output} is replaced, and holds {found.name}: give a folder of its own")


def _are_reports(folder: Path) -> bool:
    """Of each task its evaluation, and nothing else."""
    # Only now: it draws pictures, and few runs replace reports.
    from training.evaluation.report import CARD, DATA, PAGE

    files = [path for path in folder.rglob("*") if not path.is_dir()]
    return folder.is_dir() and all(path.parent.parent == folder and path.name in (PAGE, DATA, CARD) for path in files)


def _replace(output: Path, bundles: Path) -> None:
    if output.exists():
        shutil.rmtree(output)
    bundles.replace(output)
