"""A repository as a value, and the names that a request may use for it and for what is in it.

Each change gives a new value. The history grows until it is squashed or files are erased from it. No name that is
accepted here leads out of a repository.
"""

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from local.hub.errors import EntryNotFoundError, InvalidRequestError, ReferenceExistsError, RevisionNotFoundError

MAIN = "main"
OWNER = "local"
"""The account that owns repositories created without an owner."""

SEGMENT = re.compile(r"\w[\w.-]*", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")


class Kind(StrEnum):
    """The kinds of repository, as they are written in addresses."""

    MODELS = "models"
    DATASETS = "datasets"

    @classmethod
    def _missing_(cls, value: object) -> "Kind":
        raise InvalidRequestError(f"{value!r} is no kind of repository here; use models or datasets")


@dataclass(frozen=True)
class RepositoryId:
    kind: Kind
    owner: str
    name: str

    def __post_init__(self) -> None:
        for part in (self.owner, self.name):
            # A name that ends in .git would look like the LFS address of a repository with a shorter name.
            if not SEGMENT.fullmatch(part) or ".." in part or part.endswith(".git"):
                raise InvalidRequestError(
                    f"{part!r} cannot name a repository or its owner; use letters, digits, _ . and -"
                )

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def address(self) -> str:
        """The path of its page: models are at the root, other kinds below their own name.

        >>> RepositoryId(Kind.DATASETS, "acme", "complaints").address
        'datasets/acme/complaints'
        """
        return str(self) if self.kind is Kind.MODELS else f"{self.kind}/{self}"


def inner_path(path: str) -> str:
    """Return `path` if it stays inside the repository, else raise InvalidRequestError.

    >>> inner_path("onnx/model.onnx")
    'onnx/model.onnx'
    >>> inner_path("onnx/../../secret")
    Traceback (most recent call last):
    local.hub.errors.InvalidRequestError: 'onnx/../../secret' is not a path inside a repository
    """
    if "\\" in path or "\0" in path or {"", ".", ".."} & set(path.split("/")):
        raise InvalidRequestError(f"{path!r} is not a path inside a repository")
    return path


def reference_name(name: str) -> str:
    """Return `name` if a branch or tag may have it; clients take 40 hexadecimal digits for a commit."""
    if COMMIT.fullmatch(name):
        raise InvalidRequestError(f"{name!r} would be taken for a commit; choose another name")
    return inner_path(name)


def inner_folder(path: str) -> str:
    """Return the path of a folder without the slash at the end that clients add."""
    return inner_path(path.removesuffix("/"))


InnerPath = Annotated[str, AfterValidator(inner_path)]
InnerFolder = Annotated[str, AfterValidator(inner_folder)]
ReferenceName = Annotated[str, AfterValidator(reference_name)]


def now() -> str:
    """Return the time in the only format that the client parses."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Entry(Record):
    """A file in a commit: the digest of its content, and the id that git would give it."""

    sha256: str
    size: int
    git_oid: str
    pointer_size: int | None = None
    """The size of the LFS pointer that git would hold instead of the content; None if git would hold the content."""

    @property
    def etag(self) -> str:
        """The digest that the client compares with its own: SHA-256 for an LFS file, otherwise git's."""
        return self.git_oid if self.pointer_size is None else self.sha256

    def is_one_of(self, large_files: Collection[str]) -> bool:
        """Whether it is an LFS file whose SHA-256 is in `large_files`."""
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
    """An LFS file, with the path and the date of the first commit that added it."""

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
    """The LFS files, by SHA-256, of squashed commits: no commit has them, but they are kept until they are erased."""

    def resolve(self, revision: str) -> str:
        """Return the commit that a branch, a tag or a commit sha names."""
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
        """Every LFS file that was not erased, by SHA-256, even if no commit has it any more."""
        found = dict(self.left_over)
        for commit in self.commits.values():
            for path, entry in commit.tree.items():
                if entry.pointer_size is not None:
                    found.setdefault(entry.sha256, LfsFile(path=path, size=entry.size, date=commit.date))
        return found

    @property
    def contents(self) -> set[str]:
        """The SHA-256 of every content that this repository needs on disk."""
        return {entry.sha256 for commit in self.commits.values() for entry in commit.tree.values()} | {*self.left_over}

    def committed(self, branch: str, commit: Commit) -> Self:
        commits = {**self.commits, commit.sha: commit}
        return self.model_copy(update={"commits": commits, "branches": {**self.branches, branch: commit.sha}})

    def squashed(self, branch: str, message: str) -> Self:
        """Replace a branch by one commit, and remove the commits that no branch or tag leads to."""
        only = Commit(title=message, parent=None, tree=self.commits[self.head(branch)].tree)
        squashed = self.committed(branch, only)
        heads = {*squashed.branches.values(), *squashed.tags.values()}
        reachable = {sha for head in heads for sha, _ in squashed.history(head)}
        commits = {sha: commit for sha, commit in squashed.commits.items() if sha in reachable}
        kept = squashed.model_copy(update={"commits": commits, "left_over": {}})
        left_over = {sha256: file for sha256, file in self.lfs_files.items() if sha256 not in kept.lfs_files}
        return kept.model_copy(update={"left_over": left_over})

    def erased(self, large_files: Collection[str]) -> Self:
        """Remove LFS files, given by SHA-256, from every commit; the shas of the changed commits change."""
        new: dict[str, str] = {}
        commits: dict[str, Commit] = {}
        for sha, commit in self.commits.items():  # in the order in which they were made, so parents come first
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
