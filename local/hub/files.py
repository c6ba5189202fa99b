"""Routes that list the files of a revision and hand out their contents."""

import hashlib
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from local.hub.call import Call, endpoint
from local.hub.errors import EntryNotFoundError
from local.hub.repository import Entry, Tree

Item = dict[str, Any]


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
    """Describe those of the asked paths that exist; they arrive as a form."""
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
    # Not git's digest of a tree, but like it in the one use it has: it changes with any file below.
    below = sorted(f"{path} {entry.git_oid}" for path, entry in tree.items() if path.startswith(f"{folder}/"))
    return {"type": "directory", "path": folder, "size": 0, "oid": hashlib.sha1("\n".join(below).encode()).hexdigest()}


ROUTES = [
    Route("/api/{kind}/{owner}/{name}/tree/{revision}", list_tree),
    Route("/api/{kind}/{owner}/{name}/tree/{revision}/{path:path}", list_tree),
    Route("/api/{kind}/{owner}/{name}/paths-info/{revision}", describe_paths, methods=["POST"]),
    Route("/{owner}/{name}/resolve/{revision}/{path:path}", download),
    Route("/{kind}/{owner}/{name}/resolve/{revision}/{path:path}", download),
]
