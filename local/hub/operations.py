"""The lines of a commit: a header, then the operations that make one tree of another."""

from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, Field, TypeAdapter

from local.hub.blobs import Blobs
from local.hub.errors import EntryNotFoundError, refusing
from local.hub.names import InnerFolder, InnerPath, Sha256
from local.hub.repository import Tree


class Summary(BaseModel):
    summary: str
    description: str = ""
    parent_commit: str | None = Field(default=None, alias="parentCommit", min_length=7)
    """What the branch must still stand at; the client may shorten it to seven characters."""


class Header(BaseModel):
    key: Literal["header"]
    value: Summary


class Target(BaseModel):
    path: InnerPath


class Folder(BaseModel):
    path: InnerFolder


class Content(Target):
    content: Base64Bytes


class LfsContent(Target):
    oid: Sha256


class AddFile(BaseModel):
    key: Literal["file"]
    value: Content

    def apply(self, tree: Tree, blobs: Blobs) -> Tree:
        return {**tree, self.value.path: blobs.regular(self.value.content)}


class AddLfsFile(BaseModel):
    key: Literal["lfsFile"]
    value: LfsContent

    def apply(self, tree: Tree, blobs: Blobs) -> Tree:
        return {**tree, self.value.path: blobs.lfs(self.value.oid)}


class DeleteFile(BaseModel):
    key: Literal["deletedFile"]
    value: Target

    def apply(self, tree: Tree, _blobs: Blobs) -> Tree:
        if self.value.path not in tree:
            raise EntryNotFoundError(f"A file with this name doesn't exist: {self.value.path}")
        return {path: entry for path, entry in tree.items() if path != self.value.path}


class DeleteFolder(BaseModel):
    key: Literal["deletedFolder"]
    value: Folder

    def apply(self, tree: Tree, _blobs: Blobs) -> Tree:
        kept = {path: entry for path, entry in tree.items() if not path.startswith(f"{self.value.path}/")}
        if len(kept) == len(tree):
            raise EntryNotFoundError(f"A folder with this name doesn't exist: {self.value.path}")
        return kept


Operation = AddFile | AddLfsFile | DeleteFile | DeleteFolder
OPERATION: TypeAdapter[Operation] = TypeAdapter(Annotated[Operation, Field(discriminator="key")])


def parse_commit(body: bytes) -> tuple[Summary, list[Operation]]:
    """Read one JSON document a line, the header first; a line of another kind refuses the whole commit."""
    header, *operations = body.splitlines() or [b""]
    with refusing():
        return Header.model_validate_json(header).value, [OPERATION.validate_json(line) for line in operations]
