"""`python -m training RECIPE --output DIR`: train one recipe and show what came of it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from training.pipeline import STEPS, train_model
from training.recipe import load_recipe
from triage.bundle import Manifest, describe


def main(
    recipe: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Like training/configs/tiny.toml.")],
    output: Annotated[Path, typer.Option(help="The bundle's folder; it is replaced unless it is current.")],
) -> None:
    """Train the model of RECIPE into the bundle folder OUTPUT."""
    console = Console()
    with Progress(console=console) as bar:
        bars = {step: bar.add_task(step, total=1.0) for step in STEPS}
        folder = train_model(
            load_recipe(recipe), output=output, on_progress=lambda step, done: bar.update(bars[step], completed=done)
        )
    console.print(summary(describe(folder)))


def summary(manifest: Manifest) -> Table:
    table = Table("measure", "value", title=f"{manifest.recipe}, weights {manifest.weights_sha256[:16]}")
    for name, value in sorted(manifest.metrics.items()):
        table.add_row(name, f"{value:.4g}")
    return table


if __name__ == "__main__":
    typer.run(main)
