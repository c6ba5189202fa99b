"""`python -m training.baseline FILE`: what a model has to beat, on the splits it will be measured on.

Two baselines: always the most frequent label, and TF-IDF of words and word pairs with a linear support vector machine.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, average_precision_score, f1_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from training.dataset import LABELS, LabelledData, load_labelled
from training.prepare import VULNERABLE
from training.splits import GAP, Split, grouped_split, latest, time_split
from training.thresholds import fit_temperature, probabilities

TARGET_ACCURACY = 0.9
POSITIVE = VULNERABLE[True]
MAX_FEATURES = 200_000
"""The most frequent words and pairs, so that time and memory stay bounded on an export of any size."""

Floats = npt.NDArray[np.floating]
Booleans = npt.NDArray[np.bool_]
Texts = Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Of one model on one test part; all but `n` are shares.

    macro_f1: mean over the labels that occur in the test part or among the answers.
    top3: None for a task of fewer than four labels. average_precision: of the positive label, where the task has one.
    coverage: the largest share of answers, most confident first, of which TARGET_ACCURACY are right. The threshold is
        chosen on the test part itself, so it is what a perfect choice would give.
    """

    n: int
    accuracy: float
    macro_f1: float
    top3: float | None
    coverage: float
    average_precision: float | None


@dataclass(frozen=True)
class Examples:
    """Texts and labels of one part."""

    texts: list[str]
    labels: list[str]


def baselines(data: LabelledData, split: Split, *, task: str) -> Mapping[str, Measures]:
    """Train on `train`, calibrate on `validation`, measure on `test`. Rows whose label is unknown take no part.

    Raises:
        ValueError: the training part has one label only.
    """
    train, validation, test = (examples(data, rows, task=task) for rows in (split.train, split.validation, split.test))
    positive = POSITIVE if task == "vulnerable" else None
    models = {"constant": constant(train, test.texts), "TF-IDF + linear": linear(train, validation, test.texts)}
    labels = label_space(train)
    return {name: measure(given, test.labels, labels=labels, positive=positive) for name, given in models.items()}


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
    """Probabilities of shape (n, labels): softmax of the margins, at the temperature that suits the validation part."""
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


def measure(given: Floats, truth: Sequence[str], *, labels: Sequence[str], positive: str | None = None) -> Measures:
    """given: probabilities of shape (n, labels). A true label that is none of `labels` is an answer missed."""
    answers = np.array(labels)[given.argmax(axis=1)]
    correct = answers == np.array(truth)
    best = np.array(labels)[np.argsort(-given, axis=1, kind="stable")[:, :3]]
    is_positive = np.array(truth) == positive
    return Measures(
        n=len(truth),
        accuracy=float(accuracy_score(truth, answers)),
        macro_f1=float(f1_score(truth, answers, average="macro", zero_division=0.0)),
        top3=float((best == np.array(truth)[:, None]).any(axis=1).mean()) if len(labels) > 3 else None,
        coverage=coverage_at(given.max(axis=1), correct, target=TARGET_ACCURACY),
        average_precision=(
            float(average_precision_score(is_positive, given[:, labels.index(positive)])) if positive else None
        ),
    )


def coverage_at(confidence: Floats, correct: Booleans, *, target: float) -> float:
    """The largest share of answers, most confident first, of which `target` are right; shapes (n,).

    >>> coverage_at(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True]), target=0.75)
    1.0
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    # A threshold takes all answers of the same confidence, so only the last of them counts.
    last = np.append(ranked[:-1] != ranked[1:], True)
    reached = np.cumsum(correct[order]) / np.arange(1, len(ranked) + 1) >= target
    return float(np.flatnonzero(np.append(True, last & reached))[-1] / len(ranked))


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
    runs = [(name, task) for name in both for task in LABELS]
    measured = [(*run, baselines(data, both[run[0]], task=run[1])) for run in track(runs, "measure", console=console)]
    console.print(f"{len(data.rows)} complaints in {data.groups.max() + 1} groups, data {data.fingerprint[:16]}")
    for name, split in both.items():
        console.print(f"{name}: {', '.join(f'{part} {count}' for part, count in split.counts.items())}")
    console.print(table(measured))


def table(measured: Sequence[tuple[str, str, Mapping[str, Measures]]]) -> Table:
    shown = Table("split", "task", "model", "n", "accuracy", "macro-F1", "top-3", "coverage at 90 %", "avg. precision")
    for name, task, models in measured:
        for model, measures in models.items():
            shown.add_row(name, task, model, str(measures.n), *_figures(measures))
    return shown


def _figures(measures: Measures) -> Iterator[str]:
    shares = (measures.accuracy, measures.macro_f1, measures.top3, measures.coverage, measures.average_precision)
    return ("-" if share is None else f"{share:.3f}" for share in shares)


if __name__ == "__main__":
    typer.run(main)
