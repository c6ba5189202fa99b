"""`python -m training.evaluation.baseline FILE`: what a model has to beat, on the splits it will be measured on.

Two baselines: always the most frequent label, and TF-IDF of words and word pairs with a linear support vector machine.
"""

from collections.abc import Iterator, Mapping, Sequence
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

from training.bundle.thresholds import Floats, auto_threshold, fit_temperature, flag_threshold, probabilities
from training.data.dataset import LabelledData, load_labelled
from training.data.splits import GAP, Split, grouped_split, latest, time_split
from training.evaluation.measures import TARGET_ACCURACY, figures
from training.evaluation.scored_answers import Judged
from triage.bundle import Thresholds
from triage.tasks import TASKS

TARGET_RECALL = 0.6
"""Of the vulnerable: what people find at first contact."""

MAX_FEATURES = 200_000
"""The most frequent words and pairs, so that time and memory stay bounded on an export of any size."""

Texts = Sequence[str]


@dataclass(frozen=True)
class Examples:
    """Texts and labels of one part."""

    texts: list[str]
    labels: list[str]


def baselines(data: LabelledData, split: Split, *, task: str) -> Mapping[str, Judged]:
    """Train on `train`, calibrate on `validation`, answer `test`. Rows whose label is unknown take no part.

    Raises:
        ValueError: the training part has one label only.
    """
    train, validation, test = (examples(data, rows, task=task) for rows in (split.train, split.validation, split.test))
    return judged_baselines(train, validation, test, positive=TASKS[task].positive)


def judged_baselines(
    train: Examples, validation: Examples, test: Examples, *, positive: str | None
) -> Mapping[str, Judged]:
    """Raises ValueError: the training part has one label only."""
    labels, validated = label_space(train), len(validation.texts)
    probability = linear(train, validation, [*validation.texts, *test.texts])
    judged = partial(Judged, labels=tuple(labels), positive=positive)
    free = judged(probability=probability[:validated], truth=np.array(validation.labels))
    return {
        "constant": judged(probability=constant(train, test.texts), truth=np.array(test.labels)),
        "TF-IDF + linear": judged(
            probability=probability[validated:], truth=np.array(test.labels), thresholds=thresholds(free)
        ),
    }


def thresholds(validation: Judged) -> Thresholds:
    """As a model's are chosen, for TARGET_ACCURACY and TARGET_RECALL."""
    flag, place = None, validation.positive_place
    if place is not None and (validation.true == place).any():
        probability = validation.probability[:, place]
        flag = flag_threshold(probability, validation.true == place, target_recall=TARGET_RECALL)
    flagging = replace(validation, thresholds=Thresholds(flag=flag))
    return Thresholds(auto=auto_threshold(flagging.confidence, flagging.correct, target=TARGET_ACCURACY), flag=flag)


def examples(data: LabelledData, rows: npt.NDArray[np.int64], *, task: str) -> Examples:
    """The narrative alone is the text: no name of a product, company or tag goes in beside it."""
    labelled = [(row.narrative, label) for row in map(data.rows.__getitem__, rows) if (label := row.label(task))]
    return Examples([text for text, _ in labelled], [label for _, label in labelled])


def label_space(train: Examples) -> list[str]:
    labels = sorted(set(train.labels))
    if len(labels) < 2:
        raise ValueError(f"a classifier needs two labels, the training part has {len(labels)}")
    return labels


def constant(train: Examples, texts: Texts) -> Floats:
    """Every label's share of the training part, for each text; shape (n, labels)."""
    shares = np.array([train.labels.count(label) for label in label_space(train)]) / len(train.labels)
    return np.tile(shares, (len(texts), 1))


def linear(train: Examples, validation: Examples, texts: Texts) -> Floats:
    """Probabilities of shape (n, labels): softmax of the margins, at the validation part's temperature."""
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
    """Shape (n, labels), also for two labels, where scikit-learn gives one column."""
    margins = np.asarray(model.decision_function(texts))
    return np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins


def splits(data: LabelledData, *, test: float, gap: timedelta, seed: int) -> Mapping[str, Split]:
    """The two splits with about the same share of rows to test on."""
    received = [row.received for row in data.rows]
    by_time = time_split(received, data.groups, test_from=latest(received, share=test), gap=gap)
    return {"grouped random": grouped_split(data.groups, test=test, seed=seed), "time": by_time}


def main(
    file: Annotated[Path, typer.Argument(help="An export with CFPB's column names.")],
    test: Annotated[float, typer.Option(help="Share of the complaints to measure on.")] = 0.2,
    gap: Annotated[int, typer.Option(help="Days before the test period that are left out.")] = GAP.days,
    seed: Annotated[int, typer.Option(help="Of the random split.")] = 7,
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
