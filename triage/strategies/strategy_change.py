"""From a change that somebody asks for to the next row of a task's strategy, and the ledger entry that says so."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from triage.complaint import timestamp
from triage.errors import StrategyRefusedError
from triage.strategies.ledger import EvidenceReference, Kind, LedgerEntry
from triage.strategies.registry import ModelStrategy, Note, Proposal
from triage.strategies.strategy import Strategy

ENGINE = "promotion-engine"
"""Who acts where no person does."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What somebody wants, and on what grounds.

    strategy: to be in force then; for a proposal, to be in force once it is approved.
    proposes: what kind of change is proposed, where kind is `propose`.
    earned: the challenger has shown what its gates ask for. change_id: the same change asked for twice is made once.
    """

    kind: Kind
    strategy: Strategy
    actor: str
    reason: str
    change_id: str
    evidence: EvidenceReference | None = None
    earned: bool = False
    proposes: Kind | None = None
    approver: str | None = None
    break_glass: bool = False


def succeed(
    seen: ModelStrategy | None, change: Change, *, last: LedgerEntry | None, now: datetime
) -> tuple[ModelStrategy, LedgerEntry]:
    """The row that replaces `seen`, and its entry in the ledger after `last`.

    Raises:
        StrategyRefusedError: there is no strategy to freeze, or to propose a change of.
    """
    moment = valid_from(last, now)
    noted = _noted(change, moment)
    if noted is None:
        changed = _replaced(seen, change, moment)
    elif seen is None:
        raise StrategyRefusedError(f"{change.strategy.task} has no strategy yet; set one first")
    else:
        stamps = {"version": seen.version + 1, "changed_at": moment, "changed_by": change.actor}
        changed = seen.model_copy(update=stamps | noted)
    return changed, _entry(changed, change, last)


def approve(seen: ModelStrategy, *, by: str, change_id: str) -> Change:
    """The proposed change, with its second person.

    Raises:
        StrategyRefusedError: nothing is proposed, or the second person is the first.
    """
    proposal = seen.proposal
    if proposal is None:
        raise StrategyRefusedError(f"nothing is proposed for {seen.task}")
    if by in {proposal.by, seen.set_by}:
        raise StrategyRefusedError(f"{by} proposed this or set up the experiment; somebody else has to approve it")
    return Change(
        kind=proposal.kind,
        strategy=proposal.strategy,
        actor=proposal.by,
        approver=by,
        reason=proposal.reason,
        evidence=proposal.evidence,
        earned=proposal.earned,
        change_id=change_id,
    )


def valid_from(last: LedgerEntry | None, now: datetime) -> str:
    """Now, or a millisecond after the last entry where this clock is behind the one that wrote it."""
    moment = timestamp(now)
    if last is None or last.valid_from < moment:
        return moment
    return timestamp(datetime.fromisoformat(last.valid_from).astimezone(UTC) + timedelta(milliseconds=1))


def _noted(change: Change, moment: str) -> dict[str, Any] | None:
    """What is noted on a row whose strategy stays as it is; None where the change replaces the strategy."""
    match change.kind:
        case "freeze":
            return {"frozen": Note(by=change.actor, reason=change.reason, at=moment)}
        case "unfreeze":
            return {"frozen": None}
        case "decline":
            # Or the engine, whose evidence is the same, would propose it again at once.
            return {"proposal": None, "frozen": Note(by=change.actor, reason=change.reason, at=moment)}
        case "propose":
            proposal = Proposal(
                kind=change.proposes or "promote",
                strategy=change.strategy,
                by=change.actor,
                reason=change.reason,
                at=moment,
                evidence=change.evidence,
                earned=change.earned,
            )
            return {"proposal": proposal}
        case _:
            return None


def _replaced(seen: ModelStrategy | None, change: Change, moment: str) -> ModelStrategy:
    """What was proposed before has lost its ground; a freeze stays until somebody lifts it."""
    by_hand = seen is None or change.kind == "set"
    goes_on = seen is not None and _identity(seen.strategy) == _identity(change.strategy)
    return ModelStrategy(
        task=change.strategy.task,
        version=(seen.version if seen else 0) + 1,
        strategy=change.strategy,
        changed_at=moment,
        changed_by=change.actor,
        set_by=change.actor if by_hand or seen is None else seen.set_by,
        experiment_since=seen.experiment_since if seen is not None and goes_on else moment,
        stage_since=moment,
        stage_version=(seen.version if seen else 0) + 1,
        earned=change.earned and change.kind == "widen",
        frozen=seen.frozen if seen else None,
    )


def _identity(strategy: Strategy) -> tuple[str, ...]:
    """While these stay, labels speak of the same comparison."""
    return strategy.experiment, strategy.salt, strategy.champion_arm.version


def _entry(changed: ModelStrategy, change: Change, last: LedgerEntry | None) -> LedgerEntry:
    return LedgerEntry(
        task=changed.task,
        valid_from=changed.changed_at,
        kind=change.kind,
        champion=changed.strategy.champion_arm.version,
        previous=last.champion if last else None,
        strategy_version=changed.version,
        strategy=changed.strategy,
        actor=change.actor,
        approver=change.approver,
        break_glass=change.break_glass,
        reason=change.reason,
        evidence=change.evidence,
        change_id=change.change_id,
    )
