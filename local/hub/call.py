"""A `Call` is a request with what many routes read from it; `endpoint` makes a route from a function of a `Call`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import TypeVar, cast
from urllib.parse import unquote

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from local.hub.errors import refusing
from local.hub.repository import MAIN, Kind, RepositoryId, inner_path, reference_name
from local.hub.store import Store

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Call:
    """A request with its body, and what many routes read from it."""

    request: Request
    body: bytes = b""

    @property
    def store(self) -> Store:
        return cast(Store, self.request.app.state.store)

    @property
    def kind(self) -> Kind:
        return Kind(self._part("kind", Kind.MODELS))

    @property
    def repository_id(self) -> RepositoryId:
        return RepositoryId(self.kind, self._part("owner"), self._part("name"))

    @property
    def revision(self) -> str:
        return inner_path(self._part("revision", MAIN))

    @property
    def new_reference(self) -> str:
        return reference_name(self.revision)

    @property
    def path(self) -> str:
        """The path inside the repository; empty for its root."""
        path = self._part("path")
        return path and inner_path(path)

    def asks_for(self, option: str) -> bool:
        return self.request.query_params.get(option, "").lower() in {"true", "1"}

    def url(self, path: str) -> str:
        return f"{self.request.base_url}{path}"

    def parse(self, expected: type[Model]) -> Model:
        with refusing():
            return expected.model_validate_json(self.body or b"{}")

    def parse_query(self, expected: type[Model]) -> Model:
        with refusing():
            given = self.request.query_params
            values = {name: given.getlist(name) for name in given}
            return expected.model_validate({name: found if found[1:] else found[0] for name, found in values.items()})

    def _part(self, name: str, default: str = "") -> str:
        return unquote(self.request.path_params.get(name, default))


def endpoint(function: Callable[[Call], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Run `function` in a thread when the body has arrived, because it may wait for a lock and write to disk."""

    @wraps(function)
    async def answer(request: Request) -> Response:
        return await run_in_threadpool(function, Call(request, await request.body()))

    return answer
