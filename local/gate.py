"""Stands before MiniStack and passes on only requests that are signed by the keys of the state folder.

MiniStack takes any signature by its root key, names several fixed root keys, serves paths of its own to everybody and
allows every origin. The gate therefore checks each request itself: Host, Origin, access key, session token, time and
signature. Requests by sessions, which functions and assumed roles have, are checked against MiniStack's own records.

Nothing is passed on unsigned. Nothing that is deployed here needs it: no user pool, API or function URL, and no custom
resource. `test_nothing_that_is_deployed_locally_is_called_without_a_signature` fails when that changes.
"""

import hashlib
import hmac
import inspect
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote
from xml.sax.saxutils import escape

from local.callers import foreign
from local.keys import Keys
from local.lambda_fixes import require

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Query = dict[str, list[str]]

HEALTH = "/health"
"""Answered by the gate itself, to every program of this machine: it says no more than that the server answers."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_OTHER_CREDENTIALS = frozenset({"x-amz-algorithm", "x-amz-credential", "awsaccesskeyid", "signature"})
_UNKNOWN = "The security token included in the request is invalid."


class Refusal(NamedTuple):
    """An error code of AWS, and what is wrong."""

    code: str
    message: str


class Gate:
    def __init__(self, application: Application, keys: Keys, *, port: int) -> None:
        self._application = application
        self._keys = keys
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        why = foreign(headers, self._port)
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif why is not None:
            await self._refuse(send, headers, Refusal("AccessDenied", f"Not a request of this machine: {why}."))
        elif scope["path"] == HEALTH:
            await _answer(send, 200, "application/json", '{"status": "ok"}')
        else:
            await self._check(scope, headers, receive, send)

    async def _check(self, scope: Scope, headers: list[tuple[str, str]], receive: Receive, send: Send) -> None:
        from ministack.core.sigv4 import HeaderSignature

        request = _Request(scope)
        signature = request.signature()
        if not isinstance(signature, HeaderSignature):
            await self._refuse(send, headers, signature)
            return
        secret = self._secret(signature.access_key_id, request.token)
        if isinstance(secret, Refusal):
            await self._refuse(send, headers, secret)
            return
        body = b""
        if request.body_is_signed():
            body, receive = await read_body(receive)
        failure = request.failure(signature, secret, body)
        if failure is not None:
            await self._refuse(send, headers, failure)
            return
        await self._application(scope, receive, send)

    def _secret(self, access_key_id: str, token: str) -> str | Refusal:
        """Return the secret by which the request must be signed."""
        from ministack.core import iam_evaluator, responses

        if hmac.compare_digest(access_key_id.encode(), self._keys.access_key_id.encode()):
            return self._keys.secret_access_key if not token else Refusal("InvalidClientTokenId", _UNKNOWN)
        # MiniStack's fixed root keys, among them every number of an account.
        if iam_evaluator.is_root_access_key(access_key_id):
            return Refusal("InvalidClientTokenId", _UNKNOWN)
        account = responses._account_from_sts_session(access_key_id) or responses.get_account_id()
        found = iam_evaluator.resolve_credential(access_key_id, account, token)
        if isinstance(found, iam_evaluator.CredentialResolutionError):
            return Refusal(found.code, found.message)
        return str(found.secret_access_key)

    async def _refuse(self, send: Send, headers: list[tuple[str, str]], refusal: Refusal) -> None:
        """Answer as AWS does, in JSON to the services that speak it and in XML to the others."""
        log.warning("refused: %s, %s", refusal.code, refusal.message)
        content_types = [value for name, value in headers if name.lower() == "content-type"]
        if any("json" in value for value in content_types):
            body = json.dumps({"__type": refusal.code, "message": refusal.message})
            await _answer(send, 403, "application/json", body)
            return
        error = f"<Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message>"
        await _answer(send, 403, "text/xml", f"<ErrorResponse><Error>{error}</Error></ErrorResponse>")


class _Request:
    """A request as its signature covers it."""

    def __init__(self, scope: Scope) -> None:
        from ministack.core.sigv4 import decode_header_value

        self.method: str = scope["method"]
        self.path = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1")
        self.query: Query = parse_qs(scope.get("query_string", b"").decode("utf-8", "replace"), keep_blank_values=True)
        self.headers: dict[str, str] = {}
        for raw, value in scope["headers"]:
            name, text = raw.decode("latin-1").lower(), decode_header_value(value)
            self.headers[name] = f"{self.headers[name]},{text}" if name in self.headers else text
        self.presigned = "authorization" not in self.headers

    @property
    def token(self) -> str:
        """The session token, or an empty text."""
        sent = self.query.get("X-Amz-Security-Token", [""])[0] if self.presigned else None
        return self.headers.get("x-amz-security-token", "") if sent is None else sent

    def signature(self) -> Any:
        """Return the `HeaderSignature` of a header or of a presigned address, or a Refusal.

        A request that names a second key is refused, because MiniStack could act for the other one.
        """
        from ministack.core.router import extract_access_key_id
        from ministack.core.sigv4 import parse_header_signature, parse_query_signature

        queried = {name.lower() for name in self.query} & _OTHER_CREDENTIALS
        if self.presigned and self.query.get("X-Amz-Algorithm") != [_ALGORITHM]:
            return Refusal("MissingAuthenticationToken", "Request is missing Authentication Token")
        if not self.presigned and (queried or not self.headers["authorization"].startswith(f"{_ALGORITHM} ")):
            return Refusal("IncompleteSignature", f"One signature by {_ALGORITHM} is required.")
        parsed = parse_query_signature(self.query) if self.presigned else parse_header_signature(self.headers)
        if isinstance(parsed, tuple):
            return Refusal(*parsed)
        if extract_access_key_id(self.headers, self.query) != parsed.access_key_id:
            return Refusal("IncompleteSignature", "The request names several access keys.")
        return parsed

    def body_is_signed(self) -> bool:
        """Whether the signature covers the body itself, and not a header with its digest."""
        if self.presigned:
            return True
        return self.headers.get("x-amz-content-sha256", "STREAMING-AWS4").startswith("STREAMING-AWS4")

    def failure(self, signature: Any, secret: str, body: bytes) -> Refusal | None:
        from ministack.core import sigv4

        if self.presigned:
            try:
                late = sigv4.presigned_request_is_expired(signature.amz_date, self.query.get("X-Amz-Expires", [""])[0])
            except ValueError:
                late = True
            found = ("AccessDenied", "Request has expired") if late else None
        else:
            found = sigv4.request_time_failure(signature)
        found = found or sigv4.header_signature_failure(
            signature, secret, self.method, self.path, self.query, self.headers, body, presigned=self.presigned
        )
        return Refusal(*found) if found else None


async def read_body(receive: Receive) -> tuple[bytes, Receive]:
    """Return the whole body, and a `receive` that gives it again."""
    messages: list[MutableMapping[str, Any]] = []
    while not messages or messages[-1].get("more_body"):
        messages.append(await receive())
    body = b"".join(message.get("body", b"") for message in messages)
    kept = iter(messages)

    async def again() -> MutableMapping[str, Any]:
        message = next(kept, None)
        return await receive() if message is None else message

    return body, again


async def _answer(send: Send, status: int, content_type: str, body: str) -> None:
    encoded = body.encode()
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(encoded)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": encoded})


def install(keys: Keys, *, port: int) -> None:
    """Put the gate before MiniStack's application. What is installed later stands before the gate."""
    from ministack import app

    require(callable(getattr(app, "app", None)), "MiniStack's application")
    app.app = Gate(app.app, keys, port=port)
    _derive_function_credentials(keys.functions)


