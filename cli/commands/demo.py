"""`triage demo`: from nothing to allocated complaints."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from cli import options
from cli.aws.deployment import find
from cli.aws.submission import numbered, put_all, wait_for
from cli.commands.demo_review import review
from cli.errors import CommandError
from cli.output import err, out, print_json, progress_bar
from cli.source import readable
from cli.tables import allocation_table, models_table, totals_table
from local import up as embedded
from local.state import Instance
from training.data.complaint_files import ExportRow, read_export
from training.generator import generate

RECIPE = "demo"


def demo(
    data: Annotated[
        str | None, typer.Option(help="A CFPB export to triage instead, or hf://organisation/name@sha.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many complaints.")] = 60,
    seed: Annotated[int, typer.Option(help="Which complaints are generated.")] = 1,
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Start the embedded AWS, train and register three models, triage complaints, and review some of them."""

    def start() -> Instance:
        return embedded.up(state, on_progress=lambda line: err.print(line, soft_wrap=True))

    # A file that is not there is told before anything is started.
    path = readable(data, endpoint=lambda: start().hub_endpoint) if data is not None else None
    instance = start()
    deployment = find("local", state=state)
    # Only now: torch takes seconds to import, and no other command should wait for it.
    from cli.commands.demo_models import provide_models

    provide_models(RECIPE, instance, deployment.registry, state / "models")
    rows = list(read_export(path, limit=count) if path else _generated(count, seed))
    with progress_bar() as bar:
        putting = bar.add_task("Submitting", total=count)
        submission = put_all(deployment, numbered(rows), on_put=lambda: bar.advance(putting))
        waiting = bar.add_task("Allocating", total=len(submission.ids))
        late = wait_for(
            deployment, submission, timeout_seconds=600, on_allocated=lambda found: bar.advance(waiting, found)
        )
    if as_json:
        print_json(submission.totals())
    else:
        models_table(deployment.registry.models())
        allocation_table(submission)
        totals_table(submission.totals())
        if data is None:
            review(deployment, rows, submission.allocations, seed=seed)
        out.print("The environment stays up: try `triage show COMPLAINT_ID`, and end it with `triage down`.")
    if late:
        raise CommandError(f"{len(late)} complaints have no allocation yet; `triage status` shows more")


def _generated(count: int, seed: int) -> Iterator[ExportRow]:
    run = f"demo-{datetime.now():%m%d-%H%M%S}"
    fields = set(ExportRow.__dataclass_fields__)
    for number, complaint in enumerate(generate(count, seed=seed), start=1):
        known = {name: value for name, value in asdict(complaint).items() if name in fields}
        # Every run's complaints are new ones: a duplicate would start nothing.
        known["complaint_id"] = f"{run}-{number:04}"
        yield ExportRow(**{**dict.fromkeys(fields), **known, "row": number})
