"""The evidence about one challenger and its figures as text, shared by the page and the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

from cli.pages.formats import p_value, points
from triage.promotion.comparison import compare, metrics
from triage.promotion.engine import Gate, Judgement
from triage.promotion.evidence import Comparison, Evidence, Labelled
from triage.promotion.gates import Gates
from triage.promotion.steps import Course
from triage.strategies.ledger import LedgerEntry

LOOKS = 60
"""Largest number of points in a trail."""

PASSED = {True: "passed", False: "failed", None: "open"}
MARKS = {True: "✓", False: "✗", None: "…"}
"""Signs for a gate that is passed, failed or undecided, so that colour alone carries no meaning."""

REVIEWERS = 10
"""Of those who labelled, those with the largest shares are shown."""


def passed(gate: Gate) -> str:
    return PASSED[gate.passed] + (" (advisory: a point estimate)" if gate.advisory else "")


ASSISTED = "(people saw the answer)"


@dataclass(frozen=True, kw_only=True)
class Case:
    """The evidence about one challenger: the present evidence, or a stored document.

    challenger: the name of its arm. course: what the promotion engine would do, for present evidence only. change: the
    ledger entry that names the document. labelled: None for a document, which has figures only. positive_label: see
    `metrics`.
    """

    challenger: str
    evidence: Evidence
    judgement: Judgement
    gates: Gates
    course: Course | None = None
    change: LedgerEntry | None = None
    labelled: tuple[Labelled, ...] | None = None
    positive_label: str | None = None


@dataclass(frozen=True)
class Look:
    """The primary metric after the first `labels` labels that count."""

    labels: int
    comparison: Comparison


def trail(case: Case) -> tuple[Look, ...]:
    """Return the primary metric at about LOOKS moments: after every k labels in order of time, and after all."""
    gates = case.gates
    counted = [label for label in case.labelled or () if gates.counts(blind=label.blind, inclusion=label.inclusion)]
    if not counted:
        return ()
    counted.sort(key=lambda label: (label.at, label.complaint_id))
    step = -(-len(counted) // LOOKS)
    ends = dict.fromkeys((*range(step, len(counted) + 1, step), len(counted)))
    return tuple(Look(end, _primary(case, counted[:end])) for end in ends)


def _primary(case: Case, labelled: Sequence[Labelled]) -> Comparison:
    primary, *_ = metrics(case.positive_label, case.gates.human_accuracy)
    return compare(labelled, primary, min_inclusion=case.gates.min_inclusion, alpha=case.gates.alpha)


def left_out(case: Case) -> dict[str, int]:
    """Return how many labels do not count, by reason.

    A stored document has only totals, so some of its assisted labels may also be labels that were not drawn.
    """
    gates, evidence = case.gates, case.evidence
    if case.labelled is None:
        assisted = evidence.assisted.n if evidence.assisted and gates.labels == "blind" else 0
        counts = {
            "not drawn at random, or drawn too rarely to stand for others": evidence.unrepresentative,
            "the person saw an answer, which biases the label (some may also not be drawn)": assisted,
        }
    else:
        chances = [label.inclusion for label in case.labelled]
        drawn = sum(map(gates.represents_others, chances))
        undrawn = chances.count(None)
        rare = f"drawn with a probability below {100 * gates.min_inclusion:g} %, which the gates do not allow"
        counts = {
            "not drawn at random, so they stand for no other complaints": undrawn,
            rare: len(chances) - drawn - undrawn,
            "drawn, but the person saw an answer, which biases the label": drawn - evidence.labels,
        }
    return {reason: count for reason, count in counts.items() if count}


def interval(comparison: Comparison) -> str:
    """Return the bounds, which are valid at every look; `-` without labels."""
    return f"{points(comparison.lower)} to {points(comparison.upper)}" if comparison.n else "-"


def fixed_test(comparison: Comparison) -> str:
    test = comparison.fixed
    return f"{p_value(test.p_value)}, {test.name.partition(',')[0]}" if test else ""


def stage(evidence: Evidence) -> str:
    return "in shadow" if evidence.stage == "shadow" else f"answers {evidence.stage / 100:g} %"
