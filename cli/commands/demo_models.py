"""Trains, publishes and registers the demonstration's models."""

from pathlib import Path

from cli import options
from cli.commands.models import wait_until_mirrored
from cli.output import progress_bar
from local.state import Instance
from runtime.adapters.registry import Registry
from training.bundle.publish import publish
from training.pipeline import STEPS, Bundles, train_models
from training.recipe import CONFIGS, load_recipe

ORGANISATION = "megabank"


def provide_models(name: str, instance: Instance, registry: Registry, output: Path) -> Bundles:
    """Train, publish, register and activate the models of a recipe; each step keeps what is there already."""
    recipe = load_recipe(CONFIGS / f"{name}.toml")
    with progress_bar() as bar:
        training = bar.add_task(f"Training {', '.join(recipe.tasks)}", total=100 * len(STEPS))
        bundles = train_models(
            recipe,
            output=output,
            on_progress=lambda step, done: bar.update(training, completed=round(100 * (STEPS.index(step) + done))),
        )
        bar.update(training, completed=100 * len(STEPS))
    for task, folder in bundles.items():
        model_id = f"{ORGANISATION}/{task}-minilm"
        revision = publish(folder, model_id=model_id, endpoint=instance.hub_endpoint)
        registry.register(model_id, revision, task=task, by=options.operator())
        wait_until_mirrored(registry, model_id, revision)
        registry.activate(model_id, revision, by=options.operator())
    return bundles
