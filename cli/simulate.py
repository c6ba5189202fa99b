"""`triage strategy simulate`"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.deployment import find
from cli.errors import NotFoundError, WrongUsageError
from cli.output import out, print_json, print_table
from cli.strategy import in_force, read_strategy
from runtime.adapters.experiments import Experiments
from triage.complaint import timestamp
from triage.promotion.simulation import Assumed, Expected, expect

app = typer.Typer()


@app.command("simulate")
def simulate(
    task: Annotated[str, typer.Argument(help="The task whose stored predictions are replayed.")],
    file: Annotated[
        Path | None, typer.Option("--strategy", exists=True, dir_okay=False, help="The proposed strategy.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="The confidence from which on no person is asked.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="How far back.")] = 30,
    volume: Annotated[int, typer.Option(min=1, help="Complaints a day.")] = 3_000,
    minutes: Annotated[float, typer.Option(min=0, help="Of a person, for one review.")] = 1.0,
    pence: Annotated[float, typer.Option(min=0, help="For one minute of a person.")] = 30.0,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Show what a strategy or a threshold would do to accuracy, reviews and cost. Nothing is changed."""
    if file is None and threshold is None:
        raise WrongUsageError("propose a --strategy, a --threshold, or both")
    deployment = find(env, state=state)
    present = in_force(deployment, task).strategy
    proposed = read_strategy(file, task) if file else present
    now = datetime.now(UTC)
    versions = [arm.version for strategy in (present, proposed) for arm in strategy.all_arms]
    since = timestamp(now - timedelta(days=days))
    past = Experiments(deployment.story).past(task, versions, present, since, now)
    if not past:
        raise NotFoundError(f"no complaint was answered for {task} in the last {days} days")
    assumed = Assumed(volume=volume, minutes=minutes, pence=pence)
    found = {
        "present": expect(past, present, assumed),
        "proposed": expect(past, proposed, assumed, threshold=threshold),
    }
    if as_json:
        print_json(found)
        return
    _table(found["present"], found["proposed"])
    if found["proposed"].unknown:
        out.print("Unknown are complaints whose arm has not predicted them: shadow it first to know more.")


def _table(present: Expected, proposed: Expected) -> None:
    rows = {
        "complaints": (present.complaints, proposed.complaints),
        "of which unknown": (present.unknown, proposed.unknown),
        "by arm": (_arms(present), _arms(proposed)),
        "labels": (present.labels, proposed.labels),
        "accuracy": (_accuracy(present), _accuracy(proposed)),
        "accuracy of what is automatic": (_share(present.automatic_accuracy), _share(proposed.automatic_accuracy)),
        "reviewed for this task": (_share(present.reviewed), _share(proposed.reviewed)),
        "reviews a day": (_whole(present.reviews_a_day), _whole(proposed.reviews_a_day)),
        "pounds a year": (_whole(present.pounds_a_year), _whole(proposed.pounds_a_year)),
    }
    print_table("Expected", ("", "present", "proposed"), ((name, *values) for name, values in rows.items()))


def _arms(expected: Expected) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(expected.arms.items()))


def _accuracy(expected: Expected) -> str | None:
    if expected.accuracy is None or expected.interval is None:
        return None
    low, high = expected.interval
    return f"{expected.accuracy:.1%} ({low:.1%} to {high:.1%})"


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.1%}"


def _whole(value: float | None) -> str | None:
    return None if value is None else f"{value:,.0f}"
