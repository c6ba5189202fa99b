"""Routes that list and erase large files, and take them ahead of the commit that names them by git's LFS protocol."""

from typing import Any, Literal

from pydantic import BaseModel, Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.hub.call import Call, endpoint
from local.hub.errors import EntryNotFoundError, refusing
from local.hub.names import Sha256
from local.hub.repository import Repository
from local.hub.store import Store


class LfsObject(BaseModel):
    oid: Sha256
    size: int


class Batch(BaseModel):
    objects: list[LfsObject]


class Deletions(BaseModel):
    sha: list[Sha256]
    rewrite_history: Literal[True] = Field(alias="rewriteHistory")
    """Commits that name files which are not here are nothing this Hub knows how to serve."""


class Erasure(BaseModel):
    deletions: Deletions


@endpoint
def offer(call: Call) -> Response:
    """Say where to send each object; one that is here already gets no address, and the client skips it."""
    call.store.load(call.repository_id)
    return JSONResponse(
        {"transfer": "basic", "objects": [offered(call, wanted) for wanted in call.parse(Batch).objects]}
    )


def offered(call: Call, wanted: LfsObject) -> dict[str, Any]:
    if call.store.blobs.size(wanted.oid) is not None:
        return wanted.model_dump()
    url = call.url(f"lfs/{wanted.oid}")
    return {**wanted.model_dump(), "actions": {"upload": {"href": url}, "verify": {"href": f"{url}/verify"}}}


async def receive(request: Request) -> Response:
    """Stream an object to disk; the only route whose body does not fit into memory."""
    with refusing():
        oid = TypeAdapter(Sha256).validate_python(request.path_params["oid"])
    store: Store = request.app.state.store
    with store.blobs.receive(oid) as take:
        async for chunk in request.stream():
            take(chunk)
    return Response()


@endpoint
def verify(call: Call) -> Response:
    wanted = call.parse(LfsObject)
    if call.store.blobs.size(wanted.oid) != wanted.size:
        raise EntryNotFoundError(f"The LFS object {wanted.oid} of {wanted.size} bytes is not here")
    return JSONResponse({})


@endpoint
def list_all(call: Call) -> Response:
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
    Route("/api/{kind}/{owner}/{name}/lfs-files", list_all),
    Route("/api/{kind}/{owner}/{name}/lfs-files/batch", erase, methods=["POST"]),
    Route("/{owner}/{name}.git/info/lfs/objects/batch", offer, methods=["POST"]),
    Route("/{kind}/{owner}/{name}.git/info/lfs/objects/batch", offer, methods=["POST"]),
    Route("/lfs/{oid}", receive, methods=["PUT"]),
    Route("/lfs/{oid}/verify", verify, methods=["POST"]),
]
