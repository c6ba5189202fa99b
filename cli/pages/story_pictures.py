"""The most probable labels of a prediction as bars, with the thresholds that they were held against."""

from collections.abc import Iterator

from markupsafe import Markup

from triage.timeline.events import Predicted

WIDTH, ROW, LABEL, FIGURE = 560, 22, 210, 54
"""Of the picture, one bar's row, the column of labels and that of figures: pixels."""

LONGEST = 30
"""Characters of a label."""

BAR, OTHER, LIMIT = "#0072B2", "#9db8c9", "#D55E00"


def bars(said: Predicted) -> Markup:
    """By hand, since what draws other pictures takes seconds to import."""
    height = ROW * len(said.top) + 4
    parts = Markup("").join([*_rows(said), *_limits(said, height)])
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
        'aria-label="{said}" font-family="Arial, Helvetica, sans-serif" font-size="12">{parts}</svg>'
    ).format(w=WIDTH, h=height, said=alternative(said), parts=parts)


def alternative(said: Predicted) -> str:
    """What the picture shows, for whoever does not see it."""
    shown = "; ".join(f"{one.label} {one.probability:.3f}" for one in said.top)
    return f"Most probable labels: {shown}. Thresholds: {said.facts['thresholds']}."


def _rows(said: Predicted) -> Iterator[Markup]:
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


def _limits(said: Predicted, height: int) -> Iterator[Markup]:
    """A threshold on one label stands at its bar; the one from which no person is needed is for whichever is given."""
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
