"""The demonstration's models: trained where they are missing, then published, registered and activated."""

import os
from collections.abc import Mapping
from pathlib import Path

from cli.aws.deployment import hub_token, local_user
from cli.commands.models import wait_until_mirrored
from cli.progress import Steps, progress_bar
from local.state import Instance
from runtime.adapters.registry import Registry
from training.bundle.folder import is_current
from training.data.prepare import prepare
from training.recipe import Recipe

ORGANISATION = "megabank"
STEP_TITLES = {
    "prepare": "Generating complaints",
    "train": "Training the models",
    "export": "Exporting the models",
}


def trained_models(recipe: Recipe, output: Path) -> Mapping[str, Path]:
    """Return the bundle folder of each task of the recipe, trained now unless it is there already."""
    prepared = prepare(recipe)
    bundles = {task: output / task for task in recipe.tasks}
    if all(is_current(folder, recipe, prepared) for folder in bundles.values()):
        return bundles
    # By default, waiting threads spin. Beside the deployment, that takes longer than the training itself.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Imported here, because torch takes seconds to import and later runs train nothing.
    from training.pipeline import train_models

    with progress_bar() as bar:
        steps = Steps(bar)
        bundles = dict(
            train_models(
                recipe,
                output=output,
                prepared=prepared,
                on_progress=lambda step, done: steps.share(STEP_TITLES[step], done),
            )
        )
        steps.end()
    return bundles


def register_models(bundles: Mapping[str, Path], instance: Instance, registry: Registry) -> None:
    """Publish, register and activate a model for each task; steps that are already done change nothing."""
    # Imported here, because the Hub's client takes a second to import.
    from training.bundle.publish import publish

    revisions, token = {}, hub_token("local", instance.state)
    for task, folder in bundles.items():
        model_id = f"{ORGANISATION}/{task}-minilm"
        revisions[model_id] = publish(folder, model_id=model_id, endpoint=instance.hub_endpoint, token=token)
        registry.register(model_id, revisions[model_id], task=task, by=local_user())
    with progress_bar() as bar:
        mirroring = bar.add_task("Copying the models from the Hub", total=len(revisions))
        for model_id, revision in revisions.items():
            wait_until_mirrored(registry, model_id, revision)
            registry.activate(model_id, revision, by=local_user())
            bar.advance(mirroring)
