"""A repository as a value: each change gives a new one, and its history only grows."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from local.hub.errors import EntryNotFoundError, InvalidRequestError, ReferenceExistsError, RevisionNotFoundError
from local.hub.names import Kind

MAIN = "main"


def now() -> str:
    """The time in the one format that the client parses."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Entry(Record):
    """A file in a commit: where its content is, and what git would call it."""

    sha256: str
    size: int
    git_oid: str
    pointer_size: int | None = None
    """Bytes of the LFS pointer that git would hold instead of the content; absent when git would hold the content."""

    @property
    def etag(self) -> str:
        """What the client compares with its own digest of a file: SHA-256 under LFS, otherwise git's."""
        return self.git_oid if self.pointer_size is None else self.sha256


Tree = dict[str, Entry]


class Commit(Record):
    title: str
    message: str = ""
    parent: str | None
    date: str = Field(default_factory=now)
    tree: Tree

    @property
    def sha(self) -> str:
        return hashlib.sha1(self.model_dump_json().encode()).hexdigest()

    def entry(self, path: str) -> Entry:
        if path not in self.tree:
            raise EntryNotFoundError(f"There is no {path}")
        return self.tree[path]


class Repository(Record):
    kind: Kind
    id: str
    private: bool
    created: str = Field(default_factory=now)
    branches: dict[str, str] = {}
    tags: dict[str, str] = {}
    commits: dict[str, Commit] = {}

    def resolve(self, revision: str) -> str:
        """Return the commit that a branch, a tag or a commit's own sha stands for."""
        sha = self.branches.get(revision) or self.tags.get(revision) or revision
        if sha not in self.commits:
            raise RevisionNotFoundError(f"{self.id} has no revision {revision}")
        return sha

    def at(self, revision: str) -> Commit:
        return self.commits[self.resolve(revision)]

    def head(self, branch: str) -> str:
        if branch not in self.branches:
            raise RevisionNotFoundError(f"{self.id} has no branch {branch}")
        return self.branches[branch]

    def history(self, revision: str) -> Iterator[tuple[str, Commit]]:
        sha: str | None = self.resolve(revision)
        while sha is not None:
            yield sha, self.commits[sha]
            sha = self.commits[sha].parent

    def committed(self, branch: str, commit: Commit) -> Self:
        commits = {**self.commits, commit.sha: commit}
        return self.model_copy(update={"commits": commits, "branches": {**self.branches, branch: commit.sha}})

    def branched(self, branch: str, start: str) -> Self:
        if branch in self.branches:
            raise ReferenceExistsError(f"{self.id} has a branch {branch} already")
        return self.model_copy(update={"branches": {**self.branches, branch: self.resolve(start)}})

    def unbranched(self, branch: str) -> Self:
        self.head(branch)
        if branch == MAIN:
            raise InvalidRequestError(f"{MAIN} cannot be deleted")
        return self.model_copy(update={"branches": without(self.branches, branch)})

    def tagged(self, tag: str, revision: str) -> Self:
        if tag in self.tags:
            raise ReferenceExistsError(f"{self.id} has a tag {tag} already")
        return self.model_copy(update={"tags": {**self.tags, tag: self.resolve(revision)}})

    def untagged(self, tag: str) -> Self:
        if tag not in self.tags:
            raise RevisionNotFoundError(f"{self.id} has no tag {tag}")
        return self.model_copy(update={"tags": without(self.tags, tag)})


def without(references: dict[str, str], name: str) -> dict[str, str]:
    return {other: sha for other, sha in references.items() if other != name}
