from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import options
from cli.errors import CommandError, NotFoundError, WrongUsageError
from cli.output import err, out, print_json, print_table
from cli.progress import Steps, progress_bar
from cli.source import readable

if TYPE_CHECKING:
    from training.evaluation.held_back import Keep
    from training.pipeline import Bundles, OnProgress
    from training.recipe import Recipe, ValidateOn


def train(
    recipe: Annotated[
        str, typer.Argument(help="A TOML file, or the name of one in training/configs, such as complaints.")
    ],
    output: Annotated[Path, typer.Option(file_okay=False, help="Folder for the bundles; its content is replaced.")],
    data: Annotated[
        str | None,
        typer.Option(
            help="An export with CFPB's column names, or hf://organisation/name@sha; default: generated ones."
        ),
    ] = None,
    keep: Annotated[
        Literal["none", "grouped", "time"],
        typer.Option(
            help="Rows to keep back and measure on: none, whole groups of near-duplicates at random, or the latest."
        ),
    ] = "none",
    test_from: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="With --keep time: keep back complaints received from this day on."),
    ] = None,
    validate_on: Annotated[
        Literal["random", "latest"] | None,
        typer.Option(
            help="How to choose the part that sets calibration and thresholds: groups at random, or the latest ones."
            " By default as the recipe states."
        ),
    ] = None,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve",
            help="Also train on a half of the complaints, a quarter and so on, for a learning curve; doubles the time.",
        ),
    ] = False,
    checkpoints: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder from which an interrupted run continues.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Train the models of a recipe and measure them on complaints that were kept back."""
    if data is None and keep != "none":
        raise WrongUsageError(
            "--keep needs --data: figures on generated complaints mean nothing. Add --data, or leave --keep out"
        )
    if test_from is not None and keep != "time":
        raise WrongUsageError(
            "--test-from needs --keep time, because it splits by date: use --keep time, or leave --test-from out"
        )
    if curve and keep == "none":
        raise WrongUsageError(
            "--curve needs --keep: it is measured on complaints that were kept back. Add --keep grouped or --keep time"
        )
    # Imported here, because torch takes seconds and no other command should wait for it.
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    from training.model.encoder import EncoderError
    from training.pipeline import ExportFailedError

    try:
        bundles = _trained(_recipe(recipe, validate_on), output, data, keep, test_from, checkpoints, curve=curve)
    except (EncoderError, ExportFailedError, HfHubHTTPError, LocalEntryNotFoundError, ValueError) as error:
        raise CommandError(str(error)) from error
    _report(bundles, as_json)


def _recipe(name: str, validate_on: "ValidateOn | None") -> "Recipe":
    from training.recipe import CONFIGS, load_recipe

    path = Path(name) if Path(name).suffix == ".toml" else CONFIGS / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in CONFIGS.glob("*.toml")))
        raise NotFoundError(f"there is no recipe {name}: choose one of {known}, or give a .toml file")
    recipe = load_recipe(path)
    return recipe if validate_on is None else recipe.model_copy(update={"validate_on": validate_on})


def _trained(
    recipe: "Recipe",
    output: Path,
    data: str | None,
    keep: "Keep",
    test_from: datetime | None,
    checkpoints: Path | None,
    *,
    curve: bool,
) -> "Bundles":
    from training.data.dataset import load_labelled
    from training.evaluation.held_back import measure, part, points_of_fewer, prepared_from
    from training.pipeline import train_models

    with progress_bar() as bar:
        steps = Steps(bar)
        if data is None:
            return train_models(
                recipe, output=output, checkpoints=checkpoints, on_progress=_shown(steps, f"Training {recipe.name}")
            )
        steps.next(f"Reading {data}")
        labelled = load_labelled(readable(data))
        parts = part(labelled, keep, test_from=test_from.date() if test_from else None)
        steps.next("Preparing")
        prepared = prepared_from(recipe, labelled, parts.learn)
        bundles = train_models(
            recipe,
            output=output,
            prepared=prepared,
            checkpoints=checkpoints,
            on_progress=_shown(steps, f"Training {recipe.name}"),
        )
        if not len(parts.test):
            return bundles
        points = None
        if curve:
            points = points_of_fewer(
                recipe,
                labelled,
                parts,
                begin=lambda size: _shown(steps, f"Training {recipe.name} on {size:,} complaints"),
                checkpoints=checkpoints,
            )
        measure(bundles, labelled, parts, folder=output, step=steps.next, points=points)
        steps.end()
    return bundles


def _shown(steps: Steps, run: str) -> "OnProgress":
    """Return a function that shows the progress of one run, step by step."""
    return lambda step, done: steps.share(f"{run}: {step}", done)


def _report(bundles: "Bundles", as_json: bool) -> None:
    from training.bundle.folder import PAGE, REPORTS
    from triage.bundle import describe

    manifests = {task: describe(folder) for task, folder in bundles.items()}
    if as_json:
        print_json({task: {"folder": str(bundles[task]), "manifest": manifest} for task, manifest in manifests.items()})
        return
    print_table(
        "Figures on the validation part, which chose checkpoint, calibration and thresholds",
        ("task", "bundle", "weights", "measure", "value"),
        (
            (task, bundles[task], manifest.weights_sha256[:16], name, f"{value:.4g}")
            for task, manifest in manifests.items()
            for name, value in sorted(manifest.metrics.items())
        ),
    )
    for task, folder in bundles.items():
        page = folder.parent / REPORTS / task / PAGE
        if page.is_file():
            out.print(f"The report of {task} is {page}.", soft_wrap=True)
    err.print("Publish with `triage publish FOLDER ORGANISATION/NAME`.", soft_wrap=True)
