"""Routes that announce, make, list and squash commits."""

from pathlib import PurePosixPath

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.hub.call import Call, endpoint
from local.hub.errors import StaleParentError
from local.hub.names import OWNER, InnerPath
from local.hub.operations import parse_commit
from local.hub.repository import Commit, Repository
from local.hub.store import LFS_SUFFIXES

LFS_ABOVE = 1_000_000
"""Bytes from which a file goes through LFS whatever its name."""


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


@endpoint
def announce(call: Call) -> Response:
    """Say how each file is to be uploaded, and the digest of what stands in its place, so that no-ops are left out."""
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
            raise StaleParentError(f"{branch} stands at {head}, no longer at {header.parent_commit}")
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
