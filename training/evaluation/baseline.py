"""Two baselines that a model has to beat: always the most frequent label, and TF-IDF with a linear classifier.

`python -m training.evaluation.baseline FILE` measures them on both splits of an export. An evaluation trains them on
another export and lets them answer the same complaints as the model.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from training.bundle.thresholds import (
    Floats,
    Integers,
    auto_threshold,
    fit_temperature,
    flag_threshold,
    probabilities,
)
from training.data.dataset import LabelledData, load_labelled
from training.data.groups import near_duplicate_groups
from training.data.splits import GAP, Split, grouped_split, latest, time_split
from training.evaluation.learning import LearningCurve, doubling_sizes, followed, learning_curve
from training.evaluation.measures import TARGET_ACCURACY, figures
from training.evaluation.predictions import NothingToEvaluateError, Predictions
from training.evaluation.scored_answers import Judged
from triage.bundle import Thresholds
from triage.tasks import TASKS

TARGET_RECALL = 0.6
"""Share of vulnerable customers that must be found: people find as many at first contact."""

MAX_FEATURES = 200_000
"""The most frequent words and pairs of words; bounds time and memory on an export of any size."""

CONSTANT, LINEAR = "constant", "TF-IDF + linear"

CALIBRATION_SHARE = 0.1
"""Share of the groups to learn from that calibrates the linear baseline and chooses its thresholds."""

Texts = Sequence[str]

Step = Callable[[str], None]
"""Called with the name of the step that begins."""


@dataclass(frozen=True)
class Examples:
    """Texts and labels of one part."""

    texts: list[str]
    labels: list[str]


def baselines(data: LabelledData, split: Split, *, task: str) -> Mapping[str, Judged]:
    """Train on `train`, calibrate on `validation`, and answer `test`; rows without a label are left out.

    Raises:
        ValueError: the training part has only one label.
    """
    train, validation, test = (examples(data, rows, task=task) for rows in (split.train, split.validation, split.test))
    return judged_baselines(train, validation, test, positive=TASKS[task].positive)


def judged_baselines(
    train: Examples, validation: Examples, test: Examples, *, positive: str | None
) -> Mapping[str, Judged]:
    """Raises ValueError: the training part has only one label."""
    labels, validated = label_space(train), len(validation.texts)
    probability = linear(train, validation, [*validation.texts, *test.texts])
    judged = partial(Judged, labels=tuple(labels), positive=positive)
    free = judged(probability=probability[:validated], truth=np.array(validation.labels))
    return {
        CONSTANT: judged(probability=constant(train, test.texts), truth=np.array(test.labels)),
        LINEAR: judged(probability=probability[validated:], truth=np.array(test.labels), thresholds=thresholds(free)),
    }


def thresholds(validation: Judged) -> Thresholds:
    """Choose thresholds for TARGET_ACCURACY and TARGET_RECALL, in the way that those of a model are chosen."""
    flag, place = None, validation.positive_place
    if place is not None and (validation.true == place).any():
        probability = validation.probability[:, place]
        flag = flag_threshold(probability, validation.true == place, target_recall=TARGET_RECALL)
    flagging = replace(validation, thresholds=Thresholds(flag=flag))
    return Thresholds(auto=auto_threshold(flagging.confidence, flagging.correct, target=TARGET_ACCURACY), flag=flag)


def examples(data: LabelledData, rows: npt.NDArray[np.int64], *, task: str) -> Examples:
    """Return the labelled rows. The text is the narrative alone, without names of product or company, or tags."""
    labelled = [(row.narrative, label) for row in map(data.rows.__getitem__, rows) if (label := row.label(task))]
    return Examples([text for text, _ in labelled], [label for _, label in labelled])


def label_space(train: Examples) -> list[str]:
    labels = sorted(set(train.labels))
    if len(labels) < 2:
        raise ValueError(
            f"a classifier needs two labels, but the training part has {len(labels)}: give more complaints"
        )
    return labels


def constant(train: Examples, texts: Texts) -> Floats:
    """Return the share of each label in the training part, repeated for each text; shape (n, labels)."""
    shares = np.array([train.labels.count(label) for label in label_space(train)]) / len(train.labels)
    return np.tile(shares, (len(texts), 1))


def linear(train: Examples, validation: Examples, texts: Texts) -> Floats:
    """Return probabilities of shape (n, labels): softmax of the margins, with the validation part's temperature."""
    labels = label_space(train)
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, max_features=MAX_FEATURES, dtype=np.float32),
        LinearSVC(C=0.5, class_weight="balanced", random_state=0),
    ).fit(train.texts, train.labels)
    known = [row for row, label in enumerate(validation.labels) if label in labels]
    truth = np.array([labels.index(validation.labels[row]) for row in known], dtype=np.int64)
    temperature = fit_temperature(_margins(model, [validation.texts[row] for row in known]), truth)
    return probabilities(_margins(model, texts), temperature)


def _margins(model: Any, texts: Texts) -> Floats:
    """Return shape (n, labels), also for two labels, for which scikit-learn returns one column."""
    margins = np.asarray(model.decision_function(texts))
    return np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins


