"""The champion ledger: which version answers for a task from when on, who changed that, why, and on what evidence.

A change is first decided, then perhaps proposed, made, and recorded. `Grounds`, `Target` and `Attribution` declare what
those four forms share; `shared` copies it from one form to the next.
"""

from typing import Any, Literal

from pydantic import Field

from triage.contracts import Contract, Sha256, TaskName
from triage.strategies.strategy import Strategy

Kind = Literal[
    "activate", "retire", "set", "widen", "promote", "roll_back", "stop", "propose", "decline", "freeze", "unfreeze"
]
"""What was done. `stop` withdraws a shadow; `roll_back` withdraws a challenger that has answered complaints."""


class EvidenceReference(Contract):
    """A stored evidence document: its key in the evidence bucket, and the SHA-256 of its bytes."""

    key: str
    sha256: Sha256


class Grounds(Contract):
    """What is done and why. evidence: None where a person decides without a stored document."""

    kind: Kind
    reason: str = Field(min_length=1)
    evidence: EvidenceReference | None = None


class Target(Grounds):
    """Which strategy a change or a proposal puts in force. earned: the challenger has passed its gates in shadow."""

    strategy: Strategy
    earned: bool = False


class Attribution(Grounds):
    """Who made a change.

    approver: the second person, where the deployment requires one. break_glass: no second person was asked, for the
    reason given. change_id: a change that is requested twice with the same id is made once.
    """

    actor: str
    approver: str | None = None
    break_glass: bool = False
    change_id: str


class LedgerEntry(Attribution):
    """One recorded change. Entries are never edited; each is valid until the next entry of its task.

    valid_from: ISO 8601 in UTC, later than every entry before it, even where the writers' clocks disagree.
    champion: the version that answers from then on, `organisation/name@sha`; None where no model is left.
    strategy, strategy_version: in force from then on; None and 0 for a task without a strategy.
    """

    task: TaskName
    valid_from: str
    champion: str | None = None
    previous: str | None = None
    strategy_version: int = Field(ge=0)
    strategy: Strategy | None = None


def shared(source: Contract, base: type[Contract]) -> dict[str, Any]:
    """Return the values that `source` has for the fields of `base`, to build another form of the same change."""
    return {name: getattr(source, name) for name in base.model_fields}
