"""Models that stay loaded between the calls of a warm function."""

import math
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from triage.bundle import Manifest, verify
from triage.errors import BundleRefusedError
from triage.inference.engine import Engine, foreign, load_engine
from triage.steps import ModelReference


class BundleStore(Protocol):
    def manifest(self, model: ModelReference) -> Manifest:
        """Return the manifest. Raises: BundleUnavailableError; BundleCorruptError if its hash is not `model`'s."""
        ...

    def fetch(self, model: ModelReference, manifest: Manifest, folder: Path) -> None:
        """Copy the served files into `folder`. Raises: BundleUnavailableError."""
        ...


@dataclass(frozen=True)
class LoadedModel:
    engine: Engine
    manifest: Manifest


class LoadedModels:
    """The models that were used last: at most `capacity` of them and `megabytes` of files, but always one.

    A bundle is fetched, verified and loaded once.
    """

    def __init__(
        self,
        store: BundleStore,
        *,
        folder: Path,
        capacity: int,
        megabytes: float = math.inf,
        load: Callable[[Path, Manifest], Engine] = load_engine,
    ) -> None:
        self._store = store
        self._folder = folder
        self._capacity = capacity
        self._bytes = megabytes * 1e6
        self._load = load
        self._loaded: OrderedDict[str, LoadedModel] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, model: ModelReference) -> LoadedModel:
        """Return a model, loaded if need be. Raises: BundleUnavailableError, BundleRefusedError, ModelFailedError."""
        with self._lock:
            if model.manifest_sha256 not in self._loaded:
                manifest = self._store.manifest(model)
                self._make_room(manifest)
                self._loaded[model.manifest_sha256] = self._fetch(model, manifest)
            self._loaded.move_to_end(model.manifest_sha256)
            return self._loaded[model.manifest_sha256]

    def _make_room(self, manifest: Manifest) -> None:
        """Remove the models used least recently until the new one fits into memory and onto the disk."""
        while self._loaded and not self._fits(manifest):
            evicted = next(iter(self._loaded))
            del self._loaded[evicted]
            shutil.rmtree(self._folder / evicted, ignore_errors=True)

    def _fits(self, manifest: Manifest) -> bool:
        together = [manifest, *(loaded.manifest for loaded in self._loaded.values())]
        size = sum(file.size for each in together for file in each.served)
        return len(together) <= self._capacity and size <= self._bytes

    def _fetch(self, model: ModelReference, manifest: Manifest) -> LoadedModel:
        folder = self._folder / model.manifest_sha256
        self._store.fetch(model, manifest, folder)
        try:
            verify(folder, manifest.served)
        except BundleRefusedError:
            # The files are removed, so that the next call fetches a repaired bundle.
            shutil.rmtree(folder, ignore_errors=True)
            raise
        with foreign("loading the model"):
            engine = self._load(folder, manifest)
        return LoadedModel(engine, manifest)