@dataclass(frozen=True)
class TrainingPart:
    """Examples for the baselines. groups: the near-duplicate group of each example. dropped: how many rows were left
    out because they resemble an evaluated complaint."""

    examples: Examples
    groups: Integers
    dropped: int


def training_part(predictions: Predictions, data: LabelledData, *, seed: int = 0) -> TrainingPart:
    """Return the rows to train baselines on, whole groups in random order.

    A row that is a near-duplicate of an evaluated complaint is dropped, because it would tell the baseline the answer.

    Raises:
        NothingToEvaluateError: no row with a label is left.
    """
    labelled = [(row, label) for row in data.rows if (label := row.label(predictions.task)) is not None]
    texts = [row.narrative for row in predictions.rows]
    groups = near_duplicate_groups([*texts, *(row.narrative for row, _ in labelled)])
    evaluated, candidates = groups[: len(texts)], groups[len(texts) :]
    free = np.flatnonzero(~np.isin(candidates, evaluated))
    if not len(free):
        raise NothingToEvaluateError(
            f"all {len(labelled)} labelled rows to train on resemble evaluated complaints: give other complaints"
        )
    rank = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    order = free[np.argsort(rank[candidates[free]], kind="stable")]
    examples = Examples([labelled[place][0].narrative for place in order], [labelled[place][1] for place in order])
    return TrainingPart(examples=examples, groups=candidates[order], dropped=len(labelled) - len(free))


def baselines_beside(predictions: Predictions, part: TrainingPart) -> Mapping[str, Judged]:
    """Raises ValueError: the part has only one label."""
    return _judged(predictions, part.examples, part.groups)


def baseline_curve(predictions: Predictions, part: TrainingPart, *, step: Step = lambda _: None) -> LearningCurve:
    """Return the learning curve of the linear baseline, measured on the evaluated complaints."""
    measure = followed(predictions.judged.positive)

    def score(size: int) -> float:
        step(f"Learning curve, {size:,} examples")
        first = Examples(part.examples.texts[:size], part.examples.labels[:size])
        judged = _judged(predictions, first, part.groups[:size])[LINEAR]
        # No positive examples: the score is 0.
        return figures(judged)[measure] or 0.0

    return learning_curve(doubling_sizes(len(part.examples.texts)), score, measure=measure)


def _judged(predictions: Predictions, examples: Examples, groups: Integers) -> Mapping[str, Judged]:
    """Train on the first groups of the part and calibrate on the last CALIBRATION_SHARE of them."""
    _, first, numbered = np.unique(groups, return_index=True, return_inverse=True)
    validated = np.argsort(np.argsort(first))[numbered] >= len(first) * (1 - CALIBRATION_SHARE)
    train, validation = (_at(examples, np.flatnonzero(rows)) for rows in (~validated, validated))
    test = Examples([row.narrative for row in predictions.rows], predictions.judged.truth.tolist())
    return judged_baselines(train, validation, test, positive=predictions.judged.positive)


def _at(examples: Examples, rows: Integers) -> Examples:
    return Examples([examples.texts[row] for row in rows], [examples.labels[row] for row in rows])


def splits(data: LabelledData, *, test: float, gap: timedelta, seed: int) -> Mapping[str, Split]:
    """Return both splits, with about the same share of rows to test on."""
    received = [row.received for row in data.rows]
    by_time = time_split(received, data.groups, test_from=latest(received, share=test), gap=gap)
    return {"grouped random": grouped_split(data.groups, test=test, seed=seed), "time": by_time}


def main(
    file: Annotated[Path, typer.Argument(help="An export with CFPB's column names.")],
    test: Annotated[float, typer.Option(help="Share of the complaints to measure on.")] = 0.2,
    gap: Annotated[int, typer.Option(help="Days before the test period to leave out.")] = GAP.days,
    seed: Annotated[int, typer.Option(help="Seed of the random split.")] = 7,
) -> None:
    """Measure the baselines on FILE, by a grouped random split and by time."""
    console = Console()
    data = load_labelled(file)
    both = splits(data, test=test, gap=timedelta(days=gap), seed=seed)
    runs = [(name, task) for name in both for task in TASKS]
    measured = [(*run, baselines(data, both[run[0]], task=run[1])) for run in track(runs, "measure", console=console)]
    console.print(f"{len(data.rows)} complaints in {data.groups.max() + 1} groups, data {data.fingerprint[:16]}")
    for name, split in both.items():
        console.print(f"{name}: {', '.join(f'{part} {count}' for part, count in split.counts.items())}")
    console.print(table(measured))


SHOWN = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "top3_accuracy": "top-3",
    "coverage_at_90": "coverage at 90 %",
    "average_precision": "avg. precision",
}


def table(judged: Sequence[tuple[str, str, Mapping[str, Judged]]]) -> Table:
    shown = Table("split", "task", "model", "n", *SHOWN.values())
    for name, task, models in judged:
        for model, answers in models.items():
            shown.add_row(name, task, model, str(len(answers)), *_figures(answers))
    return shown


def _figures(answers: Judged) -> Iterator[str]:
    measured = figures(answers)
    return ("-" if (share := measured[name]) is None else f"{share:.3f}" for name in SHOWN)


if __name__ == "__main__":
    typer.run(main)
