"""The Hub's HTTP application: all routes, and those that concern no repository."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from local.hub import commits, files, repositories
from local.hub.call import Call, endpoint
from local.hub.errors import HubError, refuse
from local.hub.repository import OWNER
from local.hub.store import Store


class EncodedPaths:
    """Routes by the path as it was sent, so that a branch sent as `feature%2Fx` is one segment."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["raw_path"].decode("ascii")}
        await self._app(scope, receive, send)


@endpoint
def health(_call: Call) -> Response:
    return JSONResponse({"status": "ok"})


@endpoint
def whoami(_call: Call) -> Response:
    token = {"role": "write", "displayName": OWNER}
    return JSONResponse(
        {"type": "user", "name": OWNER, "fullname": OWNER, "orgs": [], "auth": {"accessToken": token}},
    )


@endpoint
def validate_yaml(_call: Call) -> Response:
    """Accept any model card: whoever publishes it is responsible for its metadata."""
    return JSONResponse({"errors": [], "warnings": []})


# Routes without a repository come first, because `/api/{kind}` matches their addresses too.
ROUTES = [
    Route("/health", health),
    Route("/api/whoami-v2", whoami),
    Route("/api/validate-yaml", validate_yaml, methods=["POST"]),
    *repositories.ROUTES,
    *commits.ROUTES,
    *files.ROUTES,
]


def application(store: Store) -> Starlette:
    app = Starlette(routes=ROUTES, middleware=[Middleware(EncodedPaths)], exception_handlers={HubError: refuse})
    app.state.store = store
    return app
