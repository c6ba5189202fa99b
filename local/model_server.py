"""Runs the inference functions in one process: `python -m local.model_server --port 8091 --state .triage`.

MiniStack forwards their invocations to this server; otherwise it would start a process, with a model in it, for each.
Every function acts with its own role and environment, as in Lambda. An invocation that is not done at its deadline ends
the process, as Lambda ends a sandbox. The supervisor then restarts it, and the other invocations are tried again.
"""

import argparse
import hmac
import json
import logging
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self, TextIO

from local import state
from local.callers import foreign
from local.functions import Functions, Invocation
from local.keys import Keys
from local.lambda_fixes import REPLY, TOKEN
from local.session import REGION, loopback_session
from local.state import LOOPBACK, LocalError, Ports, State

log = logging.getLogger(__name__)

_Lines = ContextVar[list[str] | None]

GRACE_SECONDS = 10.0
"""How long after its deadline an invocation may still end: it may be late because it waited or loaded a model."""

ENDED_BY_HANGING = 70


class WaitedTooLongError(LocalError):
    """No slot was free until the deadline of an invocation, so its work was not started."""


class Capture:
    """Replaces stdout and stderr, so that what each thread prints can be collected apart from the others.

    A logger that is made afterwards writes into it.
    """

    def __init__(self) -> None:
        self._lines: _Lines = ContextVar("lines", default=None)

    def install(self) -> Self:
        sys.stdout, sys.stderr = self._stream(sys.stdout), self._stream(sys.stderr)
        return self

    @contextmanager
    def lines(self) -> Iterator[list[str]]:
        """Yield a list that receives what this thread prints inside the block."""
        printed: list[str] = []
        token = self._lines.set(printed)
        try:
            yield printed
        finally:
            self._lines.reset(token)

    def _stream(self, beneath: TextIO) -> TextIO:
        return _Stream(beneath, self._lines)  # type: ignore[return-value]  # has what print and logging use


class _Stream:
    def __init__(self, beneath: TextIO, lines: _Lines) -> None:
        self._beneath = beneath
        self._lines = lines

    def write(self, text: str) -> int:
        printed = self._lines.get()
        if printed is None:
            return self._beneath.write(text)
        printed.append(text)
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._beneath, name)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # All items of a Map state arrive at once; with Python's default of 5, most would be refused.
    request_queue_size = 256

    def __init__(self, port: int, functions: Functions, capture: Capture, *, concurrency: int, token: str) -> None:
        super().__init__((LOOPBACK, port), _Requests)
        self.token = token
        self._functions = functions
        self._capture = capture
        self._slots = threading.Semaphore(concurrency)

    def reply(self, invocation: Invocation, event: dict[str, Any]) -> dict[str, Any]:
        """Run an invocation and return its outcome as `lambda_fixes.opened` reads it."""
        with self._capture.lines() as lines:
            try:
                outcome = {"result": self._run(invocation, event)}
                json.dumps(outcome)
            except BaseException as error:  # libraries written in Rust raise one of their own
                traceback.print_exc()
                outcome = {"error": describe(error)}
        return {REPLY: {**outcome, "log": "".join(lines)}}

    def _run(self, invocation: Invocation, event: dict[str, Any]) -> Any:
        if not self._slots.acquire(timeout=max(0.0, invocation.seconds_left())):
            raise WaitedTooLongError(f"all inference slots were busy until the deadline of {invocation.function_name}")
        overdue = threading.Timer(max(0.0, invocation.seconds_left()) + GRACE_SECONDS, _end_process, [invocation])
        overdue.daemon = True
        overdue.start()
        try:
            return self._functions.handler(invocation)(event, invocation)
        finally:
            overdue.cancel()
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a lost connection: a caller that has timed out is gone when its answer comes."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _end_process(invocation: Invocation) -> None:
    """End the process, since a thread that hangs inside a library cannot be stopped and would keep its slot."""
    log.error("%s is not done at its deadline; this process ends", invocation.function_name)
    os._exit(ENDED_BY_HANGING)


class _Requests(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if not self._is_refused():
            self._answer(200 if self.path == "/health" else 404, {})

    def do_POST(self) -> None:
        if self._is_refused():
            return
        if not hmac.compare_digest(self.headers.get(TOKEN, "").encode(), self.server.token.encode()):
            self._answer(401, {"message": f"the header {TOKEN} is missing or wrong: only the embedded AWS may call"})
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            invocation = Invocation.of(self.headers.items())
        except KeyError as missing:
            self._answer(
                400,
                {"message": f"the header X-Amzn-Lambda-{missing} is missing: MiniStack sends it with an invocation"},
            )
            return
        self._answer(200, self.server.reply(invocation, json.loads(body)))

    def _is_refused(self) -> bool:
        """Whether the request comes from a web page; it is answered then."""
        why = foreign(self.headers.items(), self.server.server_port)
        if why is not None:
            self._answer(403, {"message": f"not a request of this machine: {why}"})
        return why is not None

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        encoded = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: CloudWatch has each invocation already."""


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception as Lambda reports it; `Retry` and `Catch` match its class name."""
    name = "Sandbox.Timedout" if isinstance(error, WaitedTooLongError) else type(error).__name__
    return {
        "errorMessage": str(error),
        "errorType": name,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


def prepare(home: State) -> None:
    """Set the variables that libraries read at import, and remove the bundles that the last server had downloaded."""
    temporary = home.temporary / "models"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    os.environ["TMPDIR"] = str(temporary)
    # One thread for each inference, because `--concurrency` of them run at a time.
    os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", AWS_REGION=REGION)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--concurrency", type=int, default=os.cpu_count() or 1, help="inferences at a time")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    os.umask(0o077)
    home = State(arguments.state)
    keys = Keys.create(home)
    prepare(home)
    ports = state.read(home.ports, Ports) or Ports()
    endpoint = f"http://{LOOPBACK}:{ports.aws}"
    capture = Capture().install()
    functions = Functions(endpoint, loopback_session(endpoint, keys.credentials))
    server = Server(arguments.port, functions, capture, concurrency=arguments.concurrency, token=keys.models)
    log.info("model server ready on port %s", arguments.port)
    server.serve_forever()


if __name__ == "__main__":
    main()
