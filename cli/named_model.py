"""The model that MODEL names, loaded: a bundle's folder, a version of the registry, or a task's champion."""

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
from triage.errors import ModelFailedError, RegistryError
from triage.inference.engine import Engine, load_engine
from triage.inference.models import LoadedModels
from triage.selection import answering
from triage.steps import ModelReference
from triage.strategies.registry import ModelInfo

VERSION = re.compile(r"(?P<model_id>[^/@\s]+/[^/@\s]+)@(?P<revision>[0-9a-f]{40})")
TASK = re.compile(r"[a-z][a-z0-9-]{0,47}")


@dataclass(frozen=True)
class NamedModel:
    """name: the version, or the folder. task: None where neither bundle nor registry says it. seen: digests of the
    texts that it was made from, None where the bundle does not say it."""

    name: str
    task: str | None
    engine: Engine
    manifest: Manifest
    seen: Digests | None


def load_named(model: str, *, deployment: Callable[[], Deployment], workspace: Path) -> NamedModel:
    """Load and verify it. deployment: only asked for what is no folder. workspace: where a mirrored bundle is put.

    Raises:
        NotFoundError: it names no folder, no version and no task with an active model.
        UnknownModelError, RegistryError: not in the registry, or not mirrored.
        BundleRefusedError, BundleUnavailableError, ModelFailedError: its files are not what they should be.
    """
    folder = Path(model)
    if any((folder / name).is_file() for name in (MANIFEST_FILE, "config.json")):
        return _from_folder(folder)
    if version := VERSION.fullmatch(model):
        return _mirrored(deployment().registry.get(**version.groupdict()), deployment(), workspace)
    if TASK.fullmatch(model):
        return _mirrored(champion(deployment().registry, model), deployment(), workspace)
    raise NotFoundError(
        f"{model} is no folder of a bundle, no version (organisation/name@ and 40 hexadecimal digits), and no task"
    )


def champion(registry: Registry, task: str) -> ModelInfo:
    """The champion of the task's strategy; without one the model that answers.

    Raises:
        NotFoundError: no model of the task is active.
    """
    strategy = registry.strategies.get(task)
    if strategy is not None:
        arm = strategy.strategy.champion_arm
        return registry.get(arm.model_id, arm.revision)
    found = answering(row for row in registry.models() if row.task == task and row.takes_part)
    if found is None:
        raise NotFoundError(f"no model is active for {task}; `triage models list` shows what is registered")
    return found


def _from_folder(folder: Path) -> NamedModel:
    manifest = describe(folder)
    try:
        engine = load_engine(folder, manifest)
    except Exception as error:  # whatever a foreign model's files make a library raise
        raise ModelFailedError(f"loading {folder} raised {type(error).__name__}") from error
    return NamedModel(str(folder), manifest.task, engine, manifest, load_seen(folder))


def _mirrored(row: ModelInfo, deployment: Deployment, workspace: Path) -> NamedModel:
    name = f"{row.model_id}@{row.revision}"
    if row.bundle is None:
        raise RegistryError(f"{name} is not mirrored: {row.failure or 'wait for the mirror function'}")
    reference = ModelReference(
        task=row.task,
        model_id=row.model_id,
        revision=row.revision,
        engine=row.bundle.engine,
        manifest_sha256=row.bundle.manifest_sha256,
    )
    store = S3Bundles(deployment.session.client("s3"), deployment.name("bundles-bucket"))
    loaded = LoadedModels(store, folder=workspace, capacity=1).get(reference)
    beside = [file for file in loaded.manifest.files if file.path == SEEN_FILE]
    store.fetch_files(reference, beside, workspace)
    verify(workspace, beside)
    return NamedModel(name, row.task, loaded.engine, loaded.manifest, load_seen(workspace))
