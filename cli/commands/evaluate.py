from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from cli import options
from cli.aws.deployment import find, hub_endpoint, hub_token
from cli.output import err, print_json
from cli.progress import progress_bar
from cli.source import made, readable


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="A task, for its champion; a version organisation/name@revision; or the folder of a bundle."
        ),
    ],
    data: Annotated[
        str, typer.Option(help="A labelled export with CFPB's column names, or hf://organisation/name@sha.")
    ],
    task: Annotated[
        str | None, typer.Option(help="What the model decides, if its bundle does not state it.", show_default=False)
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Folder for the report: page, data and card section.", show_default=False),
    ] = None,
    train: Annotated[str | None, typer.Option(help="An export to train baselines on.", show_default=False)] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Measure on N complaints drawn at random.", show_default=False)
    ] = None,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Measure a model on labelled complaints and compare it with people and baselines."""
    # Imported here, because they take seconds and no other command should wait for them.
    from cli.evaluation import evaluate_named, show, warn
    from cli.named_model import load_named
    from training.evaluation.evaluation import document
    from training.evaluation.report import write_report

    def at(source: str) -> Path:
        return readable(source, endpoint=lambda: hub_endpoint(env, state), token=lambda: hub_token(env, state))

    measured, learnt = at(data), at(train) if train is not None else None
    if report is not None:
        made(report)
    with TemporaryDirectory() as workspace, progress_bar() as bar:
        named = load_named(model, deployment=lambda: find(env, state=state), workspace=Path(workspace))
        evaluation = evaluate_named(named, measured, task=task, train=learnt, limit=limit, bar=bar)
    page = write_report(evaluation, report) if report is not None else None
    warn(evaluation)
    if as_json:
        print_json(document(evaluation))
    else:
        show(evaluation)
    if page is not None:
        err.print(f"The report is {page}.", soft_wrap=True)
