"""The report of an evaluation: a page for people, JSON for machines, a section for the model card, and its wording."""

import base64
import json
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from training.bundle.folder import CARD, DATA, PAGE
from training.evaluation import pictures
from training.evaluation.evaluation import MACRO, MODEL, Evaluation, Measured, document
from training.evaluation.humans import MARGIN, Comparison
from training.evaluation.intervals import Interval
from training.evaluation.measures import TARGET_ACCURACY
from training.evaluation.slices import SMALL
from triage.pages import write_page

TEMPLATE = "report.html.jinja"

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


def write_report(evaluation: Evaluation, folder: Path) -> Path:
    """Write page, data and card section into `folder`, which is made if needed, and return the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    write_page(folder / PAGE, page(evaluation))
    write_page(folder / DATA, json.dumps(document(evaluation), ensure_ascii=False, indent=2))
    write_page(folder / CARD, card_section(evaluation))
    return folder / PAGE


def page(evaluation: Evaluation) -> str:
    """Return one HTML page that loads no other file."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "between": between, "picture": picture}
    return environment.get_template(TEMPLATE).render(
        evaluation=evaluation,
        names=NAMES,
        shown=shown(evaluation.measured),
        columns=columns(evaluation),
        warnings=warnings(evaluation),
        measured_on=measured_on(evaluation),
        recall_of=recall_of(evaluation),
        pictures=drawn(evaluation),
        slices=[(by, list(group)) for by, group in groupby(evaluation.slices, key=lambda slice_: slice_.by)],
        margin=MARGIN,
        target=TARGET_ACCURACY,
        small=SMALL,
    )


def picture(svg: str, description: str) -> Markup:
    """Return an image element. description: what it shows, for readers who cannot see it."""
    encoded = base64.b64encode(svg.encode()).decode()
    return Markup('<img src="data:image/svg+xml;base64,{}" alt="{}">').format(encoded, description)


def columns(evaluation: Evaluation) -> dict[str, Measured]:
    """Return the columns of the table: the model, the rule, the baselines, and the model on the other mix."""
    mixes = {
        f"model, {mix.name} mix": Measured(figures=mix.figures, intervals=mix.intervals, humans=())
        for mix in evaluation.mixes
    }
    rule = {"model or narrative": evaluation.with_rule} if evaluation.with_rule else {}
    return {MODEL: evaluation.measured, **rule, **evaluation.baselines, **mixes}


def headline(evaluation: Evaluation) -> str:
    """Return the measure by which the model is compared with people."""
    return evaluation.measured.humans[0].measure if evaluation.measured.humans else "accuracy"


def drawn(evaluation: Evaluation) -> dict[str, Any]:
    measured, measure = evaluation.measured, headline(evaluation)
    values = {
        name: (value, column.intervals.get(measure))
        for name, column in columns(evaluation).items()
        if (value := column.figures[measure]) is not None
    }
    overall = measured.figures["accuracy"]
    return {
        "beside": pictures.beside(values, measured.humans, measure=measure),
        "coverage": pictures.coverage(
            evaluation.coverage_curve, measured.humans, auto=evaluation.subject.auto_threshold
        ),
        "reliability": pictures.reliability(evaluation.reliability),
        "confusion": pictures.confusion(evaluation.labels, evaluation.confusion_matrix),
        "learning": pictures.learning(evaluation.learning) if evaluation.learning else None,
        "slices": {
            by: pictures.sliced(list(group), overall=overall)
            for by, group in groupby(evaluation.slices, key=lambda slice_: slice_.by)
        },
    }


def card_section(evaluation: Evaluation) -> str:
    """Return the section of the model card: the figures, what they were measured on, and the comparison with people."""
    side_by_side = columns(evaluation)
    head = f"| measure | {' | '.join(side_by_side)} |\n|---|{'---|' * len(side_by_side)}"
    rows = "\n".join(
        f"| {NAMES[name]} | {' | '.join(figure(column, name) for column in side_by_side.values())} |"
        for name in shown(evaluation.measured)
    )
    people = "\n".join(f"- {comparison(human)}" for human in evaluation.measured.humans)
    warned = "".join(f"**{warning}**\n\n" for warning in warnings(evaluation))
    return f"""## Figures

{warned}Measured on {measured_on(evaluation)}. Data sha256 `{evaluation.subject.data_fingerprint}`.
In brackets: 95 % intervals by bootstrap over the groups. Recall and precision: of {recall_of(evaluation)}.

{head}
{rows}

Compared with people, within {100 * MARGIN:.0f} points:

{people or "- no figures of people are known for this task"}
"""


def percent(share: float | None) -> str:
    """
    >>> percent(0.8049), percent(None)
    ('80.5 %', '-')
    """
    return NOT_DEFINED if share is None else f"{100 * share:.1f} %"


def between(interval: Interval | None) -> str:
    return "" if interval is None else f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def figure(measured: Measured, name: str) -> str:
    """Return the figure in percent, followed by its interval if it has one."""
    around = between(measured.intervals.get(name))
    value = percent(measured.figures[name])
    return f"{value} ({around})" if around and measured.figures[name] is not None else value


def shown(measured: Measured) -> tuple[str, ...]:
    """Return the names of the measures that are defined, in the order of NAMES."""
    return tuple(name for name in NAMES if measured.figures[name] is not None)


def comparison(human: Comparison) -> str:
    """Return one sentence that compares the model with people."""
    level = f"{100 * human.level:.0f} %"
    around = f" ({between(human.interval)})" if human.interval is not None else ""
    value = f"{percent(human.value)}{around}"
    needed = f"{100 * (human.level - MARGIN):.0f} %"
    verdicts = {
        "reached": f"reached: {value}, the whole interval is above {needed}",
        "not reached": f"not reached: {value}, no part of the interval is above {needed}",
        "undecided": (
            f"undecided: {value}, the interval contains {needed}; "
            f"{human.n:,} complaints were measured, {human.needed:,} are needed"
        ),
    }
    return f"{human.measure} {level} of the {human.who}: {verdicts[human.verdict]}"


def warnings(evaluation: Evaluation) -> tuple[str, ...]:
    """Return what a reader must know before reading the figures."""
    found = []
    seen = evaluation.subject.seen
    if seen is None:
        found.append("The bundle does not say what it was made from, so the model may have seen these complaints.")
    elif seen == evaluation.n:
        found.append("The model was made from exactly these complaints, so the figures are too good and prove nothing.")
    elif seen:
        share = percent(seen / evaluation.n)
        found.append(f"The model was made from {seen:,} of these complaints ({share}), so the figures are too good.")
    if evaluation.unknown:
        share = percent(evaluation.unknown / evaluation.n)
        found.append(f"The model does not know the label of {evaluation.unknown:,} complaints ({share}).")
    if evaluation.subject.auto_threshold is None:
        found.append("The model has no threshold for automatic answers, so people review every answer.")
    return tuple(found)


def measured_on(evaluation: Evaluation) -> str:
    """Return on how many complaints the figures rest, and how many were left out."""
    drawn = f", drawn at random from {evaluation.labelled:,}" if evaluation.labelled > evaluation.n else ""
    return (
        f"{evaluation.n:,} complaints in {evaluation.groups:,} groups of near-duplicates{drawn}; left out: "
        f"{evaluation.unlabelled:,} without a label and {evaluation.without_narrative:,} without a narrative"
    )


def recall_of(evaluation: Evaluation) -> str:
    return "each label, averaged" if evaluation.recall_of == MACRO else f"the label “{evaluation.recall_of}”"
