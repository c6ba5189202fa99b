"""Routes that list the files of a revision, send their contents, and list, receive and erase LFS files.

An LFS file is uploaded by git's LFS protocol before the commit that names it.
"""

import hashlib
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import parse_qs

from pydantic import BaseModel, Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from local.hub.call import Call, endpoint
from local.hub.errors import EntryNotFoundError, InvalidRequestError, refusing
from local.hub.repository import Entry, Repository, Tree
from local.hub.store import Store
from triage.contracts import Sha256

Item = dict[str, Any]


class LfsObject(BaseModel):
    oid: Sha256
    size: int


class Batch(BaseModel):
    objects: list[LfsObject]


class Deletions(BaseModel):
    sha: list[Sha256]
    rewrite_history: Literal[True] = Field(alias="rewriteHistory")
    """The files are always removed from all commits: this Hub cannot serve commits that name missing files."""


class Erasure(BaseModel):
    deletions: Deletions


@endpoint
def list_tree(call: Call) -> Response:
    tree = call.store.load(call.repository_id).at(call.revision).tree
    prefix = f"{call.path}/" if call.path else ""
    below = {path: item for path, item in items(tree).items() if path.startswith(prefix)}
    if prefix and not below:
        raise EntryNotFoundError(f"There is no folder {call.path}")
    deep = call.asks_for("recursive")
    return JSONResponse([item for path, item in sorted(below.items()) if deep or "/" not in path.removeprefix(prefix)])


@endpoint
def describe_paths(call: Call) -> Response:
    """Describe those of the requested paths that exist. The paths are sent as a form."""
    found = items(call.store.load(call.repository_id).at(call.revision).tree)
    asked = parse_qs(call.body.decode()).get("paths", [])
    return JSONResponse([found[path] for path in asked if path in found])


@endpoint
def download(call: Call) -> Response:
    repository = call.store.load(call.repository_id)
    entry = repository.at(call.revision).entry(call.path)
    headers = {
        "X-Repo-Commit": repository.resolve(call.revision),
        "X-Linked-Size": str(entry.size),
        "ETag": f'"{entry.etag}"',
    }
    return FileResponse(call.store.blobs.path(entry.sha256), headers=headers, media_type="application/octet-stream")


def items(tree: Tree) -> dict[str, Item]:
    """Describe the files and folders of a tree, by path."""
    files = {path: file_item(path, entry) for path, entry in tree.items()}
    folders = {str(folder) for path in tree for folder in PurePosixPath(path).parents} - {"."}
    return files | {folder: folder_item(folder, tree) for folder in folders}


def file_item(path: str, entry: Entry) -> Item:
    item: Item = {"type": "file", "path": path, "size": entry.size, "oid": entry.git_oid}
    if entry.pointer_size is not None:
        item["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": entry.pointer_size}
    return item


def folder_item(folder: str, tree: Tree) -> Item:
    # This is not git's digest of a tree, but like it, it changes with any file in the folder.
    below = sorted(f"{path} {entry.git_oid}" for path, entry in tree.items() if path.startswith(f"{folder}/"))
    return {"type": "directory", "path": folder, "size": 0, "oid": hashlib.sha1("\n".join(below).encode()).hexdigest()}


@endpoint
def offer(call: Call) -> Response:
    """State where to send each object. An object that is stored already gets no address, so the client skips it."""
    call.store.load(call.repository_id)
    return JSONResponse(
        {"transfer": "basic", "objects": [offered(call, wanted) for wanted in call.parse(Batch).objects]}
    )


def offered(call: Call, wanted: LfsObject) -> dict[str, Any]:
    if call.store.blobs.size(wanted.oid) is not None:
        return wanted.model_dump()
    call.store.blobs.expect(wanted.oid)
    url = call.url(f"lfs/{wanted.oid}")
    return {**wanted.model_dump(), "actions": {"upload": {"href": url}, "verify": {"href": f"{url}/verify"}}}


async def receive(request: Request) -> Response:
    """Stream an object to disk. Only the bodies of this route may be larger than the memory."""
    with refusing():
        oid = TypeAdapter(Sha256).validate_python(request.path_params["oid"])
    store: Store = request.app.state.store
    if not store.blobs.is_expected(oid):
        raise InvalidRequestError(f"The LFS object {oid} was not announced; announce it before the upload")
    with store.blobs.receive(oid) as take:
        async for chunk in request.stream():
            take(chunk)
    return Response()


@endpoint
def verify(call: Call) -> Response:
    wanted = call.parse(LfsObject)
    if call.store.blobs.size(wanted.oid) != wanted.size:
        raise EntryNotFoundError(f"The LFS object {wanted.oid} of {wanted.size} bytes is not stored; upload it again")
    return JSONResponse({})


@endpoint
def list_lfs_files(call: Call) -> Response:
    return JSONResponse(
        [
            {
                "fileOid": sha256,
                "oid": sha256,
                "filename": file.path,
                "size": file.size,
                "pushedAt": file.date,
                "ref": None,
            }
            for sha256, file in call.store.load(call.repository_id).lfs_files.items()
        ]
    )


@endpoint
def erase(call: Call) -> Response:
    wanted = call.parse(Erasure).deletions.sha

    def without(repository: Repository) -> Repository:
        if unknown := set(wanted) - repository.lfs_files.keys():
            raise EntryNotFoundError(f"{repository.id} has no LFS object {', '.join(sorted(unknown))}")
        return repository.erased(wanted)

    call.store.change(call.repository_id, without)
    return JSONResponse({})


ROUTES = [
    Route("/api/{kind}/{owner}/{name}/tree/{revision}", list_tree),
    Route("/api/{kind}/{owner}/{name}/tree/{revision}/{path:path}", list_tree),
    Route("/api/{kind}/{owner}/{name}/paths-info/{revision}", describe_paths, methods=["POST"]),
    Route("/{owner}/{name}/resolve/{revision}/{path:path}", download),
    Route("/{kind}/{owner}/{name}/resolve/{revision}/{path:path}", download),
    Route("/api/{kind}/{owner}/{name}/lfs-files", list_lfs_files),
    Route("/api/{kind}/{owner}/{name}/lfs-files/batch", erase, methods=["POST"]),
    Route("/{owner}/{name}.git/info/lfs/objects/batch", offer, methods=["POST"]),
    Route("/{kind}/{owner}/{name}.git/info/lfs/objects/batch", offer, methods=["POST"]),
    Route("/lfs/{oid}", receive, methods=["PUT"]),
    Route("/lfs/{oid}/verify", verify, methods=["POST"]),
]
