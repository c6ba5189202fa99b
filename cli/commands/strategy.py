"""`triage strategy`"""

from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from pydantic import ValidationError

from cli import options
from cli.aws.deployment import Deployment, find
from cli.errors import NotFoundError, WrongUsageError
from cli.output import out, print_json, print_table
from triage.selection import answering
from triage.strategies.registry import ModelStrategy
from triage.strategies.strategy import Arm, Strategy, assign, sample
from triage.strategies.strategy_change import Change

app = typer.Typer(no_args_is_help=True, help="How the models of a task share traffic.")


@app.command()
def show(
    task: Annotated[str | None, typer.Argument(help="One task; by default all that have a strategy.")] = None,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Show the strategies in force. A task without one is answered by its champion."""
    strategies = find(env, state=state).registry.strategies.all()
    if task is not None:
        strategies = [strategy for strategy in strategies if strategy.task == task]
        if not strategies:
            raise NotFoundError(f"{task} has no strategy; set one with `triage strategy set {task} FILE`")
    if as_json:
        print_json(strategies if task is None else strategies[0])
    else:
        _table(strategies)


@app.command("set")
def set_(
    task: Annotated[str, typer.Argument(help="The task the document is for.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The strategy as a JSON document.")],
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")] = "set by hand",
    replaces: Annotated[
        int | None, typer.Option(min=0, help="The version you saw; by default the one in force.", show_default=False)
    ] = None,
    break_glass: options.BreakGlass = False,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Put a validated strategy in force, from the next complaint on; another champion may need a second person."""
    strategy = read_strategy(file, task)
    deployment = find(env, state=state)
    strategies = deployment.registry.strategies
    current = strategies.get(task)
    seen = replaces if replaces is not None else current.version if current else 0
    two = deployment.name("second-approver") == "yes" and not break_glass
    proposes = two and _crowns(deployment, current, strategy)
    change = Change(
        kind="propose" if proposes else "set",
        proposes="set" if proposes else None,
        strategy=strategy,
        actor=options.operator(),
        reason=reason,
        change_id=uuid4().hex,
        break_glass=break_glass,
    )
    changed, _ = strategies.change(change, replaces=seen)
    if proposes and not as_json:
        out.print(f"it names another champion: somebody else has to say `triage strategy approve {task}`")
        return
    if as_json:
        print_json(changed)
    else:
        out.print(f"{task} is at strategy version {changed.version}")


@app.command("assign")
def assign_(
    task: Annotated[str, typer.Argument(help="The task whose strategy in force is asked.")],
    subjects: Annotated[
        Path,
        typer.Option(
            "--subjects", exists=True, dir_okay=False, help="Customers, else complaints: one id in each line."
        ),
    ],
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Show which arm answers each subject, and which shadows predict beside it. Nothing is written."""
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


def _crowns(deployment: Deployment, current: ModelStrategy | None, strategy: Strategy) -> bool:
    """Whether the strategy takes the traffic from whoever is champion."""
    if current is not None:
        return current.strategy.crowns(strategy)
    models = deployment.registry.models()
    champion = answering(model for model in models if model.task == strategy.task and model.takes_part)
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
        raise WrongUsageError(f"{file} is not a text in UTF-8 with one id in each line") from error


def _assignment(strategy: Strategy, subject: str) -> dict[str, Any]:
    """`shadows` is there where the strategy has any, and lists those that the subject is sampled for."""
    answering = assign(strategy, subject)
    beside = [{"arm": shadow.arm.name, "bucket": shadow.bucket} for shadow in sample(strategy, subject)]
    dealt = {"subject": subject, "bucket": answering.bucket, "arm": answering.arm.name}
    return dealt | ({"shadows": beside} if strategy.shadows else {})


def read_strategy(file: Path, task: str) -> Strategy:
    """Raises: WrongUsageError naming each fault."""
    try:
        strategy = Strategy.model_validate_json(file.read_bytes())
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'document'}: {problem['msg']}" for problem in error.errors()
        )
        raise WrongUsageError(f"{file} is not a strategy: {problems}") from error
    if strategy.task != task:
        raise WrongUsageError(f"{file} is for {strategy.task}, not {task}")
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
