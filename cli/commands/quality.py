from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from cli import options
from cli.aws.deployment import Deployment, find
from cli.errors import WrongUsageError
from cli.output import out, print_json, print_table
from runtime.adapters.experiments import Experiments
from triage.complaint import timestamp
from triage.quality import Quality, reviewed
from triage.quality import quality as measured
from triage.story import ALLOCATION, AllocationEntry
from triage.tasks import TASKS

FOUR_WEEKS = timedelta(days=27)


def quality(
    task: Annotated[str | None, typer.Option(help="Show this task alone.", show_default=False)] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The first day; by default four weeks ago.", show_default=False),
    ] = None,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Estimate how good decisions are, from complaints that were drawn at random and reviewed blind."""
    today = datetime.now(UTC).date()
    first = since.date() if since else today - FOUR_WEEKS
    if task is not None and task not in TASKS:
        raise WrongUsageError(f"--task: {task!r} is not one of {', '.join(TASKS)}")
    if first > today:
        raise WrongUsageError(f"--since: {first} is in the future")
    figures = [one for one in measure(find(env, state=state), first) if task in (None, one.task)]
    if as_json:
        print_json(figures)
    else:
        show_quality(figures, since=first)


def measure(deployment: Deployment, since: date) -> list[Quality]:
    """Return the figures from this day until today, by the feedback that was applied."""
    began = timestamp(datetime(since.year, since.month, since.day, tzinfo=UTC))
    now = datetime.now(UTC)
    entries = list(Experiments(deployment.story).feedback(began, now))
    items = deployment.story.get_many({(entry.complaint_id, ALLOCATION) for entry in entries})
    allocations = {item["complaint_id"]: AllocationEntry.model_validate(item) for item in items}
    return measured(reviewed(entries, allocations), since=since, until=now.date())


def show_quality(figures: Iterable[Quality], *, since: date) -> None:
    shown = [one for one in figures if one.n]
    if not shown:
        out.print("No drawn complaint was reviewed blind yet: hand reviews in with `triage feedback … --blind`")
        return
    print_table(
        f"Quality since {since}, from complaints that were drawn and reviewed",
        ("task", "metric", "estimate", "95 % interval", "complaints", "they stand for", "since", "until"),
        map(_row, shown),
    )


def _row(one: Quality) -> tuple[object, ...]:
    interval = None if one.low is None or one.high is None else f"{one.low:.1%} to {one.high:.1%}"
    estimate = None if one.estimate is None else f"{one.estimate:.1%}"
    return one.task, one.metric, estimate, interval, one.n, round(one.weighted), one.since, one.until
