"""What a request may name: repositories, and paths and references below one. Nothing named here leads out of it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from local.hub.errors import InvalidRequestError

OWNER = "local"
"""The account that owns what is created without an owner."""

SEGMENT = re.compile(r"\w[\w.-]*", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")


class Kind(StrEnum):
    """The kinds of repository, as they stand in addresses."""

    MODELS = "models"
    DATASETS = "datasets"

    @classmethod
    def _missing_(cls, value: object) -> "Kind":
        raise InvalidRequestError(f"{value!r} are not served here")


@dataclass(frozen=True)
class RepositoryId:
    kind: Kind
    owner: str
    name: str

    def __post_init__(self) -> None:
        for part in (self.owner, self.name):
            # A name that ends in .git could not be told from the LFS address of a shorter one.
            if not SEGMENT.fullmatch(part) or ".." in part or part.endswith(".git"):
                raise InvalidRequestError(f"{part!r} cannot name a repository or its owner")

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def address(self) -> str:
        """The path of its page: models stand at the root, other kinds below their own name.

        >>> RepositoryId(Kind.DATASETS, "acme", "complaints").address
        'datasets/acme/complaints'
        """
        return str(self) if self.kind is Kind.MODELS else f"{self.kind}/{self}"


def inner_path(path: str) -> str:
    """Return `path` if each of its segments leads downwards.

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
    """Return `name` if a branch or tag may bear it; clients file references by name and take 40 hex for a commit."""
    if COMMIT.fullmatch(name):
        raise InvalidRequestError(f"{name!r} would be taken for a commit")
    return inner_path(name)


def inner_folder(path: str) -> str:
    """Return the path of a folder, which clients end in a slash."""
    return inner_path(path.removesuffix("/"))


InnerPath = Annotated[str, AfterValidator(inner_path)]
InnerFolder = Annotated[str, AfterValidator(inner_folder)]
ReferenceName = Annotated[str, AfterValidator(reference_name)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
