"""The champion ledger: which version answered for a task from when on, who changed it, why and on what evidence."""

from typing import Literal

from pydantic import Field

from triage.contracts import Contract, Sha256, TaskName
from triage.strategies.strategy import Strategy

Kind = Literal[
    "activate", "retire", "set", "widen", "promote", "roll_back", "stop", "propose", "decline", "freeze", "unfreeze"
]
"""What was done. A challenger is stopped where it is withdrawn as a shadow, and rolled back where it had answered."""


class EvidenceReference(Contract):
    """A stored evidence document: its key in the evidence bucket, and the hash of its bytes."""

    key: str
    sha256: Sha256


class LedgerEntry(Contract):
    """One change. Entries are only ever added; each is valid until the next one of its task.

    valid_from: ISO 8601 in UTC, later than that of every entry before, whatever the writers' clocks say.
    champion: the version that answers from then on, `organisation/name@sha`; None where none is left.
    strategy, strategy_version: what is in force from then on; None and 0 for a task without a strategy.
    approver: the second person, where two are asked for. break_glass: nobody was asked, for the reason given.
    change_id: the same change asked for twice is made once.
    """

    task: TaskName
    valid_from: str
    kind: Kind
    champion: str | None = None
    previous: str | None = None
    strategy_version: int = Field(ge=0)
    strategy: Strategy | None = None
    actor: str
    approver: str | None = None
    break_glass: bool = False
    reason: str = Field(min_length=1)
    evidence: EvidenceReference | None = None
    change_id: str
