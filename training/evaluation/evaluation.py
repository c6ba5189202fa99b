"""Everything that is found out about one model on one export, and the document that machines read."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from training.bundle.seen import Digests, is_seen
from training.data.dataset import LabelledData
from training.data.groups import Groups
from training.evaluation.baseline_comparison import LINEAR, Step, TrainingPart, baseline_curve, baselines_beside
from training.evaluation.curves import Bin, Covered, coverage_levels, covered, reliability
from training.evaluation.humans import Comparison, compare
from training.evaluation.intervals import Intervals, intervals
from training.evaluation.learning import LearningCurve, Point, extrapolate, followed
from training.evaluation.measures import Figures, figures
from training.evaluation.mixes import Mix, bank_like
from training.evaluation.predictions import Predictions
from training.evaluation.ranking import precision_at_recalls
from training.evaluation.rule import with_rule
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
from triage.tasks import VULNERABLE

MODEL = "model"
"""How the evaluated model is called beside its baselines."""

MACRO = "macro average"
"""Of the labels that occur, as true or as an answer."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    figures: Figures
    intervals: Intervals
    humans: tuple[Comparison, ...]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """model: as it was asked for. seen: complaints whose very text the model was made from; None where its bundle does
    not say what it was made from."""

    model: str
    weights_sha256: str
    recipe: str | None
    auto_threshold: float | None
    flag_threshold: float | None
    data_fingerprint: str
    seen: int | None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """recall_of: the label that recall and precision are of, or MACRO. unknown: complaints whose label the
    model does not know. baseline_dropped: rows to train on that resemble an evaluated complaint. learning: of the
    model and of the linear baseline, as far as they were trained on fewer examples too.
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
    """model: as it was asked for. seen: of the texts that it was made from, None where that is not known."""
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


def beside_baselines(
    evaluation: Evaluation, predictions: Predictions, part: TrainingPart, *, step: Step = lambda _: None
) -> Evaluation:
    """With the baselines, trained on `part`, and the learning curve of the linear one.

    Raises:
        ValueError: the part has one label only.
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
    """With the learning curve of the model itself.

    points: what the same recipe reached on fewer examples, asked about the same complaints. examples: what this model
    was made from.
    """
    measure = followed(positive)
    value = evaluation.measured.figures[measure]
    # Without a positive there is nothing to find, and nothing is found.
    own = extrapolate([*points, Point(examples, value or 0.0)], measure=measure)
    return replace(evaluation, learning={MODEL: own, **evaluation.learning})


def measured(judged: Judged, groups: Groups, *, task: str) -> Measured:
    own, around = figures(judged), intervals(judged, groups)
    positives = int((judged.true == judged.positive_place).sum())
    return Measured(
        figures=own, intervals=around, humans=compare(task, own, around, n=len(judged), positives=positives)
    )


def document(evaluation: Evaluation) -> dict[str, Any]:
    """For JSON: the figures of the model at the top, everything else below its name. Intervals are [low, high]."""
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
