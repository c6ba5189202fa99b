"""A picture of one prediction: its most probable labels as bars, and the thresholds that they are compared with."""

from collections.abc import Iterator

from markupsafe import Markup

from cli.pages.story_words import in_words
from triage.story import PredictionEntry

WIDTH, ROW, LABEL, FIGURE = 560, 22, 210, 54
"""Pixels: width of the picture, height of a row, widths of the columns of labels and of figures."""

LONGEST = 30
"""Longer labels are cut after so many characters."""

BAR, OTHER, LIMIT = "#0072B2", "#9db8c9", "#D55E00"


def bars(said: PredictionEntry) -> Markup:
    """Return the picture as SVG. It is written by hand, because importing matplotlib takes seconds."""
    height = ROW * len(said.top) + 4
    parts = Markup("").join([*_rows(said), *_limits(said, height)])
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
        'aria-label="{said}" font-family="Arial, Helvetica, sans-serif" font-size="12">{parts}</svg>'
    ).format(w=WIDTH, h=height, said=alternative(said), parts=parts)


def alternative(said: PredictionEntry) -> str:
    """Return what the picture shows, for readers who cannot see it."""
    shown = "; ".join(f"{one.label} {one.probability:.3f}" for one in said.top)
    return f"Most probable labels: {shown}. Thresholds: {in_words(said.thresholds)}."


def _rows(said: PredictionEntry) -> Iterator[Markup]:
    for number, one in enumerate(said.top):
        top = ROW * number + 4
        colour = BAR if one.label == said.label else OTHER
        yield Markup(
            '<text x="{label}" y="{text}" text-anchor="end" fill="#1a1a1a">{name}</text>'
            '<rect x="{start}" y="{top}" width="{width:.1f}" height="{high}" fill="{colour}"/>'
            '<text x="{figure}" y="{text}" fill="#1a1a1a">{probability:.3f}</text>'
        ).format(
            label=LABEL - 8,
            text=top + 12,
            name=one.label if len(one.label) <= LONGEST else f"{one.label[: LONGEST - 1]}…",
            start=LABEL,
            top=top,
            width=max(1.0, one.probability * _SCALE),
            high=ROW - 6,
            colour=colour,
            figure=WIDTH - FIGURE + 8,
            probability=one.probability,
        )


_SCALE = WIDTH - LABEL - FIGURE


def _limits(said: PredictionEntry, height: int) -> Iterator[Markup]:
    """The threshold of a single label crosses its bar only. The one from which no person is needed crosses all bars."""
    if said.thresholds.auto is not None:
        yield _limit(said.thresholds.auto, 0, height, "")
    flagged = [number for number, one in enumerate(said.top) if one.label == said.positive_label]
    if said.thresholds.flag is not None and flagged:
        top = ROW * flagged[0]
        yield _limit(said.thresholds.flag, top + 1, top + ROW, "3 2")


def _limit(threshold: float, start: int, end: int, dashes: str) -> Markup:
    return Markup(
        '<line x1="{x:.1f}" x2="{x:.1f}" y1="{start}" y2="{end}" stroke="{colour}" stroke-width="2" '
        'stroke-dasharray="{dashes}"/>'
    ).format(x=LABEL + threshold * _SCALE, start=start, end=end, colour=LIMIT, dashes=dashes)
