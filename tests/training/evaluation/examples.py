"""Invented answers of models to invented complaints."""

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any

import numpy as np

from tests.factories import any_manifest
from training.bundle.seen import Digests, digests_of
from training.data.dataset import LabelledData, LabelledRow
from training.data.groups import near_duplicate_groups
from training.evaluation.evaluation import Evaluation, evaluate
from training.evaluation.predictions import Predictions
from training.evaluation.scored_answers import Judged
from triage.bundle import Thresholds

LABELS = ("Credit card", "Mortgage", "Student loan", "Vehicle loan or lease")


def any_judged(n: int = 60, *, labels: Sequence[str] = LABELS, seed: int = 1, **values: Any) -> Judged:
    """Return answers that are mostly right, with a confidence that is higher for right ones."""
    chance = np.random.default_rng(seed)
    truth = chance.integers(0, len(labels), size=n)
    logits = chance.normal(size=(n, len(labels))) + 2.0 * np.eye(len(labels))[truth]
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    default = {"probability": probability, "truth": np.array(labels)[truth], "thresholds": Thresholds(auto=0.7)}
    return Judged(labels=tuple(labels), **{**default, **values})


def any_flagging(n: int = 60, **values: Any) -> Judged:
    default = {"positive": "vulnerable", "thresholds": Thresholds(auto=0.7, flag=0.4)}
    return any_judged(n, labels=("not vulnerable", "vulnerable"), **{**default, **values})


def any_row(**values: Any) -> LabelledRow:
    default = {
        "row": 1,
        "complaint_id": "1",
        "narrative": "They closed my account without telling me.",
        "product": "Mortgage",
        "issue": "Closing on a mortgage",
        "vulnerable": False,
        "received": date(2024, 5, 1),
        "channel": "Web",
    }
    return LabelledRow(**{**default, **values})


def any_predictions(judged: Judged | None = None, **values: Any) -> Predictions:
    """Return predictions with invented rows. For the task `product`, the product of a row is its true label."""
    judged = any_judged() if judged is None else judged
    task = "product" if judged.positive is None else "vulnerable"
    rows = tuple(
        any_row(
            row=number + 1,
            product=label if task == "product" else LABELS[number % len(LABELS)],
            vulnerable=label == "vulnerable",
            received=date(2019 + number % 3, 5, 1),
            narrative="word " * (1 + number % 7 * 80),
        )
        for number, label in enumerate(judged.truth.tolist())
    )
    default = {
        "task": task,
        "rows": rows,
        "texts": tuple(row.narrative for row in rows),
        "groups": np.arange(len(rows)),
        "labelled": len(rows),
    }
    return Predictions(judged=judged, **{**default, **values})


def any_data(rows: Sequence[LabelledRow]) -> LabelledData:
    groups = near_duplicate_groups([row.narrative for row in rows])
    return LabelledData(rows=tuple(rows), groups=groups, without_narrative=0, crosswalk="1", taxonomy="1")


@cache
def evaluated(task: str = "product") -> Evaluation:
    """Return one evaluation for all tests, which do not change it."""
    return evaluation_of(any_predictions(any_judged() if task == "product" else any_flagging()))


NOTHING = digests_of(["what is asked of nobody"])


def evaluation_of(predictions: Predictions, *, seen: Digests | None = NOTHING) -> Evaluation:
    described = any_manifest(labels=predictions.judged.labels)
    return evaluate(predictions, described, any_data(predictions.rows), model="any", seen=seen)