def _derive_function_credentials(secret: str) -> None:
    """Give functions credentials that nobody can compute; MiniStack derives them from the function's name alone."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc, sts

    original = inspect.getsource(lambda_runtime.execution_credentials)
    require('hashlib.sha256(f"secret:{digest}"' in original, "MiniStack's execution_credentials")

    def credentials(config: dict[str, Any]) -> dict[str, str]:
        account, _ = lambda_runtime._account_region_from_function_config(config)
        role, name = str(config.get("Role", "")).rsplit("/", 1)[-1], str(config.get("FunctionName", ""))[:64]
        about = f"{config.get('FunctionArn')} {config.get('Role')}"
        key, secret_key, token = (
            hmac.new(secret.encode(), f"{part} {about}".encode(), hashlib.sha256).hexdigest()
            for part in ("key", "secret", "token")
        )
        access_key_id = f"ASIA{key[:16].upper()}"
        arn = f"arn:aws:sts::{account}:assumed-role/{role}/{name}"
        session = {"Arn": arn, "UserId": f"{role}:{name}", "SecretAccessKey": secret_key, "SessionToken": token}
        sts.register_session(access_key_id, session)
        return {
            "AWS_ACCESS_KEY_ID": access_key_id,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "AWS_SESSION_TOKEN": token,
        }

    for module in (lambda_runtime, lambda_svc):
        require(hasattr(module, "execution_credentials"), "MiniStack's execution_credentials")
        module.execution_credentials = credentials
