"""Repositories on disk: one file each, replaced as a whole, changed by one request at a time."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock

from local.hub.blobs import Blobs, replacing
from local.hub.errors import RepositoryExistsError, RepositoryNotFoundError
from local.hub.names import Kind, RepositoryId
from local.hub.repository import MAIN, Commit, Repository

LFS_SUFFIXES = (".arrow", ".bin", ".gz", ".joblib", ".npz", ".onnx", ".parquet", ".pt", ".safetensors", ".zip")
GIT_ATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES).encode()


class Store:
    def __init__(self, root: Path) -> None:
        self.blobs = Blobs(root / "blobs")
        self._root = root / "repositories"
        # Held from reading a repository until its successor is written, so that no commit builds on a stale head.
        self._changing = Lock()

    def create(self, repository_id: RepositoryId, *, private: bool) -> None:
        tree = {".gitattributes": self.blobs.regular(GIT_ATTRIBUTES)}
        empty = Repository(kind=repository_id.kind, id=str(repository_id), private=private)
        with self._changing:
            if self._path(repository_id).exists():
                raise RepositoryExistsError(f"{repository_id} exists already")
            self._write(repository_id, empty.committed(MAIN, Commit(title="initial commit", parent=None, tree=tree)))

    def load(self, repository_id: RepositoryId) -> Repository:
        try:
            return Repository.model_validate_json(self._path(repository_id).read_bytes())
        except FileNotFoundError as error:
            raise RepositoryNotFoundError(f"There is no {repository_id}") from error

    def change(self, repository_id: RepositoryId, change: Callable[[Repository], Repository]) -> Repository:
        """Replace a repository by what `change` makes of it; nothing is written if `change` raises."""
        with self._changing:
            changed = change(self.load(repository_id))
            self._write(repository_id, changed)
        return changed

    def delete(self, repository_id: RepositoryId) -> None:
        """Forget a repository; its blobs stay, because another may share them."""
        with self._changing:
            self.load(repository_id)
            self._path(repository_id).unlink()

    def list(self, kind: Kind) -> list[Repository]:
        with self._changing:
            files = (self._root / kind).glob("*/*.json")
            found = [Repository.model_validate_json(file.read_bytes()) for file in files]
        return sorted(found, key=lambda repository: repository.id)

    def _path(self, repository_id: RepositoryId) -> Path:
        return self._root / repository_id.kind / repository_id.owner / f"{repository_id.name}.json"

    def _write(self, repository_id: RepositoryId, repository: Repository) -> None:
        with replacing(self._path(repository_id)) as draft:
            draft.write(repository.model_dump_json().encode())
