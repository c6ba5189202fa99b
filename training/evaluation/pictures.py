"""The pictures of an evaluation as SVG. Whatever a colour shows, a shape or text shows too."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from training.evaluation.curves import Bin, Covered
from training.evaluation.drawing import BLUE, GREEN, GREY, ORANGE, axes, in_percent, short, svg
from training.evaluation.humans import Comparison
from training.evaluation.intervals import Interval
from training.evaluation.learning import LearningCurve, power_law
from training.evaluation.slices import SMALL, Slice

MOST_CLASSES = 15
"""Labels of the largest matrix that is still readable."""

Values = Mapping[str, tuple[float, Interval | None]]


def beside(values: Values, humans: Sequence[Comparison], *, measure: str) -> str:
    """Draw each model's figure with its interval, and the levels of people as dashed lines."""
    figure, axis = axes(height=1.1 + 0.45 * len(values))
    places = np.arange(len(values))[::-1]
    for place, (value, interval) in zip(places, values.values(), strict=True):
        if interval is not None:
            axis.plot(interval, (place, place), color=BLUE, linewidth=3, alpha=0.45, solid_capstyle="butt")
        axis.plot(value, place, "o", color=BLUE)
    for human in humans:
        axis.axvline(human.level, color=ORANGE, linestyle="--", linewidth=1.2)
        axis.annotate(
            f"{100 * human.level:.0f} %",
            (human.level, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            color=ORANGE,
            ha="center",
            fontsize=9,
        )
    axis.set_yticks(places, list(values))
    axis.set_ylim(-0.6, len(values) - 0.4)
    in_percent(axis.xaxis)
    axis.set_xlim(0, 1)
    people = " (dashed: people)" if humans else ""
    axis.set_xlabel(f"{measure}, with its 95 % interval{people}")
    return svg(figure)


def coverage(curve: Sequence[Covered], humans: Sequence[Comparison], *, auto: float | None) -> str:
    """Draw the accuracy of the most confident answers against their share."""
    figure, axis = axes()
    axis.plot([point.coverage for point in curve], [point.accuracy for point in curve], color=BLUE, linewidth=2)
    for level in sorted({human.level for human in humans if human.measure == "accuracy"} | {0.9}):
        axis.axhline(level, color=ORANGE, linestyle="--", linewidth=1)
        axis.annotate(f"{100 * level:.0f} %", (1.0, level), xytext=(4, -3), textcoords="offset points", color=ORANGE)
    taken = [point for point in curve if auto is not None and point.threshold >= auto]
    if taken:
        last = taken[-1]
        axis.plot(last.coverage, last.accuracy, "D", color=GREEN, markersize=8, label="the model's own threshold")
        axis.legend(loc="lower left", frameon=False)
    axis.set_xlim(0, 1)
    # The accuracy of the first few answers jumps between 0 and 1.
    settled = [point.accuracy for point in curve if point.coverage >= 0.02]
    axis.set_ylim(max(0.0, min(settled, default=0.0) - 0.1), 1.02)
    in_percent(axis.xaxis, axis.yaxis)
    axis.set_xlabel("coverage: share of complaints answered without a person")
    axis.set_ylabel("accuracy of those")
    return svg(figure)


def reliability(bins: Sequence[Bin]) -> str:
    """Draw accuracy against confidence; the area of a point shows its number of answers."""
    figure, axis = axes(width=4.6, height=4.2)
    total = sum(bin_.n for bin_ in bins)
    axis.plot((0, 1), (0, 1), color=GREY, linestyle="--", linewidth=1, label="confidence equals accuracy")
    axis.plot([bin_.confidence for bin_ in bins], [bin_.accuracy for bin_ in bins], color=BLUE, linewidth=1)
    axis.scatter(
        [bin_.confidence for bin_ in bins],
        [bin_.accuracy for bin_ in bins],
        s=[20 + 600 * bin_.n / total for bin_ in bins],
        color=BLUE,
        alpha=0.7,
        label="answers, by area",
    )
    axis.set_xlim(0, 1.03)
    axis.set_ylim(0, 1.03)
    in_percent(axis.xaxis, axis.yaxis)
    axis.set_xlabel("confidence")
    axis.set_ylabel("accuracy")
    legend = axis.legend(loc="upper left", frameon=False)
    for handle in legend.legend_handles:
        if handle is not None and hasattr(handle, "set_sizes"):
            handle.set_sizes([40])
    return svg(figure)


def confusion(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> str | None:
    """Draw the predicted labels as shares of each true label; None if there are more than MOST_CLASSES labels."""
    counts = np.array(matrix)
    occurs = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    if len(occurs) > MOST_CLASSES:
        return None
    counts = counts[np.ix_(occurs, occurs)]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [short(labels[place]) for place in occurs.tolist()]
    figure, axis = axes(width=2.6 + 0.5 * len(names), height=1.6 + 0.42 * len(names))
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axis.grid(False)
    for row, column in np.argwhere(counts > 0):
        value = shares[row, column]
        shown = f"{100 * value:.0f}" if value >= 0.005 else "<1"
        colour = "white" if value > 0.55 else "black"
        axis.text(column, row, shown, ha="center", va="center", color=colour, fontsize=8)
    axis.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), [f"{name} ({n})" for name, n in zip(names, counts.sum(axis=1), strict=True)])
    axis.set_xlabel("given, in % of the true label's complaints")
    axis.set_ylabel("true (complaints)")
    return svg(figure)


