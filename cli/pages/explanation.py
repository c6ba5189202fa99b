"""A delivered explanation as page and as chart."""

from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from training.evaluation.drawing import BLUE, ORANGE, STYLE, axes, short
from training.evaluation.drawing import svg as drawn
from triage.explanation.delivered import Delivered, Passage
from triage.explanation.rationale import checks_in_words, percent, points

TEMPLATE = "explanation.html.jinja"
STRONGEST = 0.75
"""How opaque the colour of the part is that moved the answer most."""

DOTS_PER_INCH = 144


def page(delivered: Delivered) -> str:
    """HTML that needs nothing beside itself."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: "none" if value is None else value,
    )
    environment.filters |= {"percent": percent, "points": points}
    return environment.get_template(TEMPLATE).render(
        delivered=delivered,
        entry=delivered.explanation,
        explained=delivered.explanation.explained,
        chart=Markup(svg(delivered)),
        tint=Tint(delivered),
        checks=list(checks_in_words(delivered.explanation.explained)),
    )


class Tint:
    """The background of a part: blue where it speaks for the label, orange where against; never by colour alone, as
    the page names the figure of each sentence too."""

    def __init__(self, delivered: Delivered) -> None:
        self._sentences = max((abs(passage.label) for passage in delivered.sentences), default=0.0) or 1.0
        words = (word for passage in delivered.sentences for word in passage.words)
        self._words = max((abs(word.label) for word in words), default=0.0) or 1.0

    def sentence(self, passage: Passage) -> str:
        return _colour(passage.label / self._sentences)

    def word(self, passage: Passage) -> str:
        return _colour(passage.label / self._words)


def _colour(strength: float) -> str:
    red, green, blue = (int((BLUE if strength > 0 else ORANGE)[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {STRONGEST * min(1.0, abs(strength)):.2f})"


def svg(delivered: Delivered) -> str:
    return drawn(chart(delivered))


def png(delivered: Delivered) -> bytes:
    buffer = BytesIO()
    # Without what the library says of itself: the same figures give the same bytes.
    unsigned: dict[str, Any] = {"Software": None}
    with mpl.rc_context(STYLE):
        figure = chart(delivered)
        figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight", metadata=unsigned)
    return buffer.getvalue()


def chart(delivered: Delivered) -> Figure:
    """By how many points each sentence moved the label, and the runner-up."""
    explained = delivered.explanation.explained
    count = len(delivered.sentences)
    figure, axis = axes(height=1.5 + 0.42 * count)
    places = list(range(count, 0, -1))
    label, runner_up = short(explained.label), short(explained.runner_up)
    for shift, values, colour, name, hatch in (
        (0.19, [passage.label for passage in delivered.sentences], BLUE, label, ""),
        (-0.19, [passage.runner_up for passage in delivered.sentences], ORANGE, f"{runner_up} (next)", "//"),
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
    axis.axvline(0, color="#595959", linewidth=0.8)
    axis.set_yticks(places, [f"sentence {number}" for number in range(1, count + 1)])
    axis.set_ylim(0.4, count + 0.6)
    axis.set_xlabel("moved the calibrated probability by … points")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, ncols=2)
    return figure
