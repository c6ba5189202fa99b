"""What the promotion engine decides about a task's challengers: from evidence to verdict to change.

`opinions` judges each challenger, `most_urgent` picks one of the opinions, `outcome` states what follows from it, and
`requested_change` turns that into a change of the strategy.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from triage.contracts import Contract
from triage.promotion.evidence import Comparison, Evidence, Labelled
from triage.promotion.gates import Gates, Guardrails
from triage.promotion.steps import Course, Verdict, Weighed
from triage.promotion.transitions import promoted, widened, withdrawn
from triage.promotion.weighing import Observed, labelled, weigh
from triage.strategies.registry import ModelStrategy
from triage.strategies.strategy import BUCKETS, Arm, Strategy
from triage.strategies.strategy_change import ENGINE, Change, requested

SHARE_GAP = 0.1
"""A challenger's output is called constant only if the champion gives its commonest label less often by this share."""


class Gate(Contract):
    """passed: None while there is too little evidence.

    advisory: it compares a point estimate. It may hold a promotion back, and shows no absence of a loss.
    """

    name: str
    passed: bool | None
    detail: str
    advisory: bool = False


class Judgement(Contract):
    verdict: Verdict
    reasons: tuple[str, ...]
    gates: tuple[Gate, ...] = ()

    @property
    def because(self) -> str:
        return "; ".join(self.reasons) or self.verdict


@dataclass(frozen=True)
class Opinion:
    """What is known about one challenger, the verdict on it, and the change that follows.

    labelled, positive_label: the input of the evidence.
    """

    challenger: Arm
    evidence: Evidence
    judgement: Judgement
    course: Course
    labelled: tuple[Labelled, ...] = ()
    positive_label: str | None = None


def opinions(row: ModelStrategy, observed: Observed, now: datetime) -> list[Opinion]:
    """Weigh and judge every challenger, those that answer first."""
    return [_opinion(row, challenger, observed, now) for challenger in row.strategy.contenders]


def _opinion(row: ModelStrategy, challenger: Arm, observed: Observed, now: datetime) -> Opinion:
    strategy = row.strategy
    champion = strategy.champion_arm.version
    known = tuple(
        labelled(entry, row.task, observed.stories.get(complaint, {}), champion=champion, challenger=challenger.version)
        for complaint, entry in observed.statements.items()
    )
    evidence = weigh(row, challenger, known, observed.ran, positive_label=observed.positive_label, now=now)
    judgement = judge(evidence, strategy.gates, strategy.guardrails)
    minutes = (now - datetime.fromisoformat(row.stage_began)).total_seconds() / 60
    asked = evidence.challenger_operations.asked
    follows = course(
        strategy,
        challenger.name,
        judgement,
        baked=minutes >= strategy.schedule.bake_minutes and asked >= strategy.guardrails.min_predictions,
        earned=row.earned,
        frozen=row.frozen is not None,
    )
    return Opinion(challenger, evidence, judgement, follows, known, observed.positive_label)


def judge(evidence: Evidence, gates: Gates, guardrails: Guardrails) -> Judgement:
    """Reach one of four verdicts. A breached guardrail or a proven loss rolls back; passing every gate promotes.

    Every gate has to be passed, so each may use the full alpha (intersection-union). A metric that is not worse causes
    a rollback with a probability of at most alpha, over all looks together.
    """
    checked = _gates(evidence, gates)
    if harm := breached(evidence, guardrails):
        return Judgement(verdict="roll_back", reasons=harm, gates=checked)
    if losses := _losses(evidence, gates):
        return _unless_one_decides(Judgement(verdict="roll_back", reasons=losses, gates=checked), evidence, gates)
    waiting = []
    if evidence.primary.n < gates.min_labels:
        waiting.append(f"{evidence.primary.n} of {gates.min_labels} labels")
    if evidence.hours < gates.min_hours:
        waiting.append(f"{evidence.hours:.1f} of {gates.min_hours:g} hours")
    if waiting:
        return Judgement(verdict="inconclusive", reasons=tuple(waiting), gates=checked)
    failed = [gate for gate in checked if gate.passed is False]
    undecided = [gate for gate in checked if gate.passed is None]
    if not failed and not undecided:
        promotion = Judgement(verdict="promote", reasons=(_stated(evidence.primary),), gates=checked)
        return _unless_one_decides(promotion, evidence, gates)
    exhausted = evidence.primary.n >= gates.max_labels
    reasons = tuple(f"{gate.name}: {gate.detail}" for gate in (*failed, *undecided))
    return Judgement(verdict="hold" if failed or exhausted else "inconclusive", reasons=reasons, gates=checked)


