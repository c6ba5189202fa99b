"""The pictures of an evidence page as SVG. Colour alone carries no meaning."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter

from cli.pages.evidence_case import Case, Look
from training.evaluation.drawing import BLUE, GREEN, GREY, ORANGE, axes, in_percent, short, svg
from triage.promotion.evidence import Comparison, Delivered
from triage.promotion.gates import Gates
from triage.statistics import Bin
from triage.strategies.strategy import BUCKETS

ROOM = 1.15
"""Length of an axis, in lengths of the longest interval on it."""


def trail(case: Case, looks: Sequence[Look]) -> str:
    """Draw the difference and its bounds over the number of labels, and the line that the lower bound has to pass."""
    figure, axis = axes(width=8.0, height=3.8)
    known = [look for look in looks if look.comparison.n]
    at = [look.labels for look in known]
    lower, upper = [one.comparison.lower for one in known], [one.comparison.upper for one in known]
    axis.fill_between(at, lower, upper, color=BLUE, alpha=0.18, linewidth=0, label="bounds, valid at every look")
    axis.plot(at, lower, color=BLUE, linewidth=1)
    axis.plot(at, upper, color=BLUE, linewidth=1)
    axis.plot(
        at, [one.comparison.difference or 0.0 for one in known], color=BLUE, linewidth=2, marker="o", markersize=3
    )
    axis.plot([], [], color=BLUE, linewidth=2, marker="o", markersize=3, label="challenger less champion")
    axis.axhline(case.gates.needed, color=ORANGE, linestyle="--", linewidth=1.5, label=_needed_label(case.gates))
    if case.gates.needed:
        axis.axhline(0, color=GREY, linewidth=0.8)
    if case.gates.min_labels <= max(at, default=0):
        axis.axvline(case.gates.min_labels, color=GREY, linestyle=":", linewidth=1.2, label="nothing is decided before")
    # The first bounds reach from -1 to 1, and would hide the rest.
    late = known[len(known) // 5 :]
    reach = max([2 * case.gates.margin, *(max(-one.comparison.lower, one.comparison.upper) for one in late)])
    axis.set_ylim(-min(1.0, ROOM * reach), min(1.0, ROOM * reach))
    axis.set_xlim(0, max(at, default=1) * 1.02)
    in_points(axis.yaxis)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.set_xlabel("labels that count, in the order in which people gave them")
    axis.set_ylabel(f"{case.evidence.primary.metric}, points")
    _legend_above(axis)
    return svg(figure)


def delivered(delivery: Delivered) -> str:
    """Draw each arm's share of the answered buckets, with a line at the intended share."""
    figure, axis = axes(width=8.0, height=1.0 + 0.5 * len(delivery.intended))
    total = sum(delivery.counted.values())
    names = list(delivery.intended)
    for place, arm in enumerate(reversed(names)):
        share, intended = (delivery.counted[arm] / total if total else 0.0), delivery.intended[arm] / BUCKETS
        axis.barh(place, share, height=0.5, color=BLUE, alpha=0.55, label=_on_first("delivered", place))
        axis.plot(
            (intended, intended),
            (place - 0.38, place + 0.38),
            color=ORANGE,
            linewidth=3,
            label=_on_first("intended", place),
        )
        text = f"{100 * share:.1f} % of {100 * intended:g} %"
        axis.text(max(share, intended) + 0.012, place, text, va="center", fontsize=9)
    axis.set_yticks(range(len(names)), [short(arm) for arm in reversed(names)])
    axis.set_ylim(-0.6, len(names) - 0.4)
    axis.set_xlim(0, 1.22)
    axis.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    in_percent(axis.xaxis)
    axis.set_xlabel("share of the buckets answered")
    _legend_above(axis)
    return svg(figure)


