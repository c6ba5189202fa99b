"""`triage strategy evidence`"""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli import options
from cli.deployment import find
from cli.errors import NotFoundError
from cli.output import out, print_json, print_table
from cli.strategy import in_force
from runtime.adapters.experiments import Experiments, Opinion
from triage.promotion.evidence import Comparison, Evidence, Operations

app = typer.Typer()


@app.command("evidence")
def evidence(
    task: Annotated[str, typer.Argument(help="The task whose challengers are judged.")],
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Show what is known about each challenger now, the verdict on it, and what would follow. Nothing is changed."""
    deployment = find(env, state=state)
    row = in_force(deployment, task)
    if not row.strategy.is_experiment:
        raise NotFoundError(
            f"{task} has no challenger; set a shadow or a canary with `triage strategy set {task} FILE`"
        )
    opinions = Experiments(deployment.story).opinions(row, datetime.now(UTC))
    if as_json:
        print_json([_plain(opinion) for opinion in opinions])
        return
    for opinion in opinions:
        _show(opinion)


def _plain(opinion: Opinion) -> dict[str, Any]:
    return {
        "challenger": opinion.challenger.name,
        "evidence": opinion.evidence,
        "judgement": opinion.judgement,
        "course": opinion.course,
    }


def _show(opinion: Opinion) -> None:
    evidence, judgement, course = opinion.evidence, opinion.judgement, opinion.course
    stage = "shadow" if evidence.stage == "shadow" else f"{evidence.stage / 100:g} %"
    out.print(f"{opinion.challenger.name}: {judgement.verdict} ({stage}, {evidence.hours:.1f} hours)", soft_wrap=True)
    for reason in judgement.reasons:
        out.print(f"  {reason}", soft_wrap=True)
    out.print(f"  next: {course.kind or 'nothing'}, {course.reason}", soft_wrap=True)
    passed = {True: "passed", False: "failed", None: "open"}
    print_table(
        "Gates", ("gate", "", "figures"), ((gate.name, passed[gate.passed], gate.detail) for gate in judgement.gates)
    )
    _comparisons(evidence)
    _operations(evidence)
    if evidence.delivered is not None:
        delivered = evidence.delivered
        print_table(
            f"Delivered (sample ratio p = {delivered.p_value:.3g}, strays {delivered.strays})",
            ("arm", "intended", "buckets answered"),
            ((name, f"{share / 100:g} %", delivered.counted[name]) for name, share in delivered.intended.items()),
        )


def _comparisons(evidence: Evidence) -> None:
    print_table(
        f"Comparisons on {evidence.labels} labels; {evidence.unrepresentative} more stand for nobody",
        ("metric", "champion", "challenger", "points", "interval, at every look", "n", "one look only"),
        (
            _compared(comparison)
            for comparison in (
                evidence.primary,
                *evidence.others,
                *evidence.groups,
                *([evidence.assisted] if evidence.assisted else []),
            )
        ),
    )


def _compared(comparison: Comparison) -> tuple[object, ...]:
    def points(value: float | None) -> str | None:
        return None if value is None else f"{100 * value:+.1f}"

    fixed = comparison.fixed
    return (
        comparison.metric + (f" on {comparison.group}" if comparison.group else ""),
        None if comparison.champion is None else f"{comparison.champion:.3f}",
        None if comparison.challenger is None else f"{comparison.challenger:.3f}",
        points(comparison.difference),
        f"{points(comparison.lower)} to {points(comparison.upper)}",
        comparison.n,
        f"{fixed.name}: p = {fixed.p_value:.3g}" if fixed else None,
    )


def _operations(evidence: Evidence) -> None:
    def ran(name: str, operations: Operations, error: float | None) -> tuple[object, ...]:
        share = operations.commonest_share
        return (
            name,
            operations.predictions,
            operations.failures,
            operations.p95_ms,
            None if share is None else f"{share:.0%}",
            None if error is None else f"{error:.3f}",
        )

    print_table(
        "How they ran since the stage began",
        ("", "predictions", "failures", "p95 ms", "commonest label", "calibration error"),
        (
            ran("champion", evidence.champion_operations, evidence.champion_calibration.error),
            ran("challenger", evidence.challenger_operations, evidence.challenger_calibration.error),
        ),
    )
