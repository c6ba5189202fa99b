"""Repositories and the contents of their files on disk."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock
from typing import IO

from local.hub.errors import InvalidRequestError, RepositoryExistsError, RepositoryNotFoundError
from local.hub.repository import MAIN, Commit, Entry, Kind, Repository, RepositoryId

LFS_SUFFIXES = (".arrow", ".bin", ".gz", ".joblib", ".npz", ".onnx", ".parquet", ".pt", ".safetensors", ".zip")
GIT_ATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES).encode()


class Blobs:
    """Contents, each stored once under its SHA-256."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._expected: set[str] = set()

    def expect(self, sha256: str) -> None:
        """Take an upload of this blob, which a caller has announced."""
        self._expected.add(sha256)

    def is_expected(self, sha256: str) -> bool:
        return sha256 in self._expected

    def path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256

    def size(self, sha256: str) -> int | None:
        """Return the size of a blob in bytes, or None if it is not stored."""
        path = self.path(sha256)
        return path.stat().st_size if path.exists() else None

    def read(self, sha256: str) -> bytes:
        return self.path(sha256).read_bytes()

    def delete(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)

    @contextmanager
    def receive(self, sha256: str) -> Iterator[Callable[[bytes], None]]:
        """Yield a function that takes the chunks of a blob. The blob is stored only if it has this digest."""
        digest = hashlib.sha256()
        with replacing(self.path(sha256)) as draft:

            def take(chunk: bytes) -> None:
                digest.update(chunk)
                draft.write(chunk)

            yield take
            if digest.hexdigest() != sha256:
                raise InvalidRequestError(f"The content of {sha256} has the digest {digest.hexdigest()}; send it again")

    def regular(self, content: bytes) -> Entry:
        """Store `content`, and return the entry of a file that git would hold itself."""
        sha256 = hashlib.sha256(content).hexdigest()
        if self.size(sha256) is None:
            with self.receive(sha256) as take:
                take(content)
        return Entry(sha256=sha256, size=len(content), git_oid=git_oid(content))

    def lfs(self, sha256: str) -> Entry:
        """Return the entry of an LFS file whose content was uploaded before."""
        size = self.size(sha256)
        if size is None:
            raise InvalidRequestError(f"The LFS object {sha256} was not uploaded; upload it before the commit")
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return Entry(sha256=sha256, size=size, git_oid=git_oid(pointer), pointer_size=len(pointer))


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that replaces `path` in one step if the block succeeds, and is deleted otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, delete=False) as draft:
        try:
            yield draft
        except BaseException:
            Path(draft.name).unlink()
            raise
    Path(draft.name).replace(path)


class Store:
    """Repositories on disk, one file each, which is replaced as a whole. One request at a time may change them."""

    def __init__(self, root: Path) -> None:
        self.blobs = Blobs(root / "blobs")
        self._root = root / "repositories"
        # Held from reading a repository until its change is written, so that no commit builds on an old head.
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
        """Replace a repository by what `change` returns; nothing is written if `change` raises.

        Contents that no repository has any more are deleted from disk.
        """
        with self._changing:
            before = self.load(repository_id)
            changed = change(before)
            self._write(repository_id, changed)
            self._sweep(before.contents - changed.contents)
        return changed

    def delete(self, repository_id: RepositoryId) -> None:
        """Delete a repository, and the contents that no other repository has."""
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
