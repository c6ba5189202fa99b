from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from pydantic import ValidationError

from cli import options
from cli.aws.deployment import Deployment, find
from cli.errors import NotFoundError, WrongUsageError
from cli.output import out, print_json, print_table
from triage.strategies.ledger import Kind
from triage.strategies.registry import ModelStrategy
from triage.strategies.strategy import Arm, Strategy, assign, sample
from triage.strategies.strategy_change import Change, requested
from triage.validation import problems

app = typer.Typer(no_args_is_help=True, help="How the models of a task share traffic.")


@app.command()
def show(
    task: Annotated[str | None, typer.Argument(help="One task; by default every task that has a strategy.")] = None,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Show the strategies in force. A task without a strategy is answered by its champion."""
    deployment = find(env, state=state)
    strategies = deployment.registry.strategies.all() if task is None else [in_force(deployment, task)]
    if as_json:
        print_json(strategies if task is None else strategies[0])
    else:
        _table(strategies)


@app.command("set")
def set_(
    task: Annotated[str, typer.Argument(help="The task of the strategy.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The strategy, as a JSON file.")],
    reason: Annotated[str, typer.Option(help="Reason, recorded in the ledger.")] = "set by hand",
    replaces: Annotated[
        int | None,
        typer.Option(min=0, help="Version that this replaces; by default the current one.", show_default=False),
    ] = None,
    break_glass: options.BreakGlass = False,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Put a strategy in force, from the next complaint on. A second person may have to approve another champion."""
    strategy = read_strategy(file, task)
    deployment = find(env, state=state)
    strategies = deployment.registry.strategies
    current = strategies.get(task)
    seen = replaces if replaces is not None else current.version if current else 0
    two_people = deployment.name("second-approver") == "yes" and not break_glass
    needs_approval = two_people and _replaces_champion(deployment, current, strategy)
    change = change_by_hand(
        "set", strategy, reason, actor=deployment.operator, needs_approval=needs_approval, break_glass=break_glass
    )
    changed, _ = strategies.change(change, replaces=seen)
    if as_json:
        print_json(changed)
    elif needs_approval:
        out.print(f"it has another champion; somebody else has to approve it with `triage strategy approve {task}`")
    else:
        out.print(f"{task} is at strategy version {changed.version}")


@app.command("assign")
def assign_(
    task: Annotated[str, typer.Argument(help="The task whose strategy in force is used.")],
    subjects: Annotated[
        Path,
        typer.Option(
            "--subjects", exists=True, dir_okay=False, help="File with one id a line: of a customer or a complaint."
        ),
    ],
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Show which arm answers each subject, and which shadows predict as well. Changes nothing."""
    strategy = in_force(find(env, state=state), task).strategy
    assignments = [_assignment(strategy, subject) for subject in _subjects(subjects)]
    if as_json:
        print_json({"experiment": strategy.experiment, "assignments": assignments})
    else:
        print_table(
            f"Assignments of {task}, experiment {strategy.experiment}",
            ("subject", "bucket", "arm", "shadows"),
            (
                (a["subject"], a["bucket"], a["arm"], " ".join(s["arm"] for s in a.get("shadows", ())))
                for a in assignments
            ),
        )


def change_by_hand(
    kind: Kind, strategy: Strategy, reason: str, *, actor: str, needs_approval: bool = False, break_glass: bool = False
) -> Change:
    """Return the change, or its proposal. actor: who runs the command."""
    return requested(
        kind,
        strategy,
        needs_approval=needs_approval,
        actor=actor,
        reason=reason,
        change_id=uuid4().hex,
        break_glass=break_glass,
    )


def _replaces_champion(deployment: Deployment, current: ModelStrategy | None, strategy: Strategy) -> bool:
    """Return whether the strategy replaces the champion in force."""
    if current is not None:
        return current.strategy.replaces_champion(strategy)
    champion = deployment.registry.answering(strategy.task)
    return champion is not None and champion.version != strategy.champion_arm.version


def in_force(deployment: Deployment, task: str) -> ModelStrategy:
    """Raises: NotFoundError."""
    current = deployment.registry.strategies.get(task)
    if current is None:
        raise NotFoundError(f"{task} has no strategy; set one with `triage strategy set {task} FILE`")
    return current


def _subjects(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    except UnicodeDecodeError as error:
        raise WrongUsageError(f"{file} must be UTF-8 text with one id in each line") from error


def _assignment(strategy: Strategy, subject: str) -> dict[str, Any]:
    """Return one row of JSON. It has `shadows`, those that predict for the subject, if the strategy has shadows."""
    answering = assign(strategy, subject)
    row: dict[str, Any] = {"subject": subject, "bucket": answering.bucket, "arm": answering.arm.name}
    if strategy.shadows:
        row["shadows"] = [{"arm": one.arm.name, "bucket": one.bucket} for one in sample(strategy, subject)]
    return row


def read_strategy(file: Path, task: str) -> Strategy:
    """Raises: WrongUsageError with every problem of the file."""
    try:
        strategy = Strategy.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise WrongUsageError(f"{file} is not a strategy: {problems(error)}") from error
    if strategy.task != task:
        raise WrongUsageError(f"{file} is for {strategy.task}, not {task}; name the task of the file")
    return strategy


def _table(strategies: list[ModelStrategy]) -> None:
    print_table(
        "Strategies",
        ("task", "version", "kind", "experiment", "arm", "share", "model version", "changed"),
        (
            (
                strategy.task,
                strategy.version,
                strategy.strategy.kind,
                strategy.strategy.experiment,
                arm.name + _role(arm, strategy.strategy),
                f"{arm.share / 100:g} %",
                f"{arm.model_id}@{arm.revision[:12]}",
                f"{strategy.changed_at} by {strategy.changed_by}",
            )
            for strategy in strategies
            for arm in strategy.strategy.all_arms
        ),
    )


def _role(arm: Arm, strategy: Strategy) -> str:
    if arm in strategy.shadows:
        return " (shadow)"
    return " (champion)" if arm.name == strategy.champion else ""
