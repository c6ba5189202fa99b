"""Runs inference functions in one bounded process: `python -m local.model_server --port 8091 --state .triage`.

MiniStack forwards their invocations here instead of starting a process, with a model in it, for each. Every function
acts with its own role and its own environment, as it would in Lambda. An invocation that is not done when its time is
up ends the process, as Lambda ends a sandbox: the supervisor starts it anew, and what else ran here is tried again.
"""

import argparse
import json
import logging
import os
import shutil
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local import state
from local.captured import Capture
from local.functions import Functions, Invocation
from local.session import REGION, loopback_session
from local.state import LOOPBACK, LocalError, Ports, State
from local.worker_fixes import REPLY

log = logging.getLogger(__name__)

GRACE_SECONDS = 10.0
"""After a deadline: what is only late, because it waited for a slot or loads a model, is not worth a restart."""

ENDED_BY_HANGING = 70


class WaitedTooLongError(LocalError):
    """The caller has given up: the work is not begun."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # A burst of Map items arrives at once; Python's default of 5 would refuse most of it.
    request_queue_size = 256

    def __init__(self, port: int, functions: Functions, capture: Capture, *, concurrency: int) -> None:
        super().__init__((LOOPBACK, port), _Requests)
        self._functions = functions
        self._capture = capture
        self._slots = threading.Semaphore(concurrency)

    def reply(self, invocation: Invocation, event: dict[str, Any]) -> dict[str, Any]:
        """What MiniStack is to make of an invocation; see `worker_fixes.opened`."""
        with self._capture.lines() as lines:
            try:
                outcome = {"result": self._run(invocation, event)}
                json.dumps(outcome)
            except Exception as error:
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
        """A caller that has timed out is gone when its answer comes."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _end_process(invocation: Invocation) -> None:
    """Nothing less stops a thread that is inside a library; it would hold its slot for ever."""
    log.error("%s is not done at its deadline; this process ends", invocation.function_name)
    os._exit(ENDED_BY_HANGING)


class _Requests(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/health" else 404, {})

    def do_POST(self) -> None:
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

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        encoded = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: Any) -> None:
        """Each invocation is in CloudWatch already."""


def describe(error: Exception) -> dict[str, Any]:
    """An exception as Lambda reports it; its class name is what `Retry` and `Catch` match."""
    name = "Sandbox.Timedout" if isinstance(error, WaitedTooLongError) else type(error).__name__
    return {
        "errorMessage": str(error),
        "errorType": name,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


def prepare(home: State) -> None:
    """Set what libraries read when they are imported, and remove the bundles that the last server had fetched."""
    temporary = home.temporary / "models"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    os.environ["TMPDIR"] = str(temporary)
    # One thread a call, as `--concurrency` calls run at a time.
    os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", AWS_REGION=REGION)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--concurrency", type=int, default=os.cpu_count() or 1, help="inferences at a time")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    home = State(arguments.state)
    prepare(home)
    ports = state.read(home.ports, Ports) or Ports()
    endpoint = f"http://{LOOPBACK}:{ports.aws}"
    capture = Capture().install()
    server = Server(
        arguments.port, Functions(endpoint, loopback_session(endpoint)), capture, concurrency=arguments.concurrency
    )
    log.info("model server ready on port %s", arguments.port)
    server.serve_forever()


if __name__ == "__main__":
    main()
