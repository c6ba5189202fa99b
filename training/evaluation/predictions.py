"""A model's predictions for the rows of a labelled export, computed by the engine that serves."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from training.bundle.thresholds import Integers
from training.data.dataset import LabelledData, LabelledRow
from training.data.groups import Groups
from training.evaluation.scored_answers import Judged, logits
from triage.bundle import Manifest
from triage.inference.classify import as_read, softmax
from triage.inference.engine import Engine
from triage.tasks import TASKS

Progress = Callable[[int], None]
"""Called with the number of texts that were scored since the last call."""


class NothingToEvaluateError(Exception):
    """No complaint of the file has a label for the task."""


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """One model's answers to labelled rows of one export.

    rows, texts, groups: the row, the text as the model read it, and the near-duplicate group of each answer.
    labelled: how many rows of the export have a label for the task; the answers are a sample of them, or all.
    unlabelled: how many rows have none.
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
        """The number of rows whose true label the model does not know and therefore cannot predict."""
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
        NothingToEvaluateError: no row has a label for the task.
        ModelFailedError: the engine returned scores that do not fit the labels.
    """
    places = labelled_places(data, task=task)
    chosen = places if limit is None else sample(places, size=limit)
    rows = tuple(data.rows[place] for place in chosen)
    texts = tuple(as_read(row.narrative, manifest) for row in rows)
    scored = logits(engine, texts, labels=len(manifest.labels), on_scored=lambda scored: progress(1))
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
        groups=data.groups[chosen],
        labelled=len(places),
        unlabelled=len(data.rows) - len(places),
    )


def labelled_places(data: LabelledData, *, task: str) -> Integers:
    """Return the places of the rows that have a label for the task, ascending.

    Raises:
        NothingToEvaluateError: no row has one.
    """
    places = np.array([place for place, row in enumerate(data.rows) if row.label(task) is not None], dtype=np.int64)
    if not len(places):
        raise NothingToEvaluateError(
            f"none of the {len(data.rows)} complaints has a label for {task}: give an export that has its column"
        )
    return places


def sample(places: Integers, *, size: int, seed: int = 0) -> Integers:
    """Draw `size` places at random, ascending. The first rows would often be of one product or year."""
    if size >= len(places):
        return places
    return np.sort(np.random.default_rng(seed).choice(places, size=size, replace=False))


def positive_label(manifest: Manifest, *, task: str) -> str | None:
    """Return the label that the model looks for; models of other publishers do not state it in their manifest."""
    usual = TASKS[task].positive if task in TASKS else None
    return manifest.positive_label or (usual if usual in manifest.labels else None)
