"""Loads the model that an argument MODEL names: the folder of a bundle, a registered version, or a task's champion."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli.aws.deployment import Deployment
from cli.errors import NotFoundError
from runtime.adapters.bundles import S3Bundles
from runtime.adapters.registry import Registry
from training.bundle.seen import Digests, load_seen
from triage.bundle import MANIFEST_FILE, SEEN_FILE, Manifest, describe, verify
from triage.inference.engine import Engine, foreign, load_engine
from triage.inference.models import LoadedModels
from triage.steps import ModelReference
from triage.strategies.registry import ModelInfo

VERSION = re.compile(r"(?P<model_id>[^/@\s]+/[^/@\s]+)@(?P<revision>[0-9a-f]{40})")
TASK = re.compile(r"[a-z][a-z0-9-]{0,47}")


@dataclass(frozen=True)
class NamedModel:
    """A loaded model.

    name: the version, or the folder. task: None where neither bundle nor registry states it. seen: digests of the texts
    that it was trained on, None where the bundle does not contain them.
    """

    name: str
    task: str | None
    engine: Engine
    manifest: Manifest
    seen: Digests | None


def load_named(model: str, *, deployment: Callable[[], Deployment], workspace: Path) -> NamedModel:
    """Load and verify a model.

    deployment: called only where `model` is not a folder. workspace: the folder for a mirrored bundle.

    Raises:
        NotFoundError: it names no folder, no version and no task with an active model.
        UnknownModelError, RegistryError: the version is not registered, or not mirrored.
        BundleRefusedError, BundleUnavailableError, ModelFailedError: its files are wrong, or cannot be loaded.
    """
    folder = Path(model)
    if any((folder / name).is_file() for name in (MANIFEST_FILE, "config.json")):
        return _from_folder(folder)
    if version := VERSION.fullmatch(model):
        return _mirrored(deployment().registry.get(**version.groupdict()), deployment(), workspace)
    if TASK.fullmatch(model):
        return _mirrored(champion(deployment().registry, model), deployment(), workspace)
    raise NotFoundError(
        f"{model} is not the folder of a bundle, a version (organisation/name@ and a commit sha) or a task; "
        f"`triage models list` shows versions and tasks"
    )


def champion(registry: Registry, task: str) -> ModelInfo:
    """Return the champion of the task's strategy or, without a strategy, the model that answers.

    Raises:
        NotFoundError: no model of the task is active.
    """
    strategy = registry.strategies.get(task)
    if strategy is not None:
        arm = strategy.strategy.champion_arm
        return registry.get(arm.model_id, arm.revision)
    found = registry.answering(task)
    if found is None:
        raise NotFoundError(f"no model is active for {task}; `triage models list` shows what is registered")
    return found


def _from_folder(folder: Path) -> NamedModel:
    manifest = describe(folder)
    with foreign(f"loading {folder}"):
        engine = load_engine(folder, manifest)
    return NamedModel(str(folder), manifest.task, engine, manifest, load_seen(folder))


def _mirrored(row: ModelInfo, deployment: Deployment, workspace: Path) -> NamedModel:
    bundle = row.require_bundle()
    reference = ModelReference(
        task=row.task,
        model_id=row.model_id,
        revision=row.revision,
        engine=bundle.engine,
        manifest_sha256=bundle.manifest_sha256,
    )
    store = S3Bundles(deployment.session.client("s3"), deployment.name("bundles-bucket"))
    loaded = LoadedModels(store, folder=workspace, capacity=1).get(reference)
    seen = [file for file in loaded.manifest.files if file.path == SEEN_FILE]
    store.fetch_files(reference, seen, workspace)
    verify(workspace, seen)
    return NamedModel(row.version, row.task, loaded.engine, loaded.manifest, load_seen(workspace))
