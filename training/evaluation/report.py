"""One report for each evaluation: a page for people, the same figures for machines, a section for the model card."""

import base64
import json
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from training.evaluation import pictures
from training.evaluation.evaluation import MODEL, Evaluation, Measured, document
from training.evaluation.humans import MARGIN
from training.evaluation.measures import TARGET_ACCURACY
from training.evaluation.slices import SMALL
from training.evaluation.words import NAMES, between, comparison, figure, left_out, percent, recall_of, shown, warnings

PAGE, DATA, CARD = "report.html", "report.json", "card.md"
TEMPLATE = "report.html.jinja"


def write_report(evaluation: Evaluation, folder: Path) -> Path:
    """Write page, data and card section into `folder`, made if need be, and return the page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(page(evaluation), encoding="utf-8")
    (folder / DATA).write_text(json.dumps(document(evaluation), ensure_ascii=False, indent=2), encoding="utf-8")
    (folder / CARD).write_text(card_section(evaluation), encoding="utf-8")
    return folder / PAGE


def page(evaluation: Evaluation) -> str:
    """HTML that needs nothing beside itself."""
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
        left_out=left_out(evaluation),
        recall_of=recall_of(evaluation),
        pictures=drawn(evaluation),
        slices=[(by, list(group)) for by, group in groupby(evaluation.slices, key=lambda slice_: slice_.by)],
        margin=MARGIN,
        target=TARGET_ACCURACY,
        small=SMALL,
    )


def picture(svg: str, said: str) -> Markup:
    """An image in the page; `said`: what it shows, for whoever does not see it."""
    encoded = base64.b64encode(svg.encode()).decode()
    return Markup('<img src="data:image/svg+xml;base64,{}" alt="{}">').format(encoded, said)


def columns(evaluation: Evaluation) -> dict[str, Measured]:
    """What stands side by side: the model, the rule, the baselines, and the model on the other mix."""
    mixes = {
        f"model, {mix.name} mix": Measured(figures=mix.figures, intervals=mix.intervals, humans=())
        for mix in evaluation.mixes
    }
    rule = {"model or narrative": evaluation.with_rule} if evaluation.with_rule else {}
    return {MODEL: evaluation.measured, **rule, **evaluation.baselines, **mixes}


def headline(evaluation: Evaluation) -> str:
    """The measure that people are compared by."""
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
    """Markdown: the figures of the model card, with what they were measured on and what was not reached."""
    side_by_side = columns(evaluation)
    head = f"| measure | {' | '.join(side_by_side)} |\n|---|{'---|' * len(side_by_side)}"
    rows = "\n".join(
        f"| {NAMES[name]} | {' | '.join(figure(column, name) for column in side_by_side.values())} |"
        for name in shown(evaluation.measured)
    )
    people = "\n".join(f"- {comparison(human)}" for human in evaluation.measured.humans)
    warned = "".join(f"**{warning}**\n\n" for warning in warnings(evaluation))
    return f"""## Figures

{warned}Measured on {left_out(evaluation)}. Data sha256 `{evaluation.subject.data_fingerprint}`.
In brackets: 95 % intervals by bootstrap over the groups. Recall and precision: of {recall_of(evaluation)}.

{head}
{rows}

Beside people, give or take {100 * MARGIN:.0f} points:

{people or "- nothing is known of people at this task"}
"""
