"""Refusals, each with its status and its `X-Error-Code`, by which the client chooses the exception that it raises.

HubError
├── InvalidRequestError        400  also a ValueError, so that validators can raise it
├── RepositoryNotFoundError    404
├── RevisionNotFoundError      404
├── EntryNotFoundError         404
├── RepositoryExistsError      409
├── ReferenceExistsError       409
└── StaleParentError           412
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, cast

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from triage.validation import problems


class HubError(Exception):
    status: ClassVar[int]
    code: ClassVar[str]

    def response(self, **details: str) -> JSONResponse:
        # The message is not in the headers, because it quotes paths, and headers allow Latin-1 only.
        return JSONResponse({"error": str(self), **details}, self.status, headers={"X-Error-Code": self.code})


class InvalidRequestError(HubError, ValueError):
    status, code = 400, "BadRequest"


class RepositoryNotFoundError(HubError):
    status, code = 404, "RepoNotFound"


class RevisionNotFoundError(HubError):
    status, code = 404, "RevisionNotFound"


class EntryNotFoundError(HubError):
    status, code = 404, "EntryNotFound"


class RepositoryExistsError(HubError):
    status, code = 409, "RepoExists"


class ReferenceExistsError(HubError):
    status, code = 409, "ReferenceExists"


class StaleParentError(HubError):
    status, code = 412, "StaleParent"


@contextmanager
def refusing() -> Iterator[None]:
    """Turn a validation error into a refusal."""
    try:
        yield
    except ValidationError as error:
        raise InvalidRequestError(problems(error, "request")) from error


def refuse(_request: Request, error: Exception) -> Response:
    """Answer a `HubError`. The type of `error` is the one that Starlette asks of exception handlers."""
    return cast(HubError, error).response()