def _unless_one_decides(judgement: Judgement, evidence: Evidence, gates: Gates) -> Judgement:
    """Return a verdict that rests on labels, or `hold` where it hangs on one reviewer."""
    found = tuple(hanging(judgement.verdict, evidence, gates))
    if not found:
        return judgement
    return Judgement(verdict="hold", reasons=(*found, *judgement.reasons), gates=judgement.gates)


def hanging(verdict: Verdict, evidence: Evidence, gates: Gates) -> Iterator[str]:
    """Yield why a verdict hangs on one reviewer: their share is too large, or all others' labels say the opposite."""
    if gates.most_of_one_reviewer == 1:
        return
    for one in evidence.reviewers:
        if one.share > gates.most_of_one_reviewer:
            yield (
                f"the verdict hangs on {one.by}, who gave {one.share:.0%} of the labels by weight "
                f"({gates.most_of_one_reviewer:.0%} at most): have others label drawn complaints"
            )
        elif one.without is not None and _points_back(verdict, one.without, evidence.primary, gates):
            yield (
                f"the verdict hangs on {one.by}: without their {one.labels} labels the difference is "
                f"{100 * one.without:+.1f} points; have others label the same complaints"
            )


def _points_back(verdict: Verdict, without: float, primary: Comparison, gates: Gates) -> bool:
    """Whether the difference without a reviewer is on the other side of what the verdict needs."""
    if verdict == "promote":
        return without <= gates.needed
    # A loss on another metric or in a group does not rest on the primary difference.
    return primary.upper < gates.needed <= without


def breached(evidence: Evidence, guardrails: Guardrails) -> tuple[str, ...]:
    """Return the guardrails that the challenger breaches, compared with the champion over the same time."""
    ours, theirs = evidence.challenger_operations, evidence.champion_operations
    if ours.asked < guardrails.min_predictions:
        return ()
    found = []
    if ours.error_rate > theirs.error_rate + guardrails.max_error_increase:
        found.append(f"{ours.failures} of {ours.asked} failed; the champion's: {theirs.failures} of {theirs.asked}")
    if ours.predictions < guardrails.min_predictions or not theirs.predictions:
        return tuple(found)
    slow, usual = ours.p95_ms or 0.0, theirs.p95_ms or 0.0
    if slow > usual * guardrails.max_p95_ratio and slow > usual + guardrails.max_p95_increase_ms:
        found.append(f"p95 is {slow:.0f} ms; the champion's: {usual:.0f} ms")
    constant, common = ours.commonest_share or 0.0, theirs.commonest_share or 0.0
    if constant > guardrails.max_constant_share and constant >= common + SHARE_GAP:
        found.append(f"{constant:.0%} of its answers are one label; the champion's: {common:.0%}")
    return tuple(found)


def _losses(evidence: Evidence, gates: Gates) -> tuple[str, ...]:
    """Return the metrics, on all complaints or on a group, whose upper bound shows a loss."""
    primary = evidence.primary
    asked = [(one, gates.min_labels) for one in evidence.others] + [(one, gates.min_group) for one in evidence.groups]
    found = []
    if primary.n >= gates.min_labels and primary.upper < gates.needed:
        found.append(f"{_stated(primary)}: worse")
    found += [
        f"{_stated(one)}: worse by more than the margin"
        for one, least in asked
        if one.n >= least and one.upper < -gates.margin
    ]
    return tuple(found)


def _gates(evidence: Evidence, gates: Gates) -> tuple[Gate, ...]:
    """Check every gate. While bounds do not exclude a loss, a gate is undecided; with `max_labels` it fails.

    Groups have too few labels for bounds of a few points, and the calibration error has none. Their gates are advisory.
    """
    primary = evidence.primary
    checked = [
        Gate(
            name=f"{gates.claim.replace('_', '-')} of {primary.metric}",
            passed=True if primary.lower > gates.needed else None,
            detail=_figures(primary),
        )
    ]
    for other in evidence.others:
        undecided = False if other.n >= gates.max_labels else None
        passed = True if other.lower > -gates.margin else undecided
        checked.append(Gate(name=f"no loss of {other.metric}", passed=passed, detail=_figures(other)))
    for group in evidence.groups:
        if group.n >= gates.min_group and group.difference is not None:
            passed = group.difference >= -gates.margin
            name = f"no loss on {group.group}"
            checked.append(Gate(name=name, passed=passed, detail=_figures(group), advisory=True))
    ours, theirs = evidence.challenger_calibration.error, evidence.champion_calibration.error
    known = ours is not None and theirs is not None
    checked.append(
        Gate(
            name="no loss of calibration error",
            passed=ours <= theirs + gates.margin if ours is not None and theirs is not None else None,
            detail=f"{ours:.3f}; the champion's: {theirs:.3f}" if known else "no labels yet",
            advisory=True,
        )
    )
    return tuple(checked)


