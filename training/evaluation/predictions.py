"""Answers of the very engine that serves, to the rows of a labelled export."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from training.bundle.thresholds import Floats, Integers
from training.data.dataset import LabelledData, LabelledRow
from training.data.groups import Groups
from training.evaluation.scored_answers import Judged
from triage.bundle import Manifest
from triage.errors import ModelFailedError
from triage.inference.classify import as_read, softmax
from triage.inference.engine import Engine
from triage.tasks import TASKS

THREADS = 2
"""One thread of the engine for each text, two texts at a time."""

Progress = Callable[[int], None]
"""Told how many more texts are scored."""


class NothingToEvaluateError(Exception):
    """No complaint of the file has a label for the task."""


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """One model's answers to the labelled rows of one export.

    rows, texts, groups: of each answer; texts are what the model read, groups those of near-duplicates. labelled: rows
    of the export that have a label, of which the answered ones are a sample or all. unlabelled: rows of which it does
    not say what is true.
    """

    task: str
    judged: Judged
    rows: tuple[LabelledRow, ...] = field(repr=False)
    texts: tuple[str, ...] = field(repr=False)
    groups: Groups = field(repr=False)
    labelled: int
    unlabelled: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def unknown(self) -> int:
        """Rows whose true label the model does not know: it cannot be right about them."""
        return int((self.judged.true >= len(self.judged.labels)).sum())

    def products(self) -> tuple[str, ...]:
        return tuple(row.product for row in self.rows)


def predict(
    engine: Engine,
    manifest: Manifest,
    data: LabelledData,
    *,
    task: str,
    limit: int | None = None,
    progress: Progress = lambda _: None,
) -> Predictions:
    """Answer every row that has a label for the task, or `limit` of them drawn at random.

    Raises:
        NothingToEvaluateError: no row has one.
        ModelFailedError: the engine gave what is no distribution over the labels.
    """
    places = labelled_places(data, task=task)
    asked = places if limit is None else sample(places, size=limit)
    rows = tuple(data.rows[place] for place in asked)
    texts = tuple(as_read(row.narrative, manifest) for row in rows)
    scored = logits(engine, texts, labels=len(manifest.labels), progress=progress)
    judged = Judged(
        labels=manifest.labels,
        probability=np.array([softmax(tuple(row), manifest.calibration.temperature) for row in scored.tolist()]),
        truth=np.array([row.label(task) for row in rows]),
        positive=positive_label(manifest, task=task),
        thresholds=manifest.thresholds,
    )
    return Predictions(
        task=task,
        judged=judged,
        rows=rows,
        texts=texts,
        groups=data.groups[asked],
        labelled=len(places),
        unlabelled=len(data.rows) - len(places),
    )


def labelled_places(data: LabelledData, *, task: str) -> Integers:
    """Places of the rows that have a label, ascending. Raises NothingToEvaluateError."""
    places = np.array([place for place, row in enumerate(data.rows) if row.label(task) is not None], dtype=np.int64)
    if not len(places):
        raise NothingToEvaluateError(f"none of the {len(data.rows)} complaints has a label for {task}")
    return places


def sample(places: Integers, *, size: int, seed: int = 0) -> Integers:
    """So many places at random, ascending: the first rows of an export are often of one product or year."""
    if size >= len(places):
        return places
    return np.sort(np.random.default_rng(seed).choice(places, size=size, replace=False))


def positive_label(manifest: Manifest, *, task: str) -> str | None:
    """A model of another publisher does not say which label it looks for."""
    usual = TASKS[task].positive if task in TASKS else None
    return manifest.positive_label or (usual if usual in manifest.labels else None)


def logits(
    engine: Engine, texts: Sequence[str], *, labels: int, threads: int = THREADS, progress: Progress = lambda _: None
) -> Floats:
    """Scores of cleaned texts, shape (n, labels), one text at a time as in serving.

    Raises:
        ModelFailedError: another count of scores than of labels, or one that is not finite.
    """
    rows = []
    with ThreadPoolExecutor(threads) as pool:
        for number, scores in enumerate(pool.map(engine.score, texts), start=1):
            if len(scores.logits) != labels or not np.isfinite(scores.logits).all():
                raise ModelFailedError(f"the scores of text {number} are no distribution over {labels} labels")
            rows.append(scores.logits)
            progress(1)
    return np.array(rows, dtype=np.float64)