def learning(curves: Mapping[str, LearningCurve]) -> str:
    """Draw learning curves by name of the model; forecasts have hollow markers."""
    figure, axis = axes()
    axis.set_xscale("log")
    for (name, curve), (colour, marker) in zip(curves.items(), ((BLUE, "o"), (ORANGE, "s")), strict=False):
        _curve(axis, curve, name=name, colour=colour, marker=marker)
    measured = {point.examples for curve in curves.values() for point in curve.points}
    marked = sorted(measured | {forecast.examples for curve in curves.values() for forecast in curve.forecasts})
    axis.set_xlim(marked[0] / 1.3, marked[-1] * 1.3)
    axis.set_xticks(marked, [f"{size:,}" for size in marked], rotation=30, ha="right", rotation_mode="anchor")
    axis.minorticks_off()
    in_percent(axis.yaxis)
    axis.set_xlabel("examples trained on")
    axis.set_ylabel(" or ".join(sorted({curve.measure.replace("_", " ") for curve in curves.values()})))
    axis.legend(loc="lower right", frameon=False)
    return svg(figure)


def _curve(axis: Axes, curve: LearningCurve, *, name: str, colour: str, marker: str) -> None:
    examples = [point.examples for point in curve.points]
    axis.plot(examples, [point.value for point in curve.points], marker, color=colour, label=name)
    if curve.fitted is None or not curve.forecasts:
        return
    ahead = [forecast.examples for forecast in curve.forecasts]
    sizes = np.geomspace(examples[0], ahead[-1], 100)
    axis.plot(sizes, power_law(sizes, *curve.fitted), color=GREY, linewidth=1)
    values = np.array([forecast.value for forecast in curve.forecasts])
    bounds = np.array([forecast.interval for forecast in curve.forecasts])
    below, above = np.maximum(values - bounds[:, 0], 0), np.maximum(bounds[:, 1] - values, 0)
    axis.errorbar(
        ahead,
        values,
        (below, above),
        fmt=marker,
        color=colour,
        markerfacecolor="white",
        capsize=4,
        label=f"{name}, extrapolated, 95 %",
    )


def sliced(slices: Sequence[Slice], *, overall: float | None) -> str:
    """Draw the accuracy of each slice with its interval; slices that are too small have hollow markers."""
    figure, axis = axes(height=0.9 + 0.28 * len(slices))
    places = np.arange(len(slices))[::-1]
    for place, slice_ in zip(places, slices, strict=True):
        if slice_.interval is not None:
            axis.plot(slice_.interval, (place, place), color=BLUE, linewidth=3, alpha=0.45, solid_capstyle="butt")
        if slice_.accuracy is not None:
            face = "white" if slice_.small else BLUE
            axis.plot(slice_.accuracy, place, "o", color=BLUE, markerfacecolor=face)
    if overall is not None:
        axis.axvline(overall, color=GREY, linestyle="--", linewidth=1)
    axis.set_yticks(places, [f"{short(slice_.value)} ({slice_.n:,})" for slice_ in slices])
    axis.set_ylim(-0.6, len(slices) - 0.4)
    axis.set_xlim(0, 1)
    in_percent(axis.xaxis)
    hollow = f"; hollow: fewer than {SMALL}" if any(slice_.small for slice_ in slices) else ""
    axis.set_xlabel(f"accuracy (dashed: all complaints{hollow})")
    return svg(figure)
