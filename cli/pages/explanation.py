"""A delivered explanation as a page and as a chart."""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from cli.pages.rendering import page_environment
from training.evaluation.drawing import BLUE, GREY, ORANGE, STYLE, axes, short
from training.evaluation.drawing import svg as drawn
from triage.explanation.delivered import Delivered, Passage

STRONGEST = 0.75
"""Opacity of the colour of the part with the largest effect."""

DOTS_PER_INCH = 144


def page(delivered: Delivered) -> str:
    """Return the page as HTML that needs no other file."""
    words = [word for passage in delivered.sentences for word in passage.words]
    environment = page_environment(sentence_tint=_tint(delivered.sentences), word_tint=_tint(words))
    return environment.get_template("explanation.html.jinja").render(
        delivered=delivered,
        entry=delivered.explanation,
        explained=delivered.explanation.explained,
        chart=Markup(svg(delivered)),
    )


def _tint(passages: Sequence[Passage]) -> Callable[[Passage], str]:
    """Return a background colour: blue for a part that raised the label's probability, orange for one that lowered it.

    The page also shows the figure of each sentence, so no fact depends on colour alone.
    """
    largest = max((abs(passage.label) for passage in passages), default=0.0) or 1.0

    def tint(passage: Passage) -> str:
        colour = BLUE if passage.label > 0 else ORANGE
        red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
        return f"rgba({red}, {green}, {blue}, {STRONGEST * abs(passage.label) / largest:.2f})"

    return tint


def svg(delivered: Delivered) -> str:
    return drawn(chart(delivered))


def png(delivered: Delivered) -> bytes:
    buffer = BytesIO()
    # Without the name of the library, so that the same figures give the same bytes.
    unsigned: dict[str, Any] = {"Software": None}
    with mpl.rc_context(STYLE):
        figure = chart(delivered)
        figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight", metadata=unsigned)
    return buffer.getvalue()


def chart(delivered: Delivered) -> Figure:
    """Return bars: by how many points each sentence changed the probability of the label and of the runner-up."""
    explained = delivered.explanation.explained
    count = len(delivered.sentences)
    figure, axis = axes(height=1.5 + 0.42 * count)
    places = list(range(count, 0, -1))
    label, runner_up = short(explained.label), short(explained.runner_up)
    for shift, values, colour, name, hatch in (
        (0.19, [passage.label for passage in delivered.sentences], BLUE, label, ""),
        (-0.19, [passage.runner_up for passage in delivered.sentences], ORANGE, f"{runner_up} (runner-up)", "//"),
    ):
        axis.barh(
            [place + shift for place in places],
            [100 * value for value in values],
            height=0.36,
            color=colour if not hatch else "white",
            edgecolor=colour,
            hatch=hatch,
            label=name,
        )
    axis.axvline(0, color=GREY, linewidth=0.8)
    axis.set_yticks(places, [f"sentence {number}" for number in range(1, count + 1)])
    axis.set_ylim(0.4, count + 0.6)
    axis.set_xlabel("change of the calibrated probability, in percentage points")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, ncols=2)
    return figure
