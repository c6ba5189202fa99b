"""A training run from top to bottom: prepare, fine-tune, and make a bundle for each task. Publication is separate.

For each task: fit the wide part, export the graph in float32 and int8, blend both parts, choose the graph that serves,
check it, calibrate it, and describe all of it in the manifest.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tokenizers import Tokenizer

from training.bundle.card import model_card
from training.bundle.folder import is_current, replace, require_replaceable
from training.bundle.graph import ENCODER_FILE, ONNX_FILE, assemble, export_onnx, quantise
from training.bundle.hub import CARD_FILE
from training.bundle.parity import compare
from training.bundle.seen import save_seen
from training.bundle.thresholds import Floats, Integers, choose, probabilities
from training.data.prepare import Prepared, prepare, task_examples
from training.evaluation.measures import figures, precision_at_recalls
from training.evaluation.scored_answers import Judged, logits
from training.model.classifiers import Trained
from training.model.encoder import locate
from training.model.fine_tune import fine_tune
from training.model.frozen_layers import Progress
from training.model.wide import ENCODER_ALONE, Layer, features_of, fit_blend, fit_wide, read, save
from training.recipe import Recipe
from triage.bundle import MANIFEST_FILE, WIDE_FILE, Manifest, hash_files
from triage.inference.engine import load_engine
from triage.redaction import REDACTION_VERSION
from triage.taxonomy import load_taxonomy

STEPS = ("prepare", "train", "export")

CHECKPOINT_LAYOUT = 2
"""Version of the parameter names in a checkpoint: a run cannot continue from a checkpoint with other names."""

TASKS_OF_THE_TAXONOMY = ("product", "issue")

CHECKED_TEXTS = 100
"""Validation texts on which the served graph is compared with the sum of its parts."""

TOLERANCE = 0.02
"""Largest difference of a logit in that comparison; the graph stores the wide part in half precision."""

OnProgress = Callable[[str, float], None]
"""Called with the step, one of `STEPS`, and the share of it that is done, 0 to 1."""

Bundles = Mapping[str, Path]
"""The folder of each task's bundle."""


class ExportFailedError(Exception):
    """The graph that would serve does not compute the sum of its parts."""


