"""Figures of evidence in words, the same on the page and in the terminal."""

from triage.promotion.evidence import Comparison, Evidence

PASSED = {True: "passed", False: "failed", None: "open"}
MARKS = {True: "✓", False: "✗", None: "…"}
"""So that no gate is told by colour alone."""
ASSISTED = "(people saw the answer)"


def points(value: float | None) -> str:
    """
    >>> points(0.0316), points(-0.1), points(None)
    ('+3.2', '-10.0', '-')
    """
    return "-" if value is None else f"{100 * value:+.1f}"


def percent(value: float | None) -> str:
    """
    >>> percent(0.8049), percent(None)
    ('80.5 %', '-')
    """
    return "-" if value is None else f"{100 * value:.1f} %"


def p_value(value: float) -> str:
    """
    >>> p_value(0.0234), p_value(0.00001), p_value(1.0)
    ('0.023', '< 0.001', '1.000')
    """
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


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
