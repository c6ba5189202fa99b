"""`triage strategy simulate`"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.aws.deployment import Deployment, find
from cli.aws.replays import Replays
from cli.commands.strategy import read_strategy
from cli.errors import NotFoundError, WrongUsageError
from cli.output import out, print_json, print_table
from cli.simulation import Assumed, Expected, Rule, difference, expect
from triage.promotion.evidence import Comparison
from triage.strategies.strategy import BUCKETS, Arm, Strategy

app = typer.Typer()


@app.command("simulate")
def simulate(
    task: Annotated[str, typer.Argument(help="The task whose stored predictions are used.")],
    file: Annotated[
        Path | None, typer.Option("--strategy", exists=True, dir_okay=False, help="The proposed strategy.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Least confidence for no review or, to find one label, for a flag."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Days to look back.")] = 30,
    volume: Annotated[int, typer.Option(min=1, help="Complaints a day.")] = 3_000,
    minutes: Annotated[float, typer.Option(min=0, help="Minutes of a person for one review.")] = 1.0,
    pence: Annotated[float, typer.Option(min=0, help="Cost of one such minute.")] = 30.0,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Show what a strategy or a threshold would do to accuracy, reviews and cost. Changes nothing."""
    if file is None and threshold is None:
        raise WrongUsageError("propose a --strategy, a --threshold, or both")
    deployment = find(env, state=state)
    strategies = deployment.registry.strategies
    in_force = strategies.get(task)
    present = in_force.strategy if in_force else _alone(deployment, task)
    proposed = read_strategy(file, task) if file else present
    now = datetime.now(UTC)
    replay = Replays(deployment.story).read(
        (present, proposed),
        strategies.history(task),
        in_force=in_force,
        gates=present.gates,
        since=now - timedelta(days=days),
        now=now,
    )
    if not replay.past:
        raise NotFoundError(f"no model decided {task} for a complaint in the last {days} days: use more --days")
    before = Rule.of(present, now, positive_label=replay.positive_label)
    after = Rule.of(proposed, now, threshold=threshold, positive_label=replay.positive_label)
    assumed = Assumed(volume=volume, minutes=minutes, pence=pence)
    found = {"present": expect(replay.past, before, assumed), "proposed": expect(replay.past, after, assumed)}
    changed = difference(replay.past, before, after, present.gates)
    if as_json:
        settings = {"task": task, "since": replay.since, "cut": replay.cut, "threshold": threshold, "assumed": assumed}
        print_json(settings | found | {"difference": changed})
        return
    out.print(f"Complaints answered for {task} since {replay.since}", soft_wrap=True)
    print_table("Expected", ("", "present", "proposed"), _rows(found["present"], found["proposed"]))
    for note in _notes(found["present"], found["proposed"], changed, cut=replay.cut):
        out.print(note, soft_wrap=True)


def _alone(deployment: Deployment, task: str) -> Strategy:
    """Return the strategy that equals having none: one model answers everything."""
    model = deployment.registry.answering(task)
    if model is None:
        raise NotFoundError(f"{task} has neither a strategy nor a model that takes part; see `triage models list`")
    arm = Arm(name="champion", model_id=model.model_id, revision=model.revision, share=BUCKETS)
    return Strategy(task=task, kind="single", experiment="none", champion=arm.name, arms=(arm,))


def _rows(present: Expected, proposed: Expected) -> Iterator[tuple[str, str | None, str | None]]:
    after = _figures(proposed)
    for name, figure in _figures(present).items():
        if figure is not None or after[name] is not None:
            yield name, figure, after[name]


def _figures(one: Expected) -> dict[str, str | None]:
    return {
        "complaints": str(one.complaints),
        "of which unknown": f"{one.unknown} ({one.unknown / one.complaints:.1%})",
        "by arm": _arms(one),
        "labels that count": str(one.labels),
        "accuracy (95 %)": _estimate(one.accuracy, one.interval, one.labels),
        "accuracy of what is automatic (95 %)": _estimate(
            one.automatic_accuracy, one.automatic_interval, one.automatic_labels
        ),
        "reviewed for this task": _number(one.reviewed, ".1%"),
        "reviews a day": _number(one.reviews_a_day, ",.0f"),
        "pounds a year": _number(one.pounds_a_year, ",.0f"),
        "recall (95 %)": _estimate(one.recall, one.recall_interval, one.recall_labels),
        "precision (95 %)": _estimate(one.precision, one.precision_interval, one.precision_labels),
        "flagged": _number(one.flagged, ".1%"),
    }


def _arms(expected: Expected) -> str:
    def text(name: str, count: int) -> str:
        unknown = expected.unknown_by_arm.get(name, 0)
        share = f"{name} {count} ({count / expected.complaints:.1%})"
        return f"{share}, {unknown} unknown" if unknown else share

    return "; ".join(text(name, count) for name, count in sorted(expected.arms.items()))


def _estimate(value: float | None, interval: tuple[float, float] | None, labels: int) -> str | None:
    if value is None or interval is None:
        return None
    low, high = interval
    return f"{value:.1%} ({low:.1%} to {high:.1%}) of {labels}"


def _number(value: float | None, form: str) -> str | None:
    return None if value is None else format(value, form)


def _notes(present: Expected, proposed: Expected, changed: Comparison, *, cut: bool) -> Iterator[str]:
    if changed.difference is None:
        yield "No complaint has a label that counts and both answers known, so nothing is known of the quality."
    else:
        bounds = f"{100 * changed.lower:+.1f} to {100 * changed.upper:+.1f}"
        yield (
            f"On the same {changed.n} labelled complaints {changed.metric} changes by "
            f"{100 * changed.difference:+.1f} points ({bounds}, at every look)."
        )
    if present.unknown or proposed.unknown:
        yield (
            "Complaints are unknown where the arm's model has not predicted them; the other figures leave them out. "
            "Shadow the arm first to know more."
        )
    if proposed.other_labels:
        yield f"{proposed.other_labels} more labels do not count: not drawn at random, too rarely, or not blind."
    if proposed.reviewed is not None:
        yield "Reviewed are complaints that this task's confidence alone sends to a person; another task may send more."
    if proposed.flagged is not None:
        yield "This task sends no complaint to review; flagged complaints take the specialist journey."
    if cut:
        yield "Older predictions in that time were not read, because there are too many."