def train_models(
    recipe: Recipe,
    *,
    output: Path,
    prepared: Prepared | None = None,
    checkpoints: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Bundles:
    """Train a model for each task of the recipe and write the bundles to `output/TASK`.

    If `output` already holds intact bundles of the same recipe and data, they are kept. Otherwise its content is
    replaced as a whole after the run.

    prepared: the data; by default the generated complaints that the recipe asks for.
    checkpoints: a folder from which an interrupted run of the same recipe and data continues; without it, the run
        starts again. Several runs may share the folder.

    Raises:
        EncoderError: the encoder is not installed, or its weights are not the expected ones.
        ExportFailedError: a graph does not compute the sum of its parts.
        ValueError: the data or the encoder do not fit the recipe, or `output` holds files of another origin.
    """
    output = output.resolve()
    require_replaceable(output)
    report = on_progress or (lambda step, done: None)
    report("prepare", 0.0)
    prepared = prepare(recipe) if prepared is None else prepared
    report("prepare", 1.0)
    bundles = {task: output / task for task in recipe.tasks}
    if all(is_current(bundle, recipe, prepared) for bundle in bundles.values()):
        report("export", 1.0)
        return bundles
    output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as temporary:
        workspace = Path(temporary)
        # The data are part of the name: a checkpoint of other data may have seen what this run validates on.
        run = f"{CHECKPOINT_LAYOUT}-{recipe.sha256[:16]}-{prepared.fingerprint[:16]}"
        trained = fine_tune(
            prepared,
            recipe,
            encoder=locate(recipe.encoder),
            checkpoints=(checkpoints or workspace) / run,
            progress=partial(report, "train"),
        )
        for number, task in enumerate(recipe.tasks):
            make_bundle(
                task,
                trained,
                prepared,
                recipe,
                folder=workspace / "bundles" / task,
                workspace=workspace / "candidates" / task,
                progress=_part_of(partial(report, "export"), number, len(recipe.tasks)),
            )
        replace(output, workspace / "bundles")
    return bundles


def make_bundle(
    task: str,
    trained: Trained,
    prepared: Prepared,
    recipe: Recipe,
    *,
    folder: Path,
    workspace: Path,
    progress: Progress,
) -> None:
    """Write the bundle of one task to `folder`. workspace: a folder for intermediate files.

    Raises:
        ExportFailedError: the graph that would serve differs from the sum of its parts.
    """
    labels, mean = prepared.labels[task], trained.means.get(task)
    trained.save(task, folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    wide = None if recipe.wide is None else fit_wide(task, tokenizer, prepared, recipe, recipe.wide)
    validation = task_examples(prepared.validation, task, labels)

    # The encoder alone, in float32 and in int8, answers the validation part with the engine that serves.
    progress(0.1)
    full, small = workspace / "float32", workspace / "int8"
    for candidate in (full, small):
        candidate.mkdir(parents=True)
        shutil.copy(folder / "tokenizer.json", candidate)
    export_onnx(folder, full / ENCODER_FILE, max_length=recipe.max_length, mean=mean)
    quantise(full / ENCODER_FILE, small / ENCODER_FILE, workspace=workspace)
    progress(0.3)
    answers = []
    for number, candidate in enumerate((full, small)):
        assemble(candidate, wide, ENCODER_ALONE, window=recipe.max_length)
        part = _part_of(lambda done: progress(0.3 + 0.65 * done), number, 2)
        answers.append(served(candidate, validation.texts, labels=labels, recipe=recipe, progress=part))
    exact, quantised = answers

    # The encoder and the wide part are weighed such that their sum explains the validation part best.
    blend, apart = ENCODER_ALONE, {}
    if wide is not None:
        length = recipe.length
        scores = wide.scores(features_of(read(tokenizer, validation.texts, length=length), wide.vocabulary))
        blend = fit_blend(quantised, scores, validation.truth)
        apart = {
            "encoder_alone_accuracy": float((quantised.argmax(axis=1) == validation.truth).mean()),
            "wide_alone_accuracy": float((scores.argmax(axis=1) == validation.truth).mean()),
            "blend_deep": blend.deep,
            "blend_wide": blend.wide,
        }
        exact, quantised = blend.of(exact, scores), blend.of(quantised, scores)
        mean_layer = None if mean is None else Layer(mean.weight.detach().numpy().T, mean.bias.detach().numpy())
        save(wide, folder / WIDE_FILE, mean=mean_layer)

    # int8 serves unless it costs accuracy; whichever serves must compute the sum of its parts.
    parity = compare(exact, quantised, validation.truth, validation.groups)
    chosen, expected = (small, quantised) if parity.holds else (full, exact)
    assemble(chosen, wide, blend, window=recipe.max_length)
    checked = served(chosen, validation.texts[:CHECKED_TEXTS], labels=labels, recipe=recipe)
    difference = float(np.abs(checked - expected[:CHECKED_TEXTS]).max())
    if difference > TOLERANCE:
        raise ExportFailedError(
            f"the ONNX graph of {task} gives logits that differ by up to {difference:.3g} from those of encoder and "
            f"wide part together; {TOLERANCE} is allowed. Train again; if it fails again, choose another encoder"
        )
    (chosen / ONNX_FILE).rename(folder / ONNX_FILE)

    # Calibration, thresholds and metrics are those of the graph that serves.
    measured = {**apart, **{f"parity_{name}": value for name, value in asdict(parity).items()}}
    describe_run(folder, task, prepared, recipe, logits=expected, truth=validation.truth, more=measured)
    progress(1.0)


def served(
    candidate: Path,
    texts: Sequence[str],
    *,
    labels: tuple[str, ...],
    recipe: Recipe,
    progress: Progress = lambda done: None,
) -> Floats:
    """Return logits of shape (n, labels), computed by the engine that serves from the folder `candidate`."""
    manifest = Manifest(
        engine="onnx", weights=ONNX_FILE, labels=labels, max_length=recipe.length, files=hash_files(candidate)
    )
    engine = load_engine(candidate, manifest)
    return logits(engine, texts, labels=len(labels), on_scored=lambda scored: progress(scored / len(texts)))


def describe_run(
    folder: Path,
    task: str,
    prepared: Prepared,
    recipe: Recipe,
    *,
    logits: Floats,
    truth: Integers,
    more: Mapping[str, float],
) -> Manifest:
    """Write the digests of the texts, the manifest with the metrics and `more`, and the model card to the bundle."""
    labels, aim = prepared.labels[task], recipe.tasks[task]
    calibration, thresholds = choose(logits, truth, labels=labels, aim=aim)
    judged = Judged(
        labels=labels,
        probability=probabilities(logits, calibration.temperature),
        truth=np.array(labels)[truth],
        positive=aim.positive_label,
        thresholds=thresholds,
    )
    save_seen((example.text for example in (*prepared.train, *prepared.validation)), folder)
    manifest = Manifest(
        task=task,
        engine="onnx",
        weights=ONNX_FILE,
        labels=labels,
        label_counts=tuple(prepared.counts(task).values()),
        positive_label=aim.positive_label,
        max_length=recipe.length,
        files=hash_files(folder),
        calibration=calibration,
        thresholds=thresholds,
        taxonomy_version=load_taxonomy().version if task in TASKS_OF_THE_TAXONOMY else None,
        redaction_version=REDACTION_VERSION,
        data_fingerprint=prepared.fingerprint,
        source_fingerprint=prepared.source,
        recipe=recipe.reference,
        metrics={
            **{name: value for name, value in figures(judged).items() if value is not None},
            **{f"precision_at_recall_{recall}": value for recall, value in precision_at_recalls(judged).items()},
            **more,
            "train_examples": float(len(prepared.train)),
            "validation_examples": float(len(truth)),
        },
    )
    (folder / MANIFEST_FILE).write_bytes(manifest.document())
    (folder / CARD_FILE).write_text(model_card(manifest, recipe), encoding="utf-8")
    return manifest


def _part_of(progress: Progress, number: int, parts: int) -> Progress:
    """Return the progress of one of several equal parts of the work."""
    return lambda done: progress((number + done) / parts)
