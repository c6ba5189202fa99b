"""Routes that take large files ahead of the commit that names them, by git's LFS batch protocol."""

from typing import Any

from pydantic import BaseModel, TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.hub.call import Call, endpoint
from local.hub.errors import EntryNotFoundError, refusing
from local.hub.names import Sha256
from local.hub.store import Store


class LfsObject(BaseModel):
    oid: Sha256
    size: int


class Batch(BaseModel):
    objects: list[LfsObject]


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


ROUTES = [
    Route("/{owner}/{name}.git/info/lfs/objects/batch", offer, methods=["POST"]),
    Route("/{kind}/{owner}/{name}.git/info/lfs/objects/batch", offer, methods=["POST"]),
    Route("/lfs/{oid}", receive, methods=["PUT"]),
    Route("/lfs/{oid}/verify", verify, methods=["POST"]),
]
