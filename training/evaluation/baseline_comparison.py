"""The baselines beside a model: trained on another export, asked about the very complaints that the model was asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from training.bundle.thresholds import Integers
from training.data.dataset import LabelledData
from training.data.groups import near_duplicate_groups
from training.evaluation.baseline import Examples, judged_baselines
from training.evaluation.learning import LearningCurve, doubling_sizes, followed, learning_curve
from training.evaluation.measures import figures
from training.evaluation.predictions import NothingToEvaluateError, Predictions
from training.evaluation.scored_answers import Judged

VALIDATION = 0.1
"""Share of the groups that calibrates the baseline and chooses its thresholds."""

LINEAR = "TF-IDF + linear"

Step = Callable[[str], None]
"""Told what is being done."""


@dataclass(frozen=True)
class TrainingPart:
    """groups: of near-duplicates, one for each example. dropped: rows that resemble a complaint of the evaluation."""

    examples: Examples
    groups: Integers
    dropped: int

    def first(self, size: int) -> Examples:
        return Examples(self.examples.texts[:size], self.examples.labels[:size])


def training_part(predictions: Predictions, data: LabelledData, *, seed: int = 0) -> TrainingPart:
    """The rows to train baselines on, whole groups in random order.

    Both files are grouped together, and a row whose group also occurs among the predictions is dropped: a model that
    has read a copy of the letter has been told the answer.

    Raises:
        NothingToEvaluateError: nothing with a label is left.
    """
    labelled = [(row, label) for row in data.rows if (label := row.label(predictions.task)) is not None]
    texts = [row.narrative for row in predictions.rows]
    groups = near_duplicate_groups([*texts, *(row.narrative for row, _ in labelled)])
    asked, offered = groups[: len(texts)], groups[len(texts) :]
    free = np.flatnonzero(~np.isin(offered, asked))
    if not len(free):
        raise NothingToEvaluateError(f"each of the {len(labelled)} rows to train on resembles an evaluated complaint")
    rank = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    order = free[np.argsort(rank[offered[free]], kind="stable")]
    examples = Examples([labelled[place][0].narrative for place in order], [labelled[place][1] for place in order])
    return TrainingPart(examples=examples, groups=offered[order], dropped=len(labelled) - len(free))


def baselines_beside(predictions: Predictions, part: TrainingPart) -> Mapping[str, Judged]:
    """Raises ValueError: the part has one label only."""
    return _judged(predictions, part.examples, part.groups)


def baseline_curve(predictions: Predictions, part: TrainingPart, *, step: Step = lambda _: None) -> LearningCurve:
    """Of the linear baseline on the evaluated complaints, by the number of examples."""
    measure = followed(predictions.judged.positive)

    def score(size: int) -> float:
        step(f"Learning curve, {size:,} examples")
        judged = _judged(predictions, part.first(size), part.groups[:size])[LINEAR]
        # Without a positive there is nothing to find, and nothing is found.
        return figures(judged)[measure] or 0.0

    return learning_curve(doubling_sizes(len(part.examples.texts)), score, measure=measure)


def _judged(predictions: Predictions, examples: Examples, groups: Integers) -> Mapping[str, Judged]:
    """The last groups in the order of the part calibrate, the others are learnt from."""
    _, first, numbered = np.unique(groups, return_index=True, return_inverse=True)
    validated = np.argsort(np.argsort(first))[numbered] >= len(first) * (1 - VALIDATION)
    train, validation = (_at(examples, np.flatnonzero(rows)) for rows in (~validated, validated))
    test = Examples([row.narrative for row in predictions.rows], predictions.judged.truth.tolist())
    return judged_baselines(train, validation, test, positive=predictions.judged.positive)


def _at(examples: Examples, rows: Integers) -> Examples:
    return Examples([examples.texts[row] for row in rows], [examples.labels[row] for row in rows])
