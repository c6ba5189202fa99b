"""What MiniStack's Lambda executor does otherwise than AWS, put right in its process before it starts.

Each fix asserts on what it replaces, so that an upgrade of MiniStack fails here and not in a state machine.
"""

import functools
import inspect
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from local.state import LocalError

Result = dict[str, Any]
Executor = Callable[[Result, Any, str], Result]

REPLY = "__function_reply__"
"""The only key of a body that holds `result` or `error`, and `log`, where the channel itself knows only results."""

_SWALLOWED = (
    "            _real_stdout.write(json.dumps("
    '{"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\\n")'
)
_NAMED = f"""\
            traceback.print_exc()
            _real_stdout.write(json.dumps({{"status": "ok", "result": {{"{REPLY}": {{"error": {{
                "errorMessage": str(e), "errorType": type(e).__name__,
                "stackTrace": traceback.format_tb(e.__traceback__)}}}}}}}}) + "\\n")"""


class FixNotApplicableError(LocalError):
    """MiniStack changed under a fix: compare the installed version with `local/requirements.txt`."""


def require(condition: bool, what: str) -> None:
    if not condition:
        raise FixNotApplicableError(f"{what} is not what this fix was written for; install local/requirements.txt")


def apply(*, workers_per_function: int, patience: float, served: Mapping[str, str]) -> None:
    """`served` maps a handler to the address of the server that runs it, whatever function or version it belongs to."""
    _name_exceptions()
    _name_throttles()
    _bound_workers(workers_per_function, patience)
    _serve(served)


def _name_exceptions() -> None:
    """Report an exception under its class name, and keep the process that raised it warm."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    require(lambda_runtime._PYTHON_WORKER_SCRIPT.count(_SWALLOWED) == 1, "MiniStack's Python worker script")
    lambda_runtime._PYTHON_WORKER_SCRIPT = lambda_runtime._PYTHON_WORKER_SCRIPT.replace(_SWALLOWED, _NAMED)
    for name in ("_execute_function_warm", "_execute_function_proxy"):
        require(callable(getattr(lambda_svc, name, None)), f"MiniStack's {name}")
        setattr(lambda_svc, name, _raising(getattr(lambda_svc, name)))


def _raising(execute: Callable[..., Result]) -> Callable[..., Result]:
    @functools.wraps(execute)
    def execute_and_open(*args: Any, **kwargs: Any) -> Result:
        return opened(execute(*args, **kwargs))

    return execute_and_open


def opened(result: Result) -> Result:
    """Return what MiniStack understands of a result whose body is a `REPLY`; any other result as it is."""
    body = result.get("body")
    if not isinstance(body, dict) or set(body) != {REPLY}:
        return result
    reply = body[REPLY]
    log = reply.get("log", result.get("log", ""))
    if "error" in reply:
        return {"body": reply["error"], "log": log, "error": True}
    return {"body": reply["result"], "log": log}


def _name_throttles() -> None:
    """Give a throttle the name that `Retry` knows from AWS."""
    from ministack.services import lambda_svc

    throttle = lambda_svc._throttle_response
    require("errorType" not in throttle("Reason", "message")["body"], "MiniStack's _throttle_response")

    def named(*args: Any, **kwargs: Any) -> Result:
        result: Result = throttle(*args, **kwargs)
        result["body"]["errorType"] = "Lambda.TooManyRequestsException"
        result["body"]["errorMessage"] = result["body"]["message"]
        return result

    lambda_svc._throttle_response = named


def _bound_workers(workers_per_function: int, patience: float) -> None:
    """Let an invocation wait for one of a few processes, where MiniStack starts a process for each.

    A function that invokes itself would wait for its own process: after `patience` seconds it is throttled.
    """
    from ministack.services import lambda_svc

    require("worker, reason = acquire_worker" in _source(lambda_svc._execute_function_warm), "MiniStack's worker pool")
    lambda_svc._execute_function_warm = bounded(
        lambda_svc._execute_function_warm, lambda_svc._throttle_response, workers_per_function, patience
    )


def bounded(execute: Executor, throttle: Callable[..., Result], limit: int, patience: float) -> Executor:
    slots: dict[str, threading.Semaphore] = {}

    def execute_when_free(function: Result, event: Any, request_id: str) -> Result:
        configuration = function.get("config") or function
        key = f"{configuration.get('FunctionArn')}:{configuration.get('Version')}"
        slot = slots.setdefault(key, threading.Semaphore(limit))
        if not slot.acquire(timeout=patience):
            message = f"Rate Exceeded: {limit} workers of this function were busy for {patience:g} s"
            return throttle("ReservedFunctionConcurrentInvocationLimitExceeded", message)
        try:
            return execute(function, event, request_id)
        finally:
            slot.release()

    return execute_when_free


def _serve(served: Mapping[str, str]) -> None:
    """Choose by handler: MiniStack's own variable would change a function's environment, and miss its versions."""
    from ministack.services import lambda_svc

    chosen = lambda_svc._proxy_url_for
    require("proxy_url = _proxy_url_for(config)" in _source(lambda_svc._execute_function_dispatch), "MiniStack's proxy")

    def proxy_url(configuration: Result) -> str | None:
        url: str | None = served.get(configuration.get("Handler", "")) or chosen(configuration)
        return url

    lambda_svc._proxy_url_for = proxy_url


def _source(function: Callable[..., object]) -> str:
    return inspect.getsource(inspect.unwrap(function))


def default_workers() -> int:
    return max(2, os.cpu_count() or 2)
