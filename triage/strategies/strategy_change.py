"""Turns a requested change into the next row of a task's strategy and its entry in the ledger."""

from datetime import UTC, datetime, timedelta
from typing import Any

from triage.complaint import timestamp
from triage.errors import StrategyRefusedError
from triage.strategies.ledger import Attribution, Kind, LedgerEntry, Target, shared
from triage.strategies.registry import ModelStrategy, Note, Proposal
from triage.strategies.strategy import Strategy

ENGINE = "promotion-engine"
"""The actor of changes that no person makes."""


class Change(Target, Attribution):
    """A requested change. `strategy` is in force after it; where `kind` is `propose`, once it is approved.

    proposes: the kind of the proposed change, where `kind` is `propose`.
    """

    proposes: Kind | None = None


def requested(
    kind: Kind, strategy: Strategy, *, needs_approval: bool, actor: str, reason: str, change_id: str, **values: Any
) -> Change:
    """Return the change, or a proposal of it where a second person has to approve. values: further fields."""
    return Change(
        kind="propose" if needs_approval else kind,
        proposes=kind if needs_approval else None,
        strategy=strategy,
        actor=actor,
        reason=reason,
        change_id=change_id,
        **values,
    )


def succeed(
    seen: ModelStrategy | None, change: Change, *, last: LedgerEntry | None, now: datetime
) -> tuple[ModelStrategy, LedgerEntry]:
    """Return the row that replaces `seen`, and the ledger entry that follows `last`.

    Raises:
        StrategyRefusedError: there is no strategy to freeze, or to propose a change of.
    """
    moment = valid_from(last, now)
    noted = _noted(change, moment)
    if noted is None:
        row = _replaced(seen, change, moment)
    elif seen is None:
        task = change.strategy.task
        raise StrategyRefusedError(
            f"{task} has no strategy yet; set one for its present champion: `triage strategy set {task} FILE`"
        )
    else:
        stamps = {"version": seen.version + 1, "changed_at": moment, "changed_by": change.actor}
        row = seen.model_copy(update=stamps | noted)
    entry = LedgerEntry(
        **shared(change, Attribution),
        task=row.task,
        valid_from=row.changed_at,
        champion=row.strategy.champion_arm.version,
        previous=last.champion if last else None,
        strategy_version=row.version,
        strategy=row.strategy,
    )
    return row, entry


def approve(seen: ModelStrategy, *, by: str, change_id: str) -> Change:
    """Return the proposed change, approved by a second person.

    Raises:
        StrategyRefusedError: nothing is proposed, or `by` proposed it or set up the experiment.
    """
    proposal = seen.proposal
    if proposal is None:
        raise StrategyRefusedError(f"nothing is proposed for {seen.task}")
    if by in {proposal.by, seen.set_by}:
        raise StrategyRefusedError(
            f"{by} proposed this change or set up the experiment, and cannot approve it; ask somebody else to"
        )
    return Change(**shared(proposal, Target), actor=proposal.by, approver=by, change_id=change_id)


def valid_from(last: LedgerEntry | None, now: datetime) -> str:
    """Return now, or a millisecond after the last entry where its writer's clock was ahead of this one."""
    moment = timestamp(now)
    if last is None or last.valid_from < moment:
        return moment
    return timestamp(datetime.fromisoformat(last.valid_from).astimezone(UTC) + timedelta(milliseconds=1))


def _noted(change: Change, moment: str) -> dict[str, Any] | None:
    """Return the changed fields of a row whose strategy stays; None where the change replaces the strategy."""
    note = {"by": change.actor, "reason": change.reason, "at": moment}
    match change.kind:
        case "freeze":
            return {"frozen": Note(**note)}
        case "unfreeze":
            return {"frozen": None}
        case "decline":
            # Freezes too: the engine's evidence is the same, so it would propose the change again at once.
            return {"proposal": None, "frozen": Note(**note)}
        case "propose":
            target = shared(change, Target) | {"kind": change.proposes or "promote"}
            return {"proposal": Proposal(**target | note)}
        case _:
            return None


def _replaced(seen: ModelStrategy | None, change: Change, moment: str) -> ModelStrategy:
    """Return a row with the new strategy. It drops a proposal, which rested on the old one, and keeps a freeze."""
    version = (seen.version if seen else 0) + 1
    continues = seen is not None and _comparison(seen.strategy) == _comparison(change.strategy)
    return ModelStrategy(
        task=change.strategy.task,
        version=version,
        strategy=change.strategy,
        changed_at=moment,
        changed_by=change.actor,
        set_by=change.actor if seen is None or change.kind == "set" else seen.set_by,
        experiment_since=seen.experiment_since if seen is not None and continues else moment,
        stage_since=moment,
        stage_version=version,
        earned=change.earned and change.kind == "widen",
        frozen=seen.frozen if seen else None,
    )


def _comparison(strategy: Strategy) -> tuple[str, ...]:
    """Return what identifies a comparison. While it stays the same, earlier labels remain evidence."""
    return strategy.experiment, strategy.salt, strategy.champion_arm.version
