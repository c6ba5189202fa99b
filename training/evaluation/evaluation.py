"""The evaluation of one model on one export, and its JSON document."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from training.bundle.seen import Digests, is_seen
from training.data.dataset import LabelledData, LabelledRow
from training.data.groups import Groups
from training.evaluation.baseline import LINEAR, Step, TrainingPart, baseline_curve, baselines_beside
from training.evaluation.curves import Bin, Covered, coverage_levels, covered, reliability
from training.evaluation.humans import Comparison, compare
from training.evaluation.intervals import Intervals, intervals
from training.evaluation.learning import LearningCurve, Point, extrapolate, followed
from training.evaluation.measures import Figures, figures, precision_at_recalls
from training.evaluation.mixes import Mix, bank_like
from training.evaluation.predictions import Predictions
from training.evaluation.scored_answers import Judged
from training.evaluation.slices import (
    ClassFigures,
    Confusion,
    Slice,
    class_figures,
    confusion_matrix,
    confusions,
    slices,
)
from triage.bundle import Manifest
from triage.complaint import Complaint
from triage.tasks import VULNERABLE
from triage.vulnerability import stated

MODEL = "model"
"""The name of the evaluated model beside those of its baselines."""

MACRO = "macro average"
"""The mean over the labels that occur, as true label or as answer."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    figures: Figures
    intervals: Intervals
    humans: tuple[Comparison, ...]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What was evaluated. model: the name by which it was requested. seen: how many of the complaints the model was
    trained on or chosen by; None if its bundle does not say."""

    model: str
    weights_sha256: str
    recipe: str | None
    auto_threshold: float | None
    flag_threshold: float | None
    data_fingerprint: str
    seen: int | None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All results.

    recall_of: the label of which recall and precision are given, or MACRO. unknown: complaints whose label the model
    does not know. baseline_dropped: rows left out of the baselines' training because they resemble an evaluated
    complaint. learning: learning curves of the model and of the linear baseline, if they were measured.
    """

    subject: Subject
    task: str
    n: int
    groups: int
    labelled: int
    unlabelled: int
    without_narrative: int
    unknown: int
    recall_of: str
    measured: Measured
    with_rule: Measured | None
    coverage_levels: Mapping[str, float]
    precision_at_recalls: Mapping[float, float]
    coverage_curve: tuple[Covered, ...]
    reliability: tuple[Bin, ...]
    mixes: tuple[Mix, ...]
    classes: tuple[ClassFigures, ...]
    slices: tuple[Slice, ...]
    confusions: tuple[Confusion, ...]
    labels: tuple[str, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    baselines: Mapping[str, Measured]
    baseline_examples: int = 0
    baseline_dropped: int = 0
    learning: Mapping[str, LearningCurve] = field(default_factory=dict)


def evaluate(
    predictions: Predictions, manifest: Manifest, data: LabelledData, *, model: str, seen: Digests | None
) -> Evaluation:
    """Return all figures of a model. model: the name by which it was requested. seen: None if not known."""
    judged, groups = predictions.judged, predictions.groups
    rule = predictions.task == VULNERABLE.name and judged.positive is not None
    bank = bank_like(judged, groups, predictions.products())
    return Evaluation(
        subject=Subject(
            model=model,
            weights_sha256=manifest.weights_sha256,
            recipe=manifest.recipe,
            auto_threshold=manifest.thresholds.auto,
            flag_threshold=manifest.thresholds.flag,
            data_fingerprint=data.fingerprint,
            seen=None if seen is None else int(is_seen(predictions.texts, seen).sum()),
        ),
        task=predictions.task,
        n=len(predictions),
        groups=len(set(groups.tolist())),
        labelled=predictions.labelled,
        unlabelled=predictions.unlabelled,
        without_narrative=data.without_narrative,
        unknown=predictions.unknown,
        recall_of=judged.positive or MACRO,
        measured=measured(judged, groups, task=predictions.task),
        with_rule=measured(with_rule(predictions), groups, task=predictions.task) if rule else None,
        coverage_levels=coverage_levels(judged, task=predictions.task),
        precision_at_recalls=precision_at_recalls(judged),
        coverage_curve=covered(judged),
        reliability=reliability(judged),
        mixes=() if bank is None else (bank,),
        classes=class_figures(judged),
        slices=slices(predictions),
        confusions=confusions(predictions),
        labels=judged.classes,
        confusion_matrix=tuple(tuple(row) for row in confusion_matrix(judged).tolist()),
        baselines={},
    )


def with_rule(predictions: Predictions) -> Judged:
    """Return the answers of the rule that sends a customer on the specialist journey.

    Its answer is the positive label if the model gives it or the narrative itself states the vulnerability. The tags of
    the form, which the deployed rule also reads, are left out: they are the label that is measured here, so with them
    every tagged customer would be found by definition.

    Raises:
        ValueError: the task does not look for a label.
    """
    judged = predictions.judged
    place = judged.positive_place
    if place is None:
        raise ValueError(f"the task {predictions.task} does not look for a label, so the rule does not apply to it")
    certain = np.eye(len(judged.labels))[place]
    stated = np.array([says_so(row) for row in predictions.rows], dtype=np.bool_)
    return replace(judged, probability=np.where(stated[:, None], certain, judged.probability))


def says_so(row: LabelledRow) -> bool:
    """Return whether the narrative itself states that its writer is vulnerable."""
    complaint = Complaint.read({"complaint_id": str(row.row), "narrative": row.narrative})
    return any(source.source == "said" for source in stated(complaint))


def beside_baselines(
    evaluation: Evaluation, predictions: Predictions, part: TrainingPart, *, step: Step = lambda _: None
) -> Evaluation:
    """Add the baselines, trained on `part`, and the learning curve of the linear one.

    Raises:
        ValueError: the part has only one label.
    """
    step("Baselines")
    judged = baselines_beside(predictions, part)
    groups, task = predictions.groups, predictions.task
    return replace(
        evaluation,
        baselines={name: measured(answers, groups, task=task) for name, answers in judged.items()},
        baseline_examples=len(part.examples.texts),
        baseline_dropped=part.dropped,
        learning={**evaluation.learning, LINEAR: baseline_curve(predictions, part, step=step)},
    )


def with_own_curve(
    evaluation: Evaluation, points: Sequence[Point], *, examples: int, positive: str | None
) -> Evaluation:
    """Add the learning curve of the model itself.

    points: the figures of the same recipe on fewer examples, for the same complaints. examples: how many this model was
    trained on.
    """
    measure = followed(positive)
    value = evaluation.measured.figures[measure]
    # No positive examples: the score is 0.
    own = extrapolate([*points, Point(examples, value or 0.0)], measure=measure)
    return replace(evaluation, learning={MODEL: own, **evaluation.learning})


def measured(judged: Judged, groups: Groups, *, task: str) -> Measured:
    own, around = figures(judged), intervals(judged, groups)
    positives = int((judged.true == judged.positive_place).sum())
    return Measured(
        figures=own, intervals=around, humans=compare(task, own, around, n=len(judged), positives=positives)
    )


def document(evaluation: Evaluation) -> dict[str, Any]:
    """Return the evaluation for JSON, with the model's figures at the top level. Intervals are [low, high]."""
    everything = asdict(evaluation)
    subject_, own, mixes = (everything.pop(name) for name in ("subject", "measured", "mixes"))
    natural = {"figures": own["figures"], "intervals": own["intervals"]}
    return {
        "task": everything.pop("task"),
        "n": everything.pop("n"),
        **own["figures"],
        "intervals": own["intervals"],
        "humans": own["humans"],
        "mixes": {"natural": natural, **{mix.pop("name"): mix for mix in mixes}},
        **subject_,
        **everything,
    }
