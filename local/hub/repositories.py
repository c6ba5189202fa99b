"""Routes for repositories and their branches and tags; listings show what the card of a repository says.

The card is the front matter of README.md.
"""

import json
import re
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeInt
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.hub.call import Call, endpoint
from local.hub.errors import RepositoryExistsError
from local.hub.repository import MAIN, OWNER, Entry, Kind, ReferenceName, Repository, RepositoryId
from local.hub.store import Blobs

CARD_FILE = "README.md"

FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)\r?\n---", re.DOTALL)

TAGGED = ("language", "license", "multilinguality", "size_categories", "task_categories", "task_ids")
"""The fields whose values also become tags, written `field:value`."""


def card_data(content: str) -> dict[str, Any]:
    r"""Return the front matter of a README as JSON; an empty dict if there is none, or if it is not YAML.

    >>> card_data("---\nlicense: mit\ntags: [finance]\n---\n# Complaints")
    {'license': 'mit', 'tags': ['finance']}
    >>> card_data("# Complaints")
    {}
    """
    front = FRONT_MATTER.match(content)
    try:
        data = yaml.load(front[1], _PlainLoader) if front else None
        # YAML has dates, and JSON has none.
        return json.loads(json.dumps(data, default=str)) if isinstance(data, dict) else {}
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError):
        # A number without end, a day that is none, a key that JSON lacks: one card must not stop a listing of all.
        return {}


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Refuses aliases. With them, a few lines stand for gigabytes, or for a list that contains itself."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)


def tags(data: dict[str, Any]) -> list[str]:
    """Return the tags by which a listing can be filtered.

    >>> tags({"license": "mit", "tags": ["finance"], "language": ["en", "es"]})
    ['finance', 'language:en', 'language:es', 'license:mit']
    """
    return values(data.get("tags")) + [f"{field}:{value}" for field in TAGGED for value in values(data.get(field))]


def values(given: Any) -> list[str]:
    """Return the values of a field, which may be one value or a list."""
    if given is None:
        return []
    return [str(value) for value in (given if isinstance(given, list) else [given])]


class Identified(BaseModel):
    """A request that names its repository in its body and not in its address."""

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
    filter: Annotated[list[str], BeforeValidator(values)] = []
    """The tags, all of which the card of a repository must have."""
    limit: NonNegativeInt | None = None
    full: bool = False
    """It has no effect, because a listing is always full."""

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
def list_repositories(call: Call) -> Response:
    """List the repositories of a kind by author, search or tags. Any other filter is refused, not ignored."""
    wanted, blobs = call.parse_query(Listing), call.store.blobs
    described = (description(repository, MAIN, blobs, with_blobs=False) for repository in call.store.list(call.kind))
    return JSONResponse([repository for repository in described if wanted.includes(repository)][: wanted.limit])


def description(repository: Repository, revision: str, blobs: Blobs, *, with_blobs: bool) -> dict[str, Any]:
    commit = repository.at(revision)
    card = commit.tree.get(CARD_FILE)
    data = card_data(blobs.read(card.sha256).decode(errors="replace")) if card else {}
    return {
        "id": repository.id,
        "author": repository.id.partition("/")[0],
        "sha": repository.resolve(revision),
        "private": repository.private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": tags(data),
        "cardData": data,
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
    Route("/api/repos/create", create, methods=["POST"]),
    Route("/api/repos/delete", delete, methods=["DELETE"]),
    Route("/api/{kind}", list_repositories),
    Route("/api/{kind}/{owner}/{name}", describe),
    Route("/api/{kind}/{owner}/{name}/settings", update_settings, methods=["PUT"]),
    Route("/api/{kind}/{owner}/{name}/revision/{revision}", describe),
    Route("/api/{kind}/{owner}/{name}/refs", list_references),
    Route("/api/{kind}/{owner}/{name}/tag/{revision}", create_tag, methods=["POST"]),
    Route("/api/{kind}/{owner}/{name}/tag/{revision}", delete_tag, methods=["DELETE"]),
    Route("/api/{kind}/{owner}/{name}/branch/{revision}", create_branch, methods=["POST"]),
    Route("/api/{kind}/{owner}/{name}/branch/{revision}", delete_branch, methods=["DELETE"]),
]
