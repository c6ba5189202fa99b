"""Trains, publishes and registers the demonstration's models."""

from pathlib import Path

from cli import options
from cli.models import wait_until_mirrored
from cli.output import progress_bar
from local.state import Instance
from runtime.adapters.registry import Registry
from training.pipeline import STEPS, train_model
from training.publish import publish
from training.recipe import CONFIGS, load_recipe

ORGANISATION = "megabank"


def provide_model(name: str, instance: Instance, registry: Registry, output: Path) -> None:
    """Train, publish, register and activate one model; each step keeps what is there already."""
    recipe = load_recipe(CONFIGS / f"{name}.toml")
    with progress_bar() as bar:
        task = bar.add_task(f"Training {recipe.task}", total=100 * len(STEPS))
        folder = train_model(
            recipe,
            output=output,
            on_progress=lambda step, done: bar.update(task, completed=round(100 * (STEPS.index(step) + done))),
        )
        bar.update(task, completed=100 * len(STEPS))
    model_id = f"{ORGANISATION}/{recipe.task}-minilm"
    revision = publish(folder, model_id=model_id, endpoint=instance.hub_endpoint)
    registry.register(model_id, revision, task=recipe.task, by=options.operator())
    wait_until_mirrored(registry, model_id, revision)
    registry.activate(model_id, revision)
