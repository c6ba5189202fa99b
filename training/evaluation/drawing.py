"""The style of pictures: self-contained SVG, with the colours of Okabe and Ito for colour-blind readers."""

import re
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#595959"

STYLE: Any = {
    "svg.fonttype": "none",
    # Makes equal figures give equal bytes.
    "svg.hashsalt": "evaluation",
    "font.family": "sans-serif",
    "font.sans-serif": ["Arial", "Helvetica", "DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
    "axes.axisbelow": True,
}


def svg(figure: Figure) -> str:
    """Return the SVG element, without prologue and date."""
    buffer = StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    drawn = buffer.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)


def axes(*, width: float = 6.4, height: float = 3.6) -> tuple[Figure, Axes]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        return figure, figure.add_subplot()


def in_percent(*along: Axis) -> None:
    for axis in along:
        # With as many decimals as the axis needs: 67.5 must not be shown as 68.
        axis.set_major_formatter(PercentFormatter(xmax=1, decimals=None, symbol=" %"))


def short(label: str, width: int = 34) -> str:
    """Shorten a label and escape its dollar signs, which would begin a formula."""
    return (label if len(label) <= width else label[: width - 1] + "…").replace("$", r"\$")
