"""The payloads between the states of a promotion."""

from typing import Self

from triage.contracts import Contract, TaskName
from triage.promotion.course import Course
from triage.promotion.verdict import Verdict
from triage.strategies.ledger import EvidenceReference, Kind, LedgerEntry
from triage.strategies.strategy_change import ENGINE, Change

PROMOTION_EVENT = "StrategyChanged"


class Due(Contract):
    """A task whose challengers are to be judged."""

    task: TaskName


class Weighed(Contract):
    """What is to be done about one challenger, or that nothing is.

    strategy_version: that was seen; where it is not in force any more, nothing is done.
    evidence: stored where something is to be done.
    """

    task: TaskName
    strategy_version: int
    acts: bool
    challenger: str | None
    verdict: Verdict | None
    course: Course
    evidence: EvidenceReference | None = None


class Changed(Contract):
    """The detail of the event `StrategyChanged`. kind: `propose` where a second person is waited for."""

    task: TaskName
    kind: Kind
    champion: str | None
    previous: str | None
    strategy_version: int
    valid_from: str
    actor: str
    reason: str
    evidence_sha256: str | None

    @classmethod
    def of(cls, entry: LedgerEntry) -> Self:
        shared = set(cls.model_fields) - {"evidence_sha256"}
        sha256 = entry.evidence.sha256 if entry.evidence else None
        return cls(**entry.model_dump(include=shared), evidence_sha256=sha256)


def wanted(weighed: Weighed, *, second_approver: bool) -> Change:
    """The change that a judgement asks for.

    Its id follows from its evidence, so that a step that is tried again makes it once. With a second approver, a new
    champion is only proposed; a challenger is let in and taken out without one.

    Raises:
        ValueError: it asks for none.
    """
    kind, strategy = weighed.course.kind, weighed.course.strategy
    if kind is None or strategy is None or weighed.evidence is None:
        raise ValueError(f"nothing is to be done for {weighed.task}")
    proposes = second_approver and kind == "promote"
    return Change(
        kind="propose" if proposes else kind,
        proposes=kind if proposes else None,
        strategy=strategy,
        actor=ENGINE,
        reason=weighed.course.reason,
        evidence=weighed.evidence,
        earned=weighed.course.earned,
        change_id=f"{kind}-{weighed.evidence.sha256}",
    )
