"""One of four verdicts on a challenger, with the reasons in words and numbers."""

from typing import Literal

from triage.contracts import Contract
from triage.promotion.evidence import Comparison, Evidence, Operations
from triage.promotion.gates import Gates, Guardrails

Verdict = Literal["promote", "hold", "roll_back", "inconclusive"]

DULLER = 0.1
"""By how much less often the champion has to give its commonest label before a constant output is the challenger's."""


class Gate(Contract):
    """passed: None where the evidence does not say yet."""

    name: str
    passed: bool | None
    detail: str


class Judgement(Contract):
    verdict: Verdict
    reasons: tuple[str, ...]
    gates: tuple[Gate, ...] = ()


def judge(evidence: Evidence, gates: Gates, guardrails: Guardrails) -> Judgement:
    """Operational guardrails roll back at once, and quality on evidence; what is promoted has passed every gate.

    All gates have to be passed, so each may be held at the full alpha (intersection-union). What rolls back is a metric
    that is shown to be worse, at every look together with a probability of alpha at most if it is not.
    """
    checked = _gates(evidence, gates)
    breaches = breached(evidence, guardrails)
    if breaches:
        return Judgement(verdict="roll_back", reasons=breaches, gates=checked)
    worse = _worse(evidence, gates)
    if worse:
        return Judgement(verdict="roll_back", reasons=worse, gates=checked)
    waiting = _waiting(evidence, gates)
    if waiting:
        return Judgement(verdict="inconclusive", reasons=waiting, gates=checked)
    failed = [gate for gate in checked if gate.passed is False]
    unknown = [gate for gate in checked if gate.passed is None]
    if not failed and not unknown:
        return Judgement(verdict="promote", reasons=(_told(evidence.primary),), gates=checked)
    exhausted = evidence.primary.n >= gates.max_labels
    reasons = tuple(f"{gate.name}: {gate.detail}" for gate in (*failed, *unknown))
    return Judgement(verdict="hold" if failed or exhausted else "inconclusive", reasons=reasons, gates=checked)


def breached(evidence: Evidence, guardrails: Guardrails) -> tuple[str, ...]:
    """What is wrong with how the challenger runs, beside the champion at the same time."""
    ours, theirs = evidence.challenger_operations, evidence.champion_operations
    if ours.asked < guardrails.min_predictions:
        return ()
    found = []
    if ours.error_rate > theirs.error_rate + guardrails.max_error_increase:
        found.append(f"{ours.failures} of {ours.asked} failed, of the champion's {theirs.failures} of {theirs.asked}")
    if ours.predictions >= guardrails.min_predictions and theirs.predictions:
        found += _slow(ours, theirs, guardrails) + _constant(ours, theirs, guardrails)
    return tuple(found)


def _slow(ours: Operations, theirs: Operations, guardrails: Guardrails) -> list[str]:
    slow, usual = ours.p95_ms or 0.0, theirs.p95_ms or 0.0
    if slow > usual * guardrails.max_p95_ratio and slow > usual + guardrails.max_p95_increase_ms:
        return [f"p95 is {slow:.0f} ms, the champion's {usual:.0f} ms"]
    return []


def _constant(ours: Operations, theirs: Operations, guardrails: Guardrails) -> list[str]:
    share, usual = ours.commonest_share or 0.0, theirs.commonest_share or 0.0
    if share > guardrails.max_constant_share and share >= usual + DULLER:
        return [f"{share:.0%} of its answers are one label, {usual:.0%} of the champion's"]
    return []


def _worse(evidence: Evidence, gates: Gates) -> tuple[str, ...]:
    primary = evidence.primary
    found = []
    if primary.n >= gates.min_labels and primary.upper < _needed(gates):
        found.append(f"{_told(primary)}: worse")
    for other in evidence.others:
        if other.n >= gates.min_labels and other.upper < -gates.margin:
            found.append(f"{_told(other)}: worse by more than the margin")
    for group in evidence.groups:
        if group.n >= gates.min_group and group.upper < -gates.margin:
            found.append(f"{_told(group)}: worse by more than the margin")
    return tuple(found)


def _waiting(evidence: Evidence, gates: Gates) -> tuple[str, ...]:
    found = []
    if evidence.primary.n < gates.min_labels:
        found.append(f"{evidence.primary.n} of {gates.min_labels} labels")
    if evidence.hours < gates.min_hours:
        found.append(f"{evidence.hours:.1f} of {gates.min_hours:g} hours")
    return tuple(found)


def _needed(gates: Gates) -> float:
    """The difference of the primary metric that has to be exceeded."""
    return 0.0 if gates.claim == "superiority" else -gates.margin


def _gates(evidence: Evidence, gates: Gates) -> tuple[Gate, ...]:
    needed = _needed(gates)
    primary = Gate(
        name=f"{gates.claim.replace('_', '-')} of {evidence.primary.metric}",
        passed=True if evidence.primary.lower > needed else None,
        detail=_figures(evidence.primary),
    )
    others = tuple(
        Gate(name=f"no loss of {other.metric}", passed=_no_loss(other, gates), detail=_figures(other))
        for other in evidence.others
    )
    return (primary, *others, *_group_gates(evidence, gates), _calibration_gate(evidence, gates))


def _no_loss(other: Comparison, gates: Gates) -> bool | None:
    """Undecided while more labels might still show it."""
    if other.lower > -gates.margin:
        return True
    return False if other.n >= gates.max_labels else None


def _group_gates(evidence: Evidence, gates: Gates) -> tuple[Gate, ...]:
    judged = [group for group in evidence.groups if group.n >= gates.min_group and group.difference is not None]
    return tuple(
        Gate(
            name=f"no loss on {group.group}",
            passed=group.difference is not None and group.difference >= -gates.margin,
            detail=_figures(group),
        )
        for group in judged
    )


def _calibration_gate(evidence: Evidence, gates: Gates) -> Gate:
    ours, theirs = evidence.challenger_calibration.error, evidence.champion_calibration.error
    if ours is None or theirs is None:
        return Gate(name="no loss of calibration error", passed=None, detail="no labels yet")
    detail = f"{ours:.3f}, the champion's {theirs:.3f}"
    return Gate(name="no loss of calibration error", passed=ours <= theirs + gates.margin, detail=detail)


def _told(comparison: Comparison) -> str:
    name = comparison.metric + (f" on {comparison.group}" if comparison.group else "")
    return f"{name}: {_figures(comparison)}"


def _figures(comparison: Comparison) -> str:
    if comparison.difference is None:
        return "no labels yet"
    return (
        f"{100 * comparison.difference:+.1f} points "
        f"[{100 * comparison.lower:+.1f}, {100 * comparison.upper:+.1f}] on {comparison.n:,} labels"
    )
