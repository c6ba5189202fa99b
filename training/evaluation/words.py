"""Figures in words, the same in page, card and terminal: shares in percent, and what was not reached is said so."""

from training.evaluation.evaluation import MACRO, Evaluation, Measured
from training.evaluation.humans import MARGIN, Comparison
from training.evaluation.intervals import Interval
from training.evaluation.measures import TARGET_ACCURACY

NOT_DEFINED = "-"

NAMES = {
    "accuracy": "accuracy",
    "constant_accuracy": "accuracy of the most common label here",
    "macro_f1": "macro-F1",
    "top3_accuracy": "top-3 accuracy",
    "coverage": "coverage by the model's own threshold",
    "auto_accuracy": "accuracy of that part",
    "coverage_at_90": f"coverage that reaches {100 * TARGET_ACCURACY:.0f} %, at best",
    "recall": "recall",
    "precision": "precision",
    "flagged": "flagged",
    "average_precision": "average precision",
    "calibration_error": "calibration error",
}


def percent(share: float | None) -> str:
    """
    >>> percent(0.8049), percent(None)
    ('80.5 %', '-')
    """
    return NOT_DEFINED if share is None else f"{100 * share:.1f} %"


def between(interval: Interval | None) -> str:
    return "" if interval is None else f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def figure(measured: Measured, name: str) -> str:
    """With its interval where it has one."""
    around = between(measured.intervals.get(name))
    value = percent(measured.figures[name])
    return f"{value} ({around})" if around and measured.figures[name] is not None else value


def shown(measured: Measured) -> tuple[str, ...]:
    """Names of the measures that are defined, in the order of NAMES."""
    return tuple(name for name in NAMES if measured.figures[name] is not None)


def comparison(human: Comparison) -> str:
    """One sentence on a level of people."""
    level = f"{100 * human.level:.0f} %"
    around = f" ({between(human.interval)})" if human.interval is not None else ""
    value = f"{percent(human.value)}{around}"
    asked = f"{100 * (human.level - MARGIN):.0f} %"
    verdicts = {
        "reached": f"reached: {value}, all of the interval is above {asked}",
        "not reached": f"not reached: {value}, no part of the interval is above {asked}",
        "undecided": f"undecided: {value}, the interval holds {asked}; {human.n:,} complaints, {human.needed:,} needed",
    }
    return f"{human.measure} {level} of the {human.who}: {verdicts[human.verdict]}"


def warnings(evaluation: Evaluation) -> tuple[str, ...]:
    """What a reader has to know before the first figure."""
    found = []
    seen = evaluation.subject.seen
    if seen is None:
        found.append("The bundle does not say what it was made from: whether the model has seen these is not known.")
    elif seen == evaluation.n:
        found.append("The model was made from these very complaints: the figures flatter it, and prove nothing.")
    elif seen:
        share = percent(seen / evaluation.n)
        found.append(f"The model was made from {seen:,} of these complaints ({share}): the figures flatter it.")
    if evaluation.unknown:
        share = percent(evaluation.unknown / evaluation.n)
        found.append(f"The label of {evaluation.unknown:,} complaints ({share}) is none that the model can give.")
    if evaluation.subject.auto_threshold is None:
        found.append("The model states no threshold from which it may act alone: people see every answer.")
    return tuple(found)


def left_out(evaluation: Evaluation) -> str:
    drawn = f", drawn at random from {evaluation.labelled:,}" if evaluation.labelled > evaluation.n else ""
    return (
        f"{evaluation.n:,} complaints in {evaluation.groups:,} groups of near-duplicates{drawn}; left out were "
        f"{evaluation.unlabelled:,} whose label is unknown and {evaluation.without_narrative:,} without a narrative"
    )


def recall_of(evaluation: Evaluation) -> str:
    return "each label, averaged" if evaluation.recall_of == MACRO else f"the label “{evaluation.recall_of}”"
