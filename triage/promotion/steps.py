"""The payloads between the states of a promotion."""

from typing import Literal, Self

from triage.contracts import Contract, TaskName
from triage.strategies.ledger import EvidenceReference, Kind, LedgerEntry
from triage.strategies.strategy import Strategy

PROMOTION_EVENT = "StrategyChanged"

Verdict = Literal["promote", "hold", "roll_back", "inconclusive"]


class Due(Contract):
    """A task whose challengers are to be judged."""

    task: TaskName


class Course(Contract):
    """The change that follows from a judgement, as `Target` has it; `kind` is None where nothing changes."""

    kind: Literal["widen", "promote", "roll_back", "stop"] | None
    reason: str
    strategy: Strategy | None = None
    earned: bool = False


class Weighed(Contract):
    """What follows for one challenger of a task.

    strategy_version: the version that was seen; a change of any other version is refused.
    acts: whether `course` is made now. Only then is `evidence` stored.
    """

    task: TaskName
    strategy_version: int
    acts: bool
    challenger: str | None
    verdict: Verdict | None
    course: Course
    evidence: EvidenceReference | None = None


class Changed(Contract):
    """The detail of the event `StrategyChanged`. kind: `propose` where a second person has to approve."""

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
        values = {name: getattr(entry, name) for name in cls.model_fields if name != "evidence_sha256"}
        return cls(**values, evidence_sha256=entry.evidence.sha256 if entry.evidence else None)
