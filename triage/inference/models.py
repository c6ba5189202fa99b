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

    A bundle is fetched, verified and loaded once. While one is loaded, those that are loaded answer, and others load
    beside it as far as there is room.
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
        # Models that are being loaded take their room already.
        self._loading: dict[str, Manifest] = {}
        self._loaders: dict[str, threading.Lock] = {}
        self._changed = threading.Condition()

    def get(self, model: ModelReference) -> LoadedModel:
        """Return a model, loaded if need be. Raises: BundleUnavailableError, BundleRefusedError, ModelFailedError."""
        key = model.manifest_sha256
        if (found := self._find(key)) is not None:
            return found
        with self._changed:
            loader = self._loaders.setdefault(key, threading.Lock())
        with loader:
            # Another thread may have loaded it meanwhile.
            return self._find(key) or self._load_beside(model)

    def _find(self, key: str) -> LoadedModel | None:
        with self._changed:
            if key in self._loaded:
                self._loaded.move_to_end(key)
            return self._loaded.get(key)

    def _load_beside(self, model: ModelReference) -> LoadedModel:
        key, manifest = model.manifest_sha256, self._store.manifest(model)
        with self._changed:
            self._make_room(manifest)
            self._loading[key] = manifest
        found: LoadedModel | None = None
        try:
            found = self._fetch(model, manifest)
            return found
        finally:
            with self._changed:
                del self._loading[key]
                if found is not None:
                    self._loaded[key] = found
                self._changed.notify_all()

    def _make_room(self, manifest: Manifest) -> None:
        """Remove the models used least recently until the new one fits into memory and onto the disk.

        Where only models that are being loaded are in the way, wait for them.
        """
        while not self._fits(manifest) and (self._loaded or self._loading):
            if not self._loaded:
                self._changed.wait()
                continue
            evicted = next(iter(self._loaded))
            del self._loaded[evicted]
            shutil.rmtree(self._folder / evicted, ignore_errors=True)

    def _fits(self, manifest: Manifest) -> bool:
        together = [manifest, *self._loading.values(), *(loaded.manifest for loaded in self._loaded.values())]
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
