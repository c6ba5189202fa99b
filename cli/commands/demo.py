"""`triage demo`: from nothing to allocated complaints."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import MISSING, asdict, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.aws.deployment import Deployment, find, hub_token
from cli.aws.submission import Submission, numbered, put_all, wait_for
from cli.commands.demo_models import register_models, trained_models
from cli.commands.demo_review import review
from cli.errors import CommandError
from cli.output import err, out, print_json, print_table
from cli.progress import progress_bar
from cli.source import readable
from cli.tables import allocation_table, models_table, totals_table
from local import up as embedded
from training.data.complaint_files import ExportRow, read_export
from training.generator import generate
from training.recipe import CONFIGS, load_recipe

if TYPE_CHECKING:
    from triage.story import AllocationEntry

RECIPE = CONFIGS / "demo.toml"
TIMEOUT_SECONDS = 600.0


def demo(
    data: Annotated[
        str | None, typer.Option(help="A CFPB export to triage instead, or hf://organisation/name@sha.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of complaints.")] = 60,
    seed: Annotated[int, typer.Option(help="Seed of the generated complaints.")] = 1,
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Start the embedded AWS, train three models, triage complaints and review some of them."""
    # Read before anything starts, so that a wrong file name is reported at once.
    path = _export(data, state) if data else None
    with ThreadPoolExecutor(1) as beside:
        starting = beside.submit(embedded.up, state, on_progress=_say)
        bundles = trained_models(load_recipe(RECIPE), state / "models")
        instance = starting.result()
    deployment = find("local", state=state)
    register_models(bundles, instance, deployment.registry)
    rows = list(read_export(path, limit=count)) if path else _generated(count, seed)
    first = _triaged(deployment, rows[:1], "The first complaint, which also loads the models")
    alone = _triaged(deployment, rows[1:2], "One complaint alone")
    burst = _triaged(deployment, rows[2:], f"{len(rows[2:])} complaints at once")
    if as_json:
        print_json({"first": first.totals(), "alone": alone.totals(), "burst": burst.totals()})
        return
    models_table(deployment.registry.models())
    for submission, title in ((first, "The first complaint also loaded the models"), (alone, "One complaint alone")):
        for allocation in submission.allocations.values():
            _print_alone(title, allocation, submission)
    if burst.allocations:
        allocation_table(burst)
        totals_table(burst.totals(), title=f"{burst.submitted} complaints at once")
        out.print("Each of them waited for those before it: one alone takes the time shown above.", soft_wrap=True)
    allocations = {**first.allocations, **alone.allocations, **burst.allocations}
    if data is None:
        review(deployment, rows, allocations, seed=seed)
    if allocations:
        _print_next_steps(next(iter(alone.allocations or allocations)))


def _say(line: str) -> None:
    err.print(line, soft_wrap=True)


def _triaged(deployment: Deployment, rows: Sequence[ExportRow], title: str) -> Submission:
    """Submit complaints together and wait for their allocations.

    Raises: CommandError if some have none in time.
    """
    if not rows:
        return Submission()
    with progress_bar() as bar:
        waiting = bar.add_task(title, total=len(rows))
        submission = put_all(deployment, numbered(rows), on_put=lambda: None)
        late = wait_for(
            deployment,
            submission,
            timeout_seconds=TIMEOUT_SECONDS,
            on_allocated=lambda found: bar.advance(waiting, found),
        )
    if late:
        raise CommandError(
            f"{len(late)} complaints were not allocated within {TIMEOUT_SECONDS:g} s, {min(late)} among them; "
            "see what runs and what is parked with `triage status`"
        )
    return submission


def _export(data: str, state: Path) -> Path:
    """Return the local file of an export or of a dataset of the Hub."""
    return readable(
        data,
        endpoint=lambda: embedded.start(state, on_progress=_say).hub_endpoint,
        token=lambda: hub_token("local", state),
    )


def _generated(count: int, seed: int) -> list[ExportRow]:
    """Generate complaints with new ids in each run, because putting an existing complaint starts nothing."""
    run = f"demo-{datetime.now():%m%d-%H%M%S}"
    required = [one.name for one in fields(ExportRow) if one.default is MISSING and one.default_factory is MISSING]
    names = {one.name for one in fields(ExportRow)}
    rows = []
    for number, complaint in enumerate(generate(count, seed=seed), start=1):
        known = {name: value for name, value in asdict(complaint).items() if name in names}
        known["complaint_id"] = f"{run}-{number:04}"
        rows.append(ExportRow(**{**dict.fromkeys(required), **known, "row": number}))
    return rows


def _print_alone(title: str, allocation: "AllocationEntry", submission: Submission) -> None:
    print_table(
        title,
        ("what", "value"),
        (
            ("complaint", allocation.complaint_id),
            ("seconds from submission to allocation", f"{(submission.totals().p50_ms or 0) / 1000:.2f}"),
            ("product team", allocation.product_team),
            ("issue", allocation.issue or "—"),
            ("journey", allocation.journey),
            ("route", allocation.route),
            ("its whole story", f"{_program()} show {allocation.complaint_id}"),
        ),
    )


def _print_next_steps(complaint_id: str) -> None:
    program = _program()
    out.print("Three things to try next:")
    for number, (what, command) in enumerate(
        (
            ("Read a complaint's story as a page", f"show {complaint_id} --html story.html"),
            ("See which sentences led to the decision", f'explain {complaint_id} --purpose "trying it out"'),
            ("Triage complaints of your own, CSV or JSON lines", "submit FILE --wait"),
        ),
        start=1,
    ):
        out.print(f"  {number}. {what}:  {program} {command}", soft_wrap=True)
    out.print(f"Everything stays up until `{program} down`.", soft_wrap=True)


def _program() -> str:
    """Return how the reader can call this command from the current folder."""
    called = Path(sys.argv[0])
    return str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else called.name
