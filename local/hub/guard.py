"""Refuses requests to the Hub by web pages, and by programs that do not know its token."""

import hmac
import re
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from local.callers import foreign

_UPLOAD: Final = re.compile(r"/lfs/[0-9a-f]{64}")
"""Where files are uploaded. The client shows no token there; the Hub takes only what it has offered to take."""


class Guard:
    def __init__(self, app: ASGIApp, token: str, *, port: int) -> None:
        self._app = app
        self._token = token
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(Request(scope))):
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, request: Request) -> JSONResponse | None:
        if (why := foreign(request.headers.items(), self._port)) is not None:
            return JSONResponse({"error": f"Not a request of this machine: {why}"}, 403)
        path = request.url.path
        if path == "/health" or (request.method == "PUT" and _UPLOAD.fullmatch(path)):
            return None
        shown = request.headers.get("authorization", "")
        if hmac.compare_digest(shown.encode(), f"Bearer {self._token}".encode()):
            return None
        return JSONResponse({"error": "The token of this Hub is missing or wrong: it is `hub` in keys.json"}, 401)
