"""Routes that announce, make, list and squash commits."""

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, Field, TypeAdapter
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.hub.call import Call, endpoint
from local.hub.errors import EntryNotFoundError, StaleParentError, refusing
from local.hub.repository import OWNER, Commit, InnerFolder, InnerPath, Repository, Tree
from local.hub.store import LFS_SUFFIXES, Blobs
from triage.contracts import Sha256

LFS_ABOVE = 1_000_000
"""A file with more bytes than this is uploaded by LFS, whatever its name is."""


class Announced(BaseModel):
    path: InnerPath
    size: int

    @property
    def mode(self) -> str:
        large = self.size > LFS_ABOVE or PurePosixPath(self.path).suffix in LFS_SUFFIXES
        return "lfs" if large else "regular"


class Squash(BaseModel):
    message: str


class Announcement(BaseModel):
    files: list[Announced]


class Summary(BaseModel):
    summary: str
    description: str = ""
    parent_commit: str | None = Field(default=None, alias="parentCommit", min_length=7)
    """The commit that the branch must still be at; the client may shorten it to seven characters."""


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
    """Read a commit: one JSON document a line, the header first. A line of an unknown kind refuses the commit."""
    header, *operations = body.splitlines() or [b""]
    with refusing():
        return Header.model_validate_json(header).value, [OPERATION.validate_json(line) for line in operations]


@endpoint
def announce(call: Call) -> Response:
    """State how to upload each file, and the digest of the file it replaces, so that unchanged files are skipped."""
    tree = call.store.load(call.repository_id).at(call.revision).tree
    files = [
        {
            "path": file.path,
            "uploadMode": file.mode,
            "shouldIgnore": False,
            "oid": tree[file.path].etag if file.path in tree else None,
        }
        for file in call.parse(Announcement).files
    ]
    return JSONResponse({"files": files})


@endpoint
def commit(call: Call) -> Response:
    branch, blobs = call.revision, call.store.blobs
    header, operations = parse_commit(call.body)

    def add(repository: Repository) -> Repository:
        head = repository.head(branch)
        if header.parent_commit is not None and not head.startswith(header.parent_commit):
            raise StaleParentError(f"{branch} is at {head}, no longer at {header.parent_commit}; read it again")
        tree = repository.commits[head].tree
        for operation in operations:
            tree = operation.apply(tree, blobs)
        added = Commit(title=header.summary, message=header.description, parent=head, tree=tree)
        return repository.committed(branch, added)

    sha = call.store.change(call.repository_id, add).head(branch)
    url = call.url(f"{call.repository_id.address}/commit/{sha}")
    return JSONResponse({"success": True, "commitOid": sha, "commitUrl": url})


@endpoint
def list_history(call: Call) -> Response:
    history = call.store.load(call.repository_id).history(call.revision)
    return JSONResponse(
        [
            {
                "id": sha,
                "title": commit.title,
                "message": commit.message,
                "date": commit.date,
                "authors": [{"user": OWNER}],
            }
            for sha, commit in history
        ]
    )


@endpoint
def squash(call: Call) -> Response:
    message = call.parse(Squash).message
    call.store.change(call.repository_id, lambda repository: repository.squashed(call.revision, message))
    return JSONResponse({})


ROUTES = [
    Route("/api/{kind}/{owner}/{name}/preupload/{revision}", announce, methods=["POST"]),
    Route("/api/{kind}/{owner}/{name}/commit/{revision}", commit, methods=["POST"]),
    Route("/api/{kind}/{owner}/{name}/commits/{revision}", list_history),
    Route("/api/{kind}/{owner}/{name}/super-squash/{revision}", squash, methods=["POST"]),
]
