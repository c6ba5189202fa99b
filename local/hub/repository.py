"""A repository as a value: each change gives a new one. Its history grows until it is squashed or files are erased."""

import hashlib
from collections.abc import Collection, Iterator
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

    def is_one_of(self, large_files: Collection[str]) -> bool:
        """Whether git would hold a pointer instead of it, and it is among those, given by SHA-256."""
        return self.pointer_size is not None and self.sha256 in large_files


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


class LfsFile(Record):
    """A large file that some commit brought, and the path at which it did so first."""

    path: str
    size: int
    date: str


class Repository(Record):
    kind: Kind
    id: str
    private: bool
    created: str = Field(default_factory=now)
    branches: dict[str, str] = {}
    tags: dict[str, str] = {}
    commits: dict[str, Commit] = {}
    left_over: dict[str, LfsFile] = {}
    """By SHA-256, the large files of commits that were squashed: nobody finds them, but they are kept until erased."""

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

    @property
    def lfs_files(self) -> dict[str, LfsFile]:
        """By SHA-256, every large file that was not erased, whether a commit still holds it or not."""
        found = dict(self.left_over)
        for commit in self.commits.values():
            for path, entry in commit.tree.items():
                if entry.pointer_size is not None:
                    found.setdefault(entry.sha256, LfsFile(path=path, size=entry.size, date=commit.date))
        return found

    @property
    def contents(self) -> set[str]:
        """The SHA-256 of all that has to stay on disk for this repository."""
        return {entry.sha256 for commit in self.commits.values() for entry in commit.tree.values()} | {*self.left_over}

    def committed(self, branch: str, commit: Commit) -> Self:
        commits = {**self.commits, commit.sha: commit}
        return self.model_copy(update={"commits": commits, "branches": {**self.branches, branch: commit.sha}})

    def squashed(self, branch: str, message: str) -> Self:
        """Make one commit of a branch, and forget the commits that no branch or tag leads to."""
        only = Commit(title=message, parent=None, tree=self.commits[self.head(branch)].tree)
        squashed = self.committed(branch, only)
        heads = {*squashed.branches.values(), *squashed.tags.values()}
        reachable = {sha for head in heads for sha, _ in squashed.history(head)}
        commits = {sha: commit for sha, commit in squashed.commits.items() if sha in reachable}
        kept = squashed.model_copy(update={"commits": commits, "left_over": {}})
        left_over = {sha256: file for sha256, file in self.lfs_files.items() if sha256 not in kept.lfs_files}
        return kept.model_copy(update={"left_over": left_over})

    def erased(self, large_files: Collection[str]) -> Self:
        """Take large files, by SHA-256, out of every commit; a commit that held one gets another sha."""
        new: dict[str, str] = {}
        commits: dict[str, Commit] = {}
        for sha, commit in self.commits.items():  # in the order in which they were made: parents come first
            tree = {path: entry for path, entry in commit.tree.items() if not entry.is_one_of(large_files)}
            parent = new[commit.parent] if commit.parent is not None else None
            rewritten = commit.model_copy(update={"tree": tree, "parent": parent})
            new[sha] = rewritten.sha
            commits[rewritten.sha] = rewritten
        return self.model_copy(
            update={
                "commits": commits,
                "branches": {name: new[sha] for name, sha in self.branches.items()},
                "tags": {name: new[sha] for name, sha in self.tags.items()},
                "left_over": {sha256: file for sha256, file in self.left_over.items() if sha256 not in large_files},
            }
        )

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
