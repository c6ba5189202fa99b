"""The accuracy of people at the same work, and whether a model is as good within a margin of three points."""

from dataclasses import dataclass
from math import ceil
from typing import Literal

from training.evaluation.intervals import Interval, Intervals
from training.evaluation.measures import Figures

MARGIN = 0.03
"""A model that is worse than people by at most this counts as equally good."""

Z = 1.96
"""Quantile of the normal distribution for a 95 % interval."""

Verdict = Literal["reached", "not reached", "undecided"]


@dataclass(frozen=True)
class Human:
    """A level that the triage team reaches, according to the business's own figures."""

    who: str
    task: str
    measure: str
    level: float


HUMANS = (
    Human("triage team, by its re-allocation rate", "product", "accuracy", 0.80),
    Human("triage team, by another account", "product", "accuracy", 0.90),
    Human("triage team, first issue equals final issue", "issue", "accuracy", 0.71),
    Human("triage team, vulnerable customers found at first contact", "vulnerable", "recall", 0.60),
)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The model beside one level of people.

    n: complaints from which the figure is computed. needed: how many are needed for an interval of ±MARGIN.
    """

    who: str
    measure: str
    level: float
    value: float | None
    interval: Interval | None
    verdict: Verdict
    n: int
    needed: int


def compare(task: str, figures: Figures, intervals: Intervals, *, n: int, positives: int) -> tuple[Comparison, ...]:
    """Compare with every level of people at the task. positives: complaints with the label that the task looks for."""
    return tuple(
        Comparison(
            who=human.who,
            measure=human.measure,
            level=human.level,
            value=figures[human.measure],
            interval=intervals[human.measure],
            verdict=verdict(intervals[human.measure], human.level),
            n=positives if human.measure == "recall" else n,
            needed=ceil(human.level * (1 - human.level) * (Z / MARGIN) ** 2),
        )
        for human in HUMANS
        if human.task == task
    )


def verdict(interval: Interval | None, level: float, *, margin: float = MARGIN) -> Verdict:
    """Return `reached` if the whole interval is above the level minus the margin, `not reached` if it is below.

    >>> verdict(Interval(0.78, 0.83), 0.80), verdict(Interval(0.70, 0.76), 0.80), verdict(Interval(0.75, 0.80), 0.80)
    ('reached', 'not reached', 'undecided')
    """
    if interval is None or interval.low <= level - margin < interval.high:
        return "undecided"
    return "reached" if interval.low > level - margin else "not reached"
