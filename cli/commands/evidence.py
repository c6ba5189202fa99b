"""`triage strategy evidence`"""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError
from pydantic import ValidationError

from cli import options
from cli.aws.deployment import Deployment, find
from cli.commands.strategy import in_force
from cli.errors import CommandError, NotFoundError, WrongUsageError
from cli.output import err, out, print_json, print_table
from cli.pages import evidence_case as words
from cli.pages.evidence_case import Case, left_out
from cli.pages.formats import number, percent, points
from runtime.adapters.experiments import Experiments
from triage.pages import write_page
from triage.promotion.engine import judge, opinions
from triage.promotion.evidence import Evidence
from triage.strategies.ledger import EvidenceReference, LedgerEntry
from triage.validation import problems

app = typer.Typer()


@app.command("evidence")
def evidence(
    task: Annotated[str, typer.Argument(help="The task whose challengers are judged.")],
    html: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write a page with pictures to this file.", show_default=False),
    ] = None,
    change: Annotated[
        str | None,
        typer.Option(help="Show stored evidence instead: the beginning of its sha256.", show_default=False),
    ] = None,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Show the evidence on each challenger, the verdict, and the change that would follow. Changes nothing."""
    deployment = find(env, state=state)
    cases = _known_now(deployment, task) if change is None else [_stored(deployment, task, change)]
    if html is not None:
        # Imported here, because the drawing library takes seconds to import.
        from cli.pages.evidence import page

        write_page(html, page(cases))
        err.print(f"The page is {html}", soft_wrap=True)
    if as_json:
        print_json([_plain(case) for case in cases])
        return
    for case in cases:
        _show(case)


def _known_now(deployment: Deployment, task: str) -> list[Case]:
    row = in_force(deployment, task)
    if not row.strategy.is_experiment:
        raise NotFoundError(
            f"{task} has no challenger; set a shadow or a canary with `triage strategy set {task} FILE`"
        )
    now = datetime.now(UTC)
    return [
        Case(
            challenger=opinion.challenger.name,
            evidence=opinion.evidence,
            judgement=opinion.judgement,
            gates=row.strategy.gates,
            course=opinion.course,
            labelled=opinion.labelled,
            positive_label=opinion.positive_label,
        )
        for opinion in opinions(row, Experiments(deployment.story).observe(row, now), now)
    ]


def _stored(deployment: Deployment, task: str, prefix: str) -> Case:
    """Judge the stored evidence whose sha256 begins with `prefix`. An altered document raises CommandError."""
    history = list(deployment.registry.strategies.history(task))
    found = {entry.evidence: entry for entry in history if entry.evidence and entry.evidence.sha256.startswith(prefix)}
    if not found:
        raise NotFoundError(
            f"the ledger of {task} names no evidence that begins with {prefix!r}; "
            f"`triage strategy history {task}` shows the evidence of each change"
        )
    if len(found) > 1:
        raise WrongUsageError(
            f"{len(found)} documents in the ledger of {task} begin with {prefix!r}; give more characters"
        )
    ((reference, entry),) = found.items()
    document = _document(deployment, reference)
    strategy = entry.strategy
    if strategy is None:
        raise CommandError(f"the entry of {entry.valid_from} has no strategy, so its evidence cannot be judged")
    return Case(
        challenger=_arm(document.challenger, history),
        evidence=document,
        judgement=judge(document, strategy.gates, strategy.guardrails),
        gates=strategy.gates,
        change=entry,
    )


def _document(deployment: Deployment, reference: EvidenceReference) -> Evidence:
    s3, bucket = deployment.session.client("s3"), deployment.name("evidence-bucket")
    try:
        stored = s3.get_object(Bucket=bucket, Key=reference.key)["Body"].read()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchKey":
            raise CommandError(f"{reference.key}, which the ledger names, is not in the bucket {bucket}") from error
        raise
    sha256 = hashlib.sha256(stored).hexdigest()
    if sha256 != reference.sha256:
        raise CommandError(
            f"{reference.key} is not what the ledger names: its sha256 is {sha256}, not {reference.sha256}"
        )
    try:
        return Evidence.model_validate_json(stored)
    except ValidationError as error:
        raise CommandError(
            f"{reference.key} was written by another version of this program and cannot be read: {problems(error)}"
        ) from error


def _arm(version: str, history: list[LedgerEntry]) -> str:
    """Return the name of the latest arm with this version."""
    strategies = (entry.strategy for entry in reversed(history) if entry.strategy)
    return next((arm.name for strategy in strategies for arm in strategy.all_arms if arm.version == version), version)


def _plain(case: Case) -> dict[str, Any]:
    shown = ("challenger", "evidence", "judgement", "course", *(["change"] if case.change else []))
    return {name: getattr(case, name) for name in shown}


def _show(case: Case) -> None:
    evidence, judgement = case.evidence, case.judgement
    out.print(
        f"{case.challenger}: {judgement.verdict} ({words.stage(evidence)}, {evidence.hours:.1f} hours)", soft_wrap=True
    )
    for reason in judgement.reasons:
        out.print(f"  {reason}", soft_wrap=True)
    if case.course is not None:
        out.print(f"  next: {case.course.kind or 'nothing'}, {case.course.reason}", soft_wrap=True)
    if case.change is not None:
        change = case.change
        out.print(f"  {change.kind} at {change.valid_from} by {change.actor}: {change.reason}", soft_wrap=True)
    print_table(
        "Gates",
        ("gate", "", "figures"),
        ((gate.name, words.passed(gate), gate.detail) for gate in judgement.gates),
    )
    if evidence.reviewers:
        print_table(
            f"Who labelled (of a verdict {case.gates.most_of_one_reviewer:.0%} at most)",
            ("reviewer", "labels", "share by weight", "difference without them"),
            [
                (one.by, one.labels, percent(one.share), points(one.without))
                for one in evidence.reviewers[: words.REVIEWERS]
            ],
        )
    compared = [(one, one.name) for one in evidence.comparisons]
    if evidence.assisted is not None:
        compared.append((evidence.assisted, f"{evidence.assisted.name} {words.ASSISTED}"))
    print_table(
        f"Comparisons on {evidence.labels:,} labels, in points",
        ("metric", "champion", "challenger", "difference", "bounds, at every look", "n", "p, one look only"),
        (
            (
                name,
                percent(one.champion),
                percent(one.challenger),
                points(one.difference),
                words.interval(one),
                one.n,
                words.fixed_test(one),
            )
            for one, name in compared
        ),
    )
    reasons = left_out(case)
    if reasons:
        print_table("Labels that do not count", ("why", "labels"), reasons.items())
    sides = (
        ("champion", evidence.champion_operations, number(evidence.champion_calibration.error, ".3f")),
        ("challenger", evidence.challenger_operations, number(evidence.challenger_calibration.error, ".3f")),
    )
    print_table(
        "How they ran since the stage began",
        ("", "predictions", "failures", "throttled", "p95 ms", "commonest label", "calibration error"),
        (
            (
                name,
                ran.predictions,
                ran.failures,
                ran.throttled,
                ran.p95_ms,
                percent(ran.commonest_share),
                error,
            )
            for name, ran, error in sides
        ),
    )
    delivered = evidence.delivered
    if delivered is not None:
        empty = ", ".join(delivered.empty) or "none"
        print_table(
            f"Delivered (sample ratio p = {delivered.p_value:.3g}, strays {delivered.strays}, empty arms: {empty})",
            ("arm", "intended", "buckets answered"),
            ((name, f"{share / 100:g} %", delivered.counted[name]) for name, share in delivered.intended.items()),
        )
