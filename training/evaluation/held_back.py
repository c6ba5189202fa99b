"""Chooses the rows of an export that a run does not learn from, and measures the run on them."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from training.bundle.card import state_figures
from training.bundle.folder import REPORTS
from training.bundle.seen import load_seen
from training.data.dataset import LabelledData
from training.data.prepare import Example, Prepared, examples_of, prepare, require_validated
from training.data.splits import Indices, grouped_split, latest, latest_groups, some_groups, time_split
from training.evaluation.baseline import Step, training_part
from training.evaluation.evaluation import Evaluation, beside_baselines, evaluate, with_own_curve
from training.evaluation.learning import Point, doubling_sizes, followed
from training.evaluation.measures import figures
from training.evaluation.predictions import NothingToEvaluateError, labelled_places, predict
from training.evaluation.report import card_section, write_report
from training.pipeline import Bundles, OnProgress, train_models
from training.recipe import Recipe
from triage.bundle import describe
from triage.inference.engine import load_engine

Keep = Literal["none", "grouped", "time"]
"""What to keep back. grouped: whole near-duplicate groups at random. time: the latest rows. none: nothing."""

SHARE = 0.2
"""Share of the rows that is kept back."""

SEED = 7
"""Chooses the groups that are kept back; it is the same for every recipe, so that figures can be compared."""


@dataclass(frozen=True)
class Parts:
    """Places of rows, ascending. test: the rows that are kept back, empty if there are none."""

    learn: Indices
    test: Indices


def part(
    data: LabelledData, keep: Keep, *, share: float = SHARE, seed: int = SEED, test_from: date | None = None
) -> Parts:
    """Keep back `share` of the rows, or with `time` those received since `test_from`.

    Raises:
        ValueError: a part would be empty.
    """
    if keep == "none":
        return Parts(np.arange(len(data.rows)), np.arange(0))
    if keep == "grouped":
        split = grouped_split(data.groups, test=share, seed=seed)
    else:
        received = [row.received for row in data.rows]
        split = time_split(received, data.groups, test_from=test_from or latest(received, share=share))
    return Parts(np.sort(np.concatenate([split.train, split.validation])), split.test)


def prepared_from(recipe: Recipe, data: LabelledData, rows: Indices) -> Prepared:
    """Prepare these rows for training.

    Raises:
        ValueError: a task has fewer than two labels, or nothing to learn from or to validate on.
    """
    prepared = _prepared(recipe, data.at(rows), source=data.fingerprint)
    require_validated(prepared, recipe)
    return prepared


def _prepared(recipe: Recipe, data: LabelledData, *, source: str) -> Prepared:
    if recipe.validate_on == "random":
        return prepare(recipe, _examples(recipe, data), source=source)
    late = latest_groups([row.received for row in data.rows], data.groups, share=recipe.validation)
    if late.all():
        raise ValueError(
            "all complaints were received on one day, so none is left to learn from: use --validate-on random"
        )
    earlier, later = (_examples(recipe, data.at(np.flatnonzero(part))) for part in (~late, late))
    return prepare(recipe, earlier, validation=later, source=source)


def _examples(recipe: Recipe, data: LabelledData) -> list[Example]:
    return examples_of(data.rows, tasks=recipe.learnt, groups=[int(group) for group in data.groups])


def measure(
    bundles: Bundles,
    data: LabelledData,
    parts: Parts,
    *,
    folder: Path,
    step: Step,
    points: Mapping[str, Sequence[Point]] | None = None,
) -> Mapping[str, Evaluation]:
    """Measure every bundle on the test part, beside the baselines; a task without labels there is left out.

    The report is written to `folder/reports/TASK`, and the figures are written into the model card.

    points: for each task, the figures of the recipe on fewer examples, for the learning curve of the model.
    """
    evaluations = {}
    for task, bundle in bundles.items():
        try:
            evaluation = _measured(task, bundle, data, parts, step, (points or {}).get(task))
        except NothingToEvaluateError as error:
            step(f"Not measuring {task}: {error}")
            continue
        write_report(evaluation, folder / REPORTS / task)
        state_figures(bundle, card_section(evaluation))
        evaluations[task] = evaluation
    return evaluations


def _measured(
    task: str, bundle: Path, data: LabelledData, parts: Parts, step: Step, points: Sequence[Point] | None
) -> Evaluation:
    manifest = describe(bundle)
    step(f"Predicting {task}")
    predictions = predict(load_engine(bundle, manifest), manifest, data.at(parts.test), task=task)
    step(f"Measuring {task}")
    seen = load_seen(bundle)
    evaluation = evaluate(predictions, manifest, data.at(parts.test), model=str(manifest.recipe), seen=seen)
    learnt = data.at(parts.learn)
    if points is not None:
        examples = len(labelled_places(learnt, task=task))
        evaluation = with_own_curve(evaluation, points, examples=examples, positive=predictions.judged.positive)
    part_to_learn = training_part(predictions, learnt)
    return beside_baselines(evaluation, predictions, part_to_learn, step=lambda name: step(f"{name}, {task}"))


def points_of_fewer(
    recipe: Recipe,
    data: LabelledData,
    parts: Parts,
    *,
    begin: Callable[[int], OnProgress],
    checkpoints: Path | None = None,
) -> Mapping[str, Sequence[Point]]:
    """Train the recipe on half of the examples, a quarter and so on, and measure each run on the test part.

    Returns the points of each task, ascending. A number of examples that is too small for the recipe is left out.

    begin: called with the number of complaints that the next run learns from; returns the callback for its progress.
    """
    points = defaultdict(list)
    for size in doubling_sizes(len(parts.learn))[:-1]:
        rows = parts.learn[some_groups(data.groups[parts.learn], rows=size, seed=SEED)]
        try:
            prepared = prepared_from(recipe, data, rows)
        except ValueError:
            continue
        with TemporaryDirectory() as workspace:
            bundles = train_models(
                recipe,
                output=Path(workspace) / "models",
                prepared=prepared,
                checkpoints=checkpoints,
                on_progress=begin(len(rows)),
            )
            for task, bundle in bundles.items():
                with suppress(NothingToEvaluateError):
                    points[task].append(_point(task, bundle, data, learnt=rows, test=parts.test))
    return points


def _point(task: str, bundle: Path, data: LabelledData, *, learnt: Indices, test: Indices) -> Point:
    manifest = describe(bundle)
    judged = predict(load_engine(bundle, manifest), manifest, data.at(test), task=task).judged
    # No positive examples: the score is 0.
    value = figures(judged)[followed(judged.positive)] or 0.0
    return Point(len(labelled_places(data.at(learnt), task=task)), value)
