"""Repositories on disk: one file each, replaced as a whole, changed by one request at a time."""

from collections.abc import Callable, Iterator
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
        empty = Repository(kind=repository_id.kind, id=str(repository_id), private=private)
        with self._changing:
            if self._path(repository_id).exists():
                raise RepositoryExistsError(f"{repository_id} exists already")
            tree = {".gitattributes": self.blobs.regular(GIT_ATTRIBUTES)}
            self._write(repository_id, empty.committed(MAIN, Commit(title="initial commit", parent=None, tree=tree)))

    def load(self, repository_id: RepositoryId) -> Repository:
        try:
            return Repository.model_validate_json(self._path(repository_id).read_bytes())
        except FileNotFoundError as error:
            raise RepositoryNotFoundError(f"There is no {repository_id}") from error

    def change(self, repository_id: RepositoryId, change: Callable[[Repository], Repository]) -> Repository:
        """Replace a repository by what `change` makes of it; nothing is written if `change` raises.

        What the repository held before, and no repository holds any more, is deleted from disk.
        """
        with self._changing:
            before = self.load(repository_id)
            changed = change(before)
            self._write(repository_id, changed)
            self._sweep(before.contents - changed.contents)
        return changed

    def delete(self, repository_id: RepositoryId) -> None:
        """Forget a repository, and delete from disk what no other one shares with it."""
        with self._changing:
            contents = self.load(repository_id).contents
            self._path(repository_id).unlink()
            self._sweep(contents)

    def list(self, kind: Kind) -> list[Repository]:
        with self._changing:
            found = list(self._all(kind))
        return sorted(found, key=lambda repository: repository.id)

    def _all(self, kind: Kind) -> Iterator[Repository]:
        for file in (self._root / kind).glob("*/*.json"):
            yield Repository.model_validate_json(file.read_bytes())

    def _sweep(self, contents: set[str]) -> None:
        if contents:
            shared = set().union(*(repository.contents for kind in Kind for repository in self._all(kind)))
            for sha256 in contents - shared:
                self.blobs.delete(sha256)

    def _path(self, repository_id: RepositoryId) -> Path:
        return self._root / repository_id.kind / repository_id.owner / f"{repository_id.name}.json"

    def _write(self, repository_id: RepositoryId, repository: Repository) -> None:
        with replacing(self._path(repository_id)) as draft:
            draft.write(repository.model_dump_json().encode())
