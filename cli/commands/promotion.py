"""`triage strategy promote|rollback|freeze|unfreeze|approve|decline|history`"""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

import typer

from cli import options
from cli.aws.deployment import Deployment, find
from cli.commands.strategy import change_by_hand, in_force
from cli.errors import CommandError, NotFoundError, WrongUsageError
from cli.output import out, print_json, print_table
from triage.promotion.transitions import challenger_named, promoted, restored
from triage.strategies.ledger import Kind, LedgerEntry
from triage.strategies.registry import ModelStrategy
from triage.strategies.strategy import Strategy
from triage.strategies.strategy_change import Change, approve

app = typer.Typer()

Task = Annotated[str, typer.Argument(help="The task whose strategy is changed.")]
Reason = Annotated[str, typer.Option(help="Reason, recorded in the ledger.")]


@app.command("promote")
def promote_(
    task: Task,
    challenger: Annotated[str | None, typer.Argument(help="The arm to promote; by default the only one.")] = None,
    reason: Reason = "",
    break_glass: options.BreakGlass = False,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Let a challenger answer everything, or propose it where a second person has to approve."""
    deployment = find(env, state=state)
    current = in_force(deployment, task)
    name = _challenger(current.strategy, challenger)
    _needs_reason(reason)
    needs_approval = deployment.name("second-approver") == "yes" and not break_glass
    strategy = promoted(current.strategy, name)
    change = change_by_hand(
        "promote", strategy, reason, actor=deployment.operator, needs_approval=needs_approval, break_glass=break_glass
    )
    _make(deployment, change, current, as_json)


@app.command("rollback")
def rollback(
    task: Task,
    reason: Reason = "",
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Withdraw every challenger or, if there is none, bring back the champion before. Needs no approval."""
    deployment = find(env, state=state)
    current = in_force(deployment, task)
    _needs_reason(reason)
    history = tuple(deployment.registry.strategies.history(task))
    strategy = restored(current.strategy, history, version=current.version + 1)
    _make(deployment, change_by_hand("roll_back", strategy, reason, actor=deployment.operator), current, as_json)


def _noting(kind: Kind, summary: str) -> None:
    """Add the command `kind`, which records a change and leaves arms and shares as they are. summary: its help."""

    def command(
        task: Task,
        reason: Reason = "",
        env: options.Environment = "local",
        as_json: options.AsJson = False,
        state: options.State = options.DEFAULT,
    ) -> None:
        deployment = find(env, state=state)
        current = in_force(deployment, task)
        _needs_reason(reason)
        if kind == "decline" and current.proposal is None:
            raise CommandError(f"nothing is proposed for {task}")
        _make(deployment, change_by_hand(kind, current.strategy, reason, actor=deployment.operator), current, as_json)

    app.command(kind, help=summary)(command)


_noting("freeze", "Forbid the promotion engine to widen and promote. It may still roll back.")
_noting("unfreeze", "Allow the promotion engine to widen and promote again.")
_noting("decline", "Refuse the proposed change. The strategy stays as it is, frozen until somebody unfreezes it.")


@app.command("approve")
def approve_(
    task: Task,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Approve the change that another person, or the promotion engine, has proposed."""
    deployment = find(env, state=state)
    current = in_force(deployment, task)
    change = approve(current, by=deployment.operator, change_id=uuid4().hex)
    _make(deployment, change, current, as_json)


@app.command("history")
def history(
    task: Annotated[str, typer.Argument(help="The task whose ledger is read.")],
    at: Annotated[
        datetime | None, typer.Option(help="Show only the entry that was valid at this time, in UTC.")
    ] = None,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Show the champion ledger: which version answered when, who changed that, why, and on what evidence."""
    strategies = find(env, state=state).registry.strategies
    if at is not None:
        valid = strategies.champion_at(task, at.replace(tzinfo=UTC))
        if valid is None:
            raise NotFoundError(f"the ledger of {task} begins later than {at:%Y-%m-%d %H:%M}; choose a later time")
        print_json(valid) if as_json else _table(task, [valid])
        return
    entries = list(strategies.history(task))
    if not entries:
        raise NotFoundError(f"the ledger of {task} is empty")
    print_json(_with_ends(entries)) if as_json else _table(task, entries)


def _challenger(strategy: Strategy, name: str | None) -> str:
    names = [arm.name for arm in strategy.contenders]
    if name is None and len(names) == 1:
        return names[0]
    try:
        return challenger_named(strategy, name or "").name
    except LookupError as error:
        raise WrongUsageError(f"name one of the challengers: {', '.join(names) or 'there are none'}") from error


def _needs_reason(reason: str) -> None:
    if not reason.strip():
        raise WrongUsageError("the ledger needs a reason; give one with --reason")


def _make(deployment: Deployment, change: Change, current: ModelStrategy, as_json: bool) -> None:
    _, entry = deployment.registry.strategies.change(change, replaces=current.version)
    if as_json:
        print_json(entry)
    elif entry.kind == "propose":
        out.print(f"proposed; somebody else has to approve it with `triage strategy approve {entry.task}`")
    else:
        out.print(f"{entry.task} is at strategy version {entry.strategy_version}; champion {entry.champion}")


def _with_ends(entries: list[LedgerEntry]) -> list[dict[str, Any]]:
    ends = [*(entry.valid_from for entry in entries[1:]), None]
    return [entry.model_dump(mode="json") | {"valid_to": end} for entry, end in zip(entries, ends, strict=True)]


def _table(task: str, entries: list[LedgerEntry]) -> None:
    print_table(
        f"Champion ledger of {task}",
        ("valid from", "what", "champion", "strategy", "by", "reason", "evidence"),
        (
            (
                entry.valid_from,
                entry.kind + (" (break-glass)" if entry.break_glass else ""),
                _short(entry.champion),
                entry.strategy_version or "none",
                entry.actor + (f", approved by {entry.approver}" if entry.approver else ""),
                entry.reason,
                entry.evidence.sha256[:12] if entry.evidence else "",
            )
            for entry in entries
        ),
    )


def _short(version: str | None) -> str:
    if version is None:
        return "none"
    model_id, _, revision = version.partition("@")
    return f"{model_id}@{revision[:12]}"
