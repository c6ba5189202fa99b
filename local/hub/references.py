"""Routes that list, make and delete branches and tags."""

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.hub.call import Call, endpoint
from local.hub.names import ReferenceName
from local.hub.repository import MAIN


class NewTag(BaseModel):
    tag: ReferenceName


class NewBranch(BaseModel):
    start: str = Field(default=MAIN, alias="startingPoint")


@endpoint
def list_references(call: Call) -> Response:
    repository = call.store.load(call.repository_id)
    return JSONResponse(
        {
            "branches": described("heads", repository.branches),
            "tags": described("tags", repository.tags),
            "converts": [],
            "pullRequests": [],
        }
    )


def described(kind: str, references: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": sha} for name, sha in sorted(references.items())
    ]


@endpoint
def create_tag(call: Call) -> Response:
    tag = call.parse(NewTag).tag
    call.store.change(call.repository_id, lambda repository: repository.tagged(tag, call.revision))
    return JSONResponse({})


@endpoint
def delete_tag(call: Call) -> Response:
    call.store.change(call.repository_id, lambda repository: repository.untagged(call.revision))
    return JSONResponse({})


@endpoint
def create_branch(call: Call) -> Response:
    start = call.parse(NewBranch).start
    call.store.change(call.repository_id, lambda repository: repository.branched(call.new_reference, start))
    return JSONResponse({})


@endpoint
def delete_branch(call: Call) -> Response:
    call.store.change(call.repository_id, lambda repository: repository.unbranched(call.revision))
    return JSONResponse({})


ROUTES = [
    Route("/api/{kind}/{owner}/{name}/refs", list_references),
    Route("/api/{kind}/{owner}/{name}/tag/{revision}", create_tag, methods=["POST"]),
    Route("/api/{kind}/{owner}/{name}/tag/{revision}", delete_tag, methods=["DELETE"]),
    Route("/api/{kind}/{owner}/{name}/branch/{revision}", create_branch, methods=["POST"]),
    Route("/api/{kind}/{owner}/{name}/branch/{revision}", delete_branch, methods=["DELETE"]),
]
