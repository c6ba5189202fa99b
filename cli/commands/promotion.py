"""`triage strategy promote|rollback|freeze|unfreeze|approve|decline|history`"""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

import typer

from cli import options
from cli.aws.deployment import Deployment, find
from cli.commands.strategy import in_force
from cli.errors import CommandError, NotFoundError, WrongUsageError
from cli.output import out, print_json, print_table
from triage.promotion.restoration import restored
from triage.promotion.transitions import find as challenger_of
from triage.promotion.transitions import promoted
from triage.strategies.ledger import LedgerEntry
from triage.strategies.registry import ModelStrategy
from triage.strategies.strategy import Strategy
from triage.strategies.strategy_change import Change, approve

app = typer.Typer()

Task = Annotated[str, typer.Argument(help="The task whose strategy is changed.")]
Reason = Annotated[str, typer.Option(help="Why, for the ledger.")]


@app.command("promote")
def promote_(
    task: Task,
    challenger: Annotated[str | None, typer.Argument(help="Its arm; may be left out if there is only one.")] = None,
    reason: Reason = "",
    break_glass: options.BreakGlass = False,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Let a challenger answer all, or propose it where a second person is asked for."""
    deployment = find(env, state=state)
    current = in_force(deployment, task)
    name = _challenger(current.strategy, challenger)
    _needs_reason(reason)
    two = deployment.name("second-approver") == "yes" and not break_glass
    change = _change(
        "propose" if two else "promote",
        promoted(current.strategy, name),
        reason,
        proposes="promote" if two else None,
        break_glass=break_glass,
    )
    _report(_make(deployment, change, current), as_json)


@app.command("rollback")
def rollback(
    task: Task,
    reason: Reason = "",
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Take every challenger out or, where there is none, bring back the champion before. Never waits for anybody."""
    deployment = find(env, state=state)
    current = in_force(deployment, task)
    _needs_reason(reason)
    strategies = deployment.registry.strategies
    strategy = restored(current.strategy, tuple(strategies.history(task)), version=current.version + 1)
    _report(_make(deployment, _change("roll_back", strategy, reason), current), as_json)


@app.command("freeze")
def freeze(
    task: Task,
    reason: Reason = "",
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Keep the promotion engine from widening and promoting; it may still roll back."""
    _note("freeze", task, reason, find(env, state=state), as_json)


@app.command("unfreeze")
def unfreeze(
    task: Task,
    reason: Reason = "",
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Let the promotion engine go on."""
    _note("unfreeze", task, reason, find(env, state=state), as_json)


@app.command("approve")
def approve_(
    task: Task,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Approve what another person, or the promotion engine, has proposed."""
    deployment = find(env, state=state)
    current = in_force(deployment, task)
    change = approve(current, by=options.operator(), change_id=uuid4().hex)
    _report(_make(deployment, change, current), as_json)


@app.command("decline")
def decline(
    task: Task,
    reason: Reason = "",
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Refuse what is proposed: the strategy stays as it is, and is frozen until somebody unfreezes it."""
    deployment = find(env, state=state)
    if in_force(deployment, task).proposal is None:
        raise CommandError(f"nothing is proposed for {task}")
    _note("decline", task, reason, deployment, as_json)


@app.command("history")
def history(
    task: Annotated[str, typer.Argument(help="The task whose ledger is read.")],
    at: Annotated[
        datetime | None, typer.Option(help="Only what was valid then, in UTC: who was champion on this date.")
    ] = None,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Show the champion ledger: which version answered from when to when, who changed it, why, on what evidence."""
    strategies = find(env, state=state).registry.strategies
    if at is not None:
        valid = strategies.champion_at(task, at.replace(tzinfo=UTC))
        if valid is None:
            raise NotFoundError(f"the ledger of {task} begins later than {at:%Y-%m-%d %H:%M}")
        print_json(valid) if as_json else _table(task, [valid])
        return
    entries = list(strategies.history(task))
    if not entries:
        raise NotFoundError(f"the ledger of {task} is empty")
    print_json(_with_ends(entries)) if as_json else _table(task, entries)


def _challenger(strategy: Strategy, name: str | None) -> str:
    names = [arm.name for arm in (*strategy.challengers, *strategy.shadows)]
    if name is None and len(names) == 1:
        return names[0]
    try:
        return challenger_of(strategy, name or "").name
    except LookupError as error:
        raise WrongUsageError(f"name one of the challengers: {', '.join(names) or 'there is none'}") from error


def _note(kind: Any, task: str, reason: str, deployment: Deployment, as_json: bool) -> None:
    current = in_force(deployment, task)
    _needs_reason(reason)
    _report(_make(deployment, _change(kind, current.strategy, reason), current), as_json)


def _needs_reason(reason: str) -> None:
    if not reason.strip():
        raise WrongUsageError("say why with --reason; the ledger keeps it")


def _change(kind: Any, strategy: Strategy, reason: str, **values: Any) -> Change:
    return Change(
        kind=kind, strategy=strategy, actor=options.operator(), reason=reason, change_id=uuid4().hex, **values
    )


def _make(deployment: Deployment, change: Change, current: ModelStrategy) -> LedgerEntry:
    _, entry = deployment.registry.strategies.change(change, replaces=current.version)
    return entry


def _report(entry: LedgerEntry, as_json: bool) -> None:
    if as_json:
        print_json(entry)
    elif entry.kind == "propose":
        out.print(f"proposed; somebody else has to say `triage strategy approve {entry.task}`")
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