def _stated(comparison: Comparison) -> str:
    return f"{comparison.name}: {_figures(comparison)}"


def _figures(comparison: Comparison) -> str:
    if comparison.difference is None:
        return "no labels yet"
    return (
        f"{100 * comparison.difference:+.1f} points "
        f"[{100 * comparison.lower:+.1f}, {100 * comparison.upper:+.1f}] on {comparison.n:,} labels"
    )


def course(
    strategy: Strategy, challenger: str, judgement: Judgement, *, baked: bool, earned: bool, frozen: bool
) -> Course:
    """Return the change that follows from a judgement.

    baked: the present shares have been in force for long enough, and the challenger has predicted often enough.
    earned: the gates were passed in shadow.

    A frozen strategy and a manual schedule allow a rollback only, since that protects. Leaving the shadow, and taking
    the whole traffic, need gates that were passed. A canary that was set up by hand is widened in between on guardrails
    alone, because it gets its labels that way. An ab test runs until it ends.
    """
    mode = strategy.schedule.mode
    shadow = challenger in {arm.name for arm in strategy.shadows}
    if mode == "observe_only":
        return _stay("the schedule is observe_only")
    if judgement.verdict == "roll_back":
        back = withdrawn(strategy, challenger)
        return Course(kind="stop" if shadow else "roll_back", reason=judgement.because, strategy=back)
    if mode == "manual" or frozen:
        return _stay("the strategy is frozen" if frozen else "the schedule is manual")
    passed = judgement.verdict == "promote"
    if judgement.verdict == "hold" or (shadow and not passed):
        return _stay(judgement.because)
    if shadow and strategy.challengers:
        return _stay("another challenger answers already")
    if shadow:
        first = next(iter(strategy.schedule.steps), BUCKETS)
        return _widen(strategy, challenger, first, judgement.because, earned=True)
    if strategy.kind == "ab":
        return _stay("an ab test runs until it ends")
    if not baked:
        return _stay("the present share has not been in force for long enough")
    present = next(arm.share for arm in strategy.challengers if arm.name == challenger)
    wider = next((step for step in strategy.schedule.steps if step > present), BUCKETS)
    if wider == BUCKETS and not (earned or passed):
        return _stay(judgement.because)
    reason = f"{present / 100:g} % went well: {judgement.because}"
    return _widen(strategy, challenger, wider, reason, earned=earned or passed)


def _widen(strategy: Strategy, challenger: str, share: int, reason: str, *, earned: bool) -> Course:
    if share == BUCKETS:
        return Course(kind="promote", reason=reason, strategy=promoted(strategy, challenger), earned=earned)
    return Course(kind="widen", reason=reason, strategy=widened(strategy, challenger, share), earned=earned)


def _stay(reason: str) -> Course:
    return Course(kind=None, reason=reason)


def most_urgent(found: Iterable[Opinion]) -> Opinion:
    """Pick one opinion, since a task gets one change at a time: a rollback first, and no change last."""
    order = {"roll_back": 0, "stop": 1, "promote": 2, "widen": 3, None: 4}
    return min(found, key=lambda opinion: order[opinion.course.kind])


def outcome(row: ModelStrategy, chosen: Opinion) -> Weighed:
    """Return what follows from the chosen opinion. A proposal that waits for a person is not made again."""
    follows = chosen.course
    acts = follows.kind is not None and not (follows.kind == "promote" and row.proposal is not None)
    return Weighed(
        task=row.task,
        strategy_version=row.version,
        acts=acts,
        challenger=chosen.challenger.name,
        verdict=chosen.judgement.verdict,
        course=follows,
        evidence=chosen.evidence.reference() if acts else None,
    )


def without_challenger(task: str, row: ModelStrategy | None) -> Weighed:
    """Return that nothing follows, because the task has no challenger."""
    version = row.version if row else 0
    reason = _stay("no challenger")
    return Weighed(task=task, strategy_version=version, acts=False, challenger=None, verdict=None, course=reason)


def requested_change(weighed: Weighed, *, second_approver: bool) -> Change:
    """Return the change to make. A new champion is only proposed where a second approver is required.

    Its id follows from the evidence, so that a repeated step makes the change once.

    Raises:
        ValueError: no change follows, or its evidence was not stored.
    """
    follows = weighed.course
    if follows.kind is None or follows.strategy is None or weighed.evidence is None:
        raise ValueError(f"no change follows for {weighed.task}")
    return requested(
        follows.kind,
        follows.strategy,
        needs_approval=second_approver and follows.kind == "promote",
        actor=ENGINE,
        reason=follows.reason,
        evidence=weighed.evidence,
        earned=follows.earned,
        change_id=f"{follows.kind}-{weighed.evidence.sha256}",
    )
