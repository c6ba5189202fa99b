"""Which rows of an export a run learns from, and which are kept back to measure it on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np

from training.bundle.card import state_figures
from training.bundle.seen import load_seen
from training.data.dataset import LabelledData
from training.data.prepare import Example, Prepared, examples_of, prepare, require_validated
from training.data.splits import Indices, grouped_split, latest, latest_groups, time_split
from training.evaluation.baseline_comparison import Step, training_part
from training.evaluation.evaluation import Evaluation, beside_baselines, evaluate, with_own_curve
from training.evaluation.learning import Point
from training.evaluation.predictions import NothingToEvaluateError, labelled_places, predict
from training.evaluation.report import card_section, write_report
from training.pipeline import REPORTS, Bundles
from training.recipe import Recipe
from triage.bundle import describe
from triage.inference.engine import load_engine

Keep = Literal["none", "grouped", "time"]
"""grouped: whole near-duplicate groups at random. time: the latest rows, after a gap. none: learn from everything."""

SHARE = 0.2
"""Of the rows that are kept back."""

SEED = 7
"""Of the groups that are kept back: of every recipe the same, so that figures can be compared."""


@dataclass(frozen=True)
class Parts:
    """Places of rows, ascending; `test` is empty where nothing is kept back."""

    learn: Indices
    test: Indices


def part(
    data: LabelledData, keep: Keep, *, share: float = SHARE, seed: int = SEED, test_from: date | None = None
) -> Parts:
    """`share` of the rows, or with `time` those since `test_from`.

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
    """Raises ValueError: a task has fewer than two labels, or nothing to learn from or to validate on."""
    prepared = _prepared(recipe, data.at(rows), source=data.fingerprint)
    require_validated(prepared, recipe)
    return prepared


def _prepared(recipe: Recipe, data: LabelledData, *, source: str) -> Prepared:
    if recipe.validate_on == "random":
        return prepare(recipe, _examples(recipe, data), source=source)
    late = latest_groups([row.received for row in data.rows], data.groups, share=recipe.validation)
    if late.all():
        raise ValueError("all complaints came on one day, so none would be learnt from: validate on random groups")
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
    """Measure every bundle on the test part beside the baselines, unless that has no label for its task.

    Its report is `folder/reports/TASK`, and its figures go into its model card.

    points: of each task, what the recipe reached on fewer examples, for the model's own learning curve.
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
    return beside_baselines(evaluation, predictions, part_to_learn, step=lambda said: step(f"{said}, {task}"))