def reliability(champion: Sequence[Bin], challenger: Sequence[Bin]) -> str:
    """Draw accuracy over confidence of both sides. The area of a point is its part of the answers."""
    figure, axis = axes(width=5.4, height=4.6)
    axis.plot((0, 1), (0, 1), color=GREY, linestyle="--", linewidth=1, label="confidence is true")
    sides = (("champion", champion, ORANGE, "s", ":"), ("challenger", challenger, BLUE, "o", "-"))
    for side, bins, colour, marker, line in sides:
        if not bins:
            continue
        total = sum(one.weight for one in bins)
        across, up = [one.confidence for one in bins], [one.accuracy for one in bins]
        axis.plot(across, up, color=colour, linestyle=line, linewidth=1.2)
        sizes = [20 + 500 * one.weight / total for one in bins]
        axis.scatter(across, up, s=sizes, color=colour, marker=marker, alpha=0.6, linewidths=0)
        axis.plot([], [], color=colour, linestyle=line, marker=marker, linewidth=1.2, label=side)
    axis.set_xlim(0, 1.03)
    axis.set_ylim(0, 1.03)
    in_percent(axis.xaxis, axis.yaxis)
    axis.set_xlabel("confidence")
    axis.set_ylabel("accuracy")
    axis.legend(loc="upper left", frameon=False, fontsize=9)
    return svg(figure)


def forest(case: Case) -> str:
    """Draw every difference with its bounds. A hollow point has too few labels, or labels that do not count."""
    rows = [(metric, metric.name) for metric in case.evidence.comparisons]
    if case.evidence.assisted is not None:
        rows.append((case.evidence.assisted, f"{case.evidence.assisted.metric}, people saw the answer"))
    figure, axis = axes(width=8.0, height=1.2 + 0.34 * len(rows))
    reach = min(1.0, ROOM * _longest([metric for metric, _ in rows if not _is_hollow(metric, case)], case))
    for place, (metric, _) in enumerate(reversed(rows)):
        if metric.difference is None:
            axis.text(0, place, " no labels yet", va="center", fontsize=9, color=GREY)
            continue
        colour = GREY if metric is case.evidence.assisted else GREEN if metric is case.evidence.primary else BLUE
        ends = (max(metric.lower, -reach), min(metric.upper, reach))
        axis.plot(ends, (place, place), color=colour, linewidth=3, alpha=0.45, solid_capstyle="butt")
        face = "white" if _is_hollow(metric, case) else colour
        axis.plot(
            min(max(metric.difference, -reach), reach), place, "o", color=colour, markerfacecolor=face, clip_on=False
        )
    axis.axvline(0, color=GREY, linewidth=1)
    axis.axvline(-case.gates.margin, color=ORANGE, linestyle="--", linewidth=1.2)
    axis.set_yticks(range(len(rows)), [f"{short(label, 46)} ({metric.n:,})" for metric, label in reversed(rows)])
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.set_xlim(-reach, reach)
    in_points(axis.xaxis)
    axis.set_xlabel("challenger less champion, points (dashed: the margin)")
    return svg(figure)


def in_points(*along: Axis) -> None:
    for axis in along:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:+g}" if round(value, 9) else "0"))


def _longest(judged: Sequence[Comparison], case: Case) -> float:
    return max([2 * case.gates.margin, *(max(-one.lower, one.upper) for one in judged if one.n)])


def _is_hollow(comparison: Comparison, case: Case) -> bool:
    return comparison is case.evidence.assisted or (
        comparison.group is not None and comparison.n < case.gates.min_group
    )


def _needed_label(gates: Gates) -> str:
    if gates.claim == "superiority":
        return "to be better, the lower bound has to pass 0"
    return f"not to be worse, the lower bound has to pass {100 * gates.needed:+g} points"


def _on_first(label: str, place: int) -> str | None:
    return label if place == 0 else None


def _legend_above(axis: Axes) -> None:
    """Place the legend above the axes, where it covers no data."""
    axis.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False, fontsize=9)
