"""Routes that create, list, describe and delete repositories."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, NonNegativeInt
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.hub import cards
from local.hub.blobs import Blobs
from local.hub.call import Call, endpoint
from local.hub.errors import RepositoryExistsError
from local.hub.names import OWNER, Kind, RepositoryId
from local.hub.repository import MAIN, Entry, Repository


class Identified(BaseModel):
    """Which repository a request means that carries this in its body rather than in its address."""

    name: str
    organization: str | None = None
    type: str | None = None

    @property
    def repository_id(self) -> RepositoryId:
        return RepositoryId(Kind(f"{self.type or 'model'}s"), self.organization or OWNER, self.name)


class Visibility(BaseModel):
    visibility: Literal["public", "private"] | None = None
    private: bool | None = None

    def is_private(self, default: bool) -> bool:
        if self.visibility is not None:
            return self.visibility == "private"
        return default if self.private is None else self.private


class Listing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    author: str | None = None
    search: str = ""
    filter: Annotated[list[str], BeforeValidator(cards.values)] = []
    """Tags, all of which a repository's card has to give."""
    limit: NonNegativeInt | None = None
    full: bool = False
    """Accepted and without effect: a listing is always full."""

    def includes(self, described: dict[str, Any]) -> bool:
        by_author = self.author is None or described["author"] == self.author
        by_name = self.search.lower() in described["id"].lower()
        return by_author and by_name and {*self.filter} <= {*described["tags"]}


@endpoint
def create(call: Call) -> Response:
    repository_id = call.parse(Identified).repository_id
    url = call.url(repository_id.address)
    try:
        call.store.create(repository_id, private=call.parse(Visibility).is_private(default=False))
    except RepositoryExistsError as error:
        # `create_repo(exist_ok=True)` reads the address from the refusal.
        return error.response(url=url)
    return JSONResponse({"url": url, "id": str(repository_id)})


@endpoint
def delete(call: Call) -> Response:
    call.store.delete(call.parse(Identified).repository_id)
    return JSONResponse({})


@endpoint
def update_settings(call: Call) -> Response:
    wanted = call.parse(Visibility)
    changed = call.store.change(
        call.repository_id,
        lambda repository: repository.model_copy(update={"private": wanted.is_private(default=repository.private)}),
    )
    return JSONResponse({"private": changed.private})


@endpoint
def describe(call: Call) -> Response:
    repository = call.store.load(call.repository_id)
    return JSONResponse(description(repository, call.revision, call.store.blobs, with_blobs=call.asks_for("blobs")))


@endpoint
def list_all(call: Call) -> Response:
    """List a kind, by author, search or tags; what cannot be filtered by is refused rather than ignored."""
    wanted, blobs = call.parse_query(Listing), call.store.blobs
    described = (description(repository, MAIN, blobs, with_blobs=False) for repository in call.store.list(call.kind))
    return JSONResponse([repository for repository in described if wanted.includes(repository)][: wanted.limit])


def description(repository: Repository, revision: str, blobs: Blobs, *, with_blobs: bool) -> dict[str, Any]:
    commit = repository.at(revision)
    card = commit.tree.get(cards.CARD_FILE)
    card_data = cards.card_data(blobs.read(card.sha256).decode(errors="replace")) if card else {}
    return {
        "id": repository.id,
        "author": repository.id.partition("/")[0],
        "sha": repository.resolve(revision),
        "private": repository.private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": cards.tags(card_data),
        "cardData": card_data,
        "createdAt": repository.created,
        "lastModified": commit.date,
        "siblings": [
            {"rfilename": path} | (blob(entry) if with_blobs else {}) for path, entry in sorted(commit.tree.items())
        ],
    }


def blob(entry: Entry) -> dict[str, Any]:
    described: dict[str, Any] = {"size": entry.size, "blobId": entry.git_oid}
    if entry.pointer_size is not None:
        described["lfs"] = {"sha256": entry.sha256, "size": entry.size, "pointerSize": entry.pointer_size}
    return described


ROUTES = [
    Route("/api/repos/create", create, methods=["POST"]),
    Route("/api/repos/delete", delete, methods=["DELETE"]),
    Route("/api/{kind}", list_all),
    Route("/api/{kind}/{owner}/{name}", describe),
    Route("/api/{kind}/{owner}/{name}/settings", update_settings, methods=["PUT"]),
    Route("/api/{kind}/{owner}/{name}/revision/{revision}", describe),
]
