"""Contents, each stored once under its SHA-256."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from local.hub.errors import InvalidRequestError
from local.hub.repository import Entry


class Blobs:
    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256

    def size(self, sha256: str) -> int | None:
        """Bytes of a blob, or None if it is not here."""
        path = self.path(sha256)
        return path.stat().st_size if path.exists() else None

    def read(self, sha256: str) -> bytes:
        return self.path(sha256).read_bytes()

    def delete(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)

    @contextmanager
    def receive(self, sha256: str) -> Iterator[Callable[[bytes], None]]:
        """Yield what takes a blob chunk by chunk; nothing is stored unless the whole has the promised digest."""
        digest = hashlib.sha256()
        with replacing(self.path(sha256)) as draft:

            def take(chunk: bytes) -> None:
                digest.update(chunk)
                draft.write(chunk)

            yield take
            if digest.hexdigest() != sha256:
                raise InvalidRequestError(f"The content sent as {sha256} has the digest {digest.hexdigest()}")

    def regular(self, content: bytes) -> Entry:
        """Store `content` and return the entry of a file that git itself would hold."""
        sha256 = hashlib.sha256(content).hexdigest()
        if self.size(sha256) is None:
            with self.receive(sha256) as take:
                take(content)
        return Entry(sha256=sha256, size=len(content), git_oid=git_oid(content))

    def lfs(self, sha256: str) -> Entry:
        """Return the entry of a file whose content was uploaded beforehand."""
        size = self.size(sha256)
        if size is None:
            raise InvalidRequestError(f"The LFS object {sha256} was not uploaded")
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return Entry(sha256=sha256, size=size, git_oid=git_oid(pointer), pointer_size=len(pointer))


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that takes the name `path` in one step if the block succeeds, and vanishes otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, delete=False) as draft:
        try:
            yield draft
        except BaseException:
            Path(draft.name).unlink()
            raise
    Path(draft.name).replace(path)
