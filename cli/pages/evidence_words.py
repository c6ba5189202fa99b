"""Figures of evidence in words, the same on the page and in the terminal."""

from cli.pages.formats import p_value
from cli.pages.formats import percent as percent
from cli.pages.formats import points as points
from triage.promotion.evidence import Comparison, Evidence

PASSED = {True: "passed", False: "failed", None: "open"}
MARKS = {True: "✓", False: "✗", None: "…"}
"""So that no gate is told by colour alone."""
ASSISTED = "(people saw the answer)"


def name(comparison: Comparison) -> str:
    return comparison.metric + (f" on {comparison.group}" if comparison.group else "")


def interval(comparison: Comparison) -> str:
    """At every look. Without differences it is all that there could be."""
    return f"{points(comparison.lower)} to {points(comparison.upper)}" if comparison.n else "-"


def fixed(comparison: Comparison) -> str:
    test = comparison.fixed
    return f"{p_value(test.p_value)}, {test.name.partition(',')[0]}" if test else ""


def stage(evidence: Evidence) -> str:
    return "in shadow" if evidence.stage == "shadow" else f"answers {evidence.stage / 100:g} %"
