"""Changes to MiniStack's Lambda, in its own process, so that it behaves as AWS does.

Each fix checks the code that it replaces, so that an upgrade of MiniStack fails here and not in a state machine.
"""

import functools
import inspect
import json
import logging
import os
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from local.state import LocalError

log = logging.getLogger(__name__)

Result = dict[str, Any]
Executor = Callable[[Result, Any, str], Result]
PutRecord = Callable[[str, str, dict[str, Any]], object]
PutMetrics = Callable[[str, list[dict[str, Any]]], object]

REPLY = "__function_reply__"
"""The only key of a body that carries a `result` or an `error`, and a `log`. MiniStack itself knows results only."""

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
    """The installed MiniStack is not the version in `local/requirements.txt`, for which the fixes were written."""


def require(condition: bool, what: str) -> None:
    if not condition:
        raise FixNotApplicableError(f"{what} is not what this fix was written for; install local/requirements.txt")


TOKEN = "X-Triage-Token"
"""The header by which MiniStack shows the model server that it knows the key of the state folder."""


def apply(*, workers_per_function: int, patience: float, served: Mapping[str, str], token: str) -> None:
    """Apply all fixes.

    served: maps a handler to the address of the server that runs it instead of a worker. token: what it asks for.
    """
    _name_exceptions()
    _name_throttles()
    _bound_workers(workers_per_function, patience)
    _serve(served, token)
    _count_metrics()
    _store_undelivered()


def _name_exceptions() -> None:
    """Report an exception under its class name, and keep the process in which it was raised."""
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
    """Turn a result whose body is a `REPLY` into one that MiniStack understands; return any other result as it is."""
    body = result.get("body")
    if not isinstance(body, dict) or set(body) != {REPLY}:
        return result
    reply = body[REPLY]
    log = reply.get("log", result.get("log", ""))
    if "error" in reply:
        return {"body": reply["error"], "log": log, "error": True}
    return {"body": reply["result"], "log": log}


def _name_throttles() -> None:
    """Report a throttle under the name that it has on AWS and that `Retry` uses."""
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
    """Let invocations wait for one of a few processes; MiniStack would start a process for each.

    An invocation that waits longer than `patience` seconds is throttled. Otherwise a function that invokes itself would
    wait for its own process for ever.
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


def _serve(served: Mapping[str, str], token: str) -> None:
    """Choose the server by handler. MiniStack's own variable would change the function's environment."""
    # MiniStack's request has no place for a header of ours, and an address with a secret would be logged.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _WithToken(served.values(), token))
    urllib.request.install_opener(opener)
    from ministack.services import lambda_svc

    chosen = lambda_svc._proxy_url_for
    require("proxy_url = _proxy_url_for(config)" in _source(lambda_svc._execute_function_dispatch), "MiniStack's proxy")

    def proxy_url(configuration: Result) -> str | None:
        url: str | None = served.get(configuration.get("Handler", "")) or chosen(configuration)
        return url

    lambda_svc._proxy_url_for = proxy_url


class _WithToken(urllib.request.BaseHandler):
    """Adds the token to requests to these addresses, and to no others."""

    def __init__(self, addresses: Iterable[str], token: str) -> None:
        self._hosts = {urlsplit(address).netloc for address in addresses}
        self._token = token

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        if request.host in self._hosts:
            request.add_unredirected_header(TOKEN, self._token)
        return request


def _count_metrics() -> None:
    """Turn metrics that functions write into their logs into metrics; MiniStack leaves them in the log.

    Without them no alarm on a metric of ours would ever fire.
    """
    from ministack.services import cloudwatch, lambda_svc

    require(callable(getattr(lambda_svc, "_emit_lambda_logs", None)), "MiniStack's _emit_lambda_logs")
    require(callable(getattr(cloudwatch, "_put_metric_data", None)), "MiniStack's _put_metric_data")

    def put(namespace: str, data: list[dict[str, Any]]) -> None:
        # The third argument says that the request has been parsed; alarms are evaluated as after any request.
        cloudwatch._put_metric_data({}, {"Namespace": namespace, "MetricData": data}, True)

    lambda_svc._emit_lambda_logs = counted(lambda_svc._emit_lambda_logs, put)


def counted(emit: Callable[..., None], put: PutMetrics) -> Callable[..., None]:
    """Wrap MiniStack's writer of logs so that it also puts their metrics. A failure to do so fails no invocation."""

    @functools.wraps(emit)
    def emit_and_count(function: Any, request_id: str, log_text: str, *rest: Any, **options: Any) -> None:
        emit(function, request_id, log_text, *rest, **options)
        try:
            for namespace, data in embedded(log_text.splitlines()):
                put(namespace, data)
        except Exception:
            log.exception("the metrics of a log were not counted")

    return emit_and_count


def embedded(lines: Iterable[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield namespace and data, as PutMetricData takes them, of each line in the embedded metric format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    for line in lines:
        if line.startswith("{") and '"CloudWatchMetrics"' in line and (record := _read(line)):
            for directive in record["_aws"]["CloudWatchMetrics"]:
                yield directive["Namespace"], list(_data(record, directive))


def _read(line: str) -> dict[str, Any] | None:
    """Return the record of metrics on this line, or None for any other line, which CloudWatch ignores too."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record.get("_aws"), dict) else None


def _data(record: dict[str, Any], directive: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for metric in directive["Metrics"]:
        value = record[metric["Name"]]
        for names in directive["Dimensions"] or [[]]:
            yield {
                "MetricName": metric["Name"],
                "Unit": metric.get("Unit", "None"),
                "Timestamp": record["_aws"]["Timestamp"] / 1000,
                "Dimensions": [{"Name": name, "Value": record[name]} for name in names],
                "Values": value if isinstance(value, list) else [value],
            }


def _store_undelivered() -> None:
    """Store records of a stream that could not be delivered in the bucket of their mapping, as AWS does."""
    from ministack.services import lambda_svc, s3

    send = lambda_svc._send_ddb_stream_failure_record
    require("the records themselves are not included" in _source(send), "MiniStack's record of a failed stream")
    require(callable(getattr(s3, "_put_object", None)), "MiniStack's _put_object")

    def put(bucket: str, key: str, record: dict[str, Any]) -> None:
        s3._put_object(bucket, key, json.dumps(record).encode(), {})

    lambda_svc._send_ddb_stream_failure_record = stored(send, put)


def stored(send: Callable[..., None], put: PutRecord) -> Callable[..., None]:
    """Wrap MiniStack's sender, which knows queues and topics. put: stores a record under its key in a bucket.

    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """

    @functools.wraps(send)
    def send_or_store(
        mapping: Any, function: Any, batch: list[Any], stream: str, result: Result, condition: str
    ) -> None:
        destination = ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination") or ""
        _, is_bucket, bucket = destination.partition(":s3:::")
        if not is_bucket:
            send(mapping, function, batch, stream, result, condition)
            return
        now = datetime.now(UTC)
        configuration = function.get("config") or function
        record = {
            "requestContext": {"functionArn": configuration.get("FunctionArn"), "condition": condition},
            "version": "1.0",
            "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "DDBStreamBatchInfo": {"batchSize": len(batch), "streamArn": stream},
            "payload": json.dumps({"Records": batch}),
        }
        put(bucket, f"aws/lambda/{mapping.get('UUID')}/shard/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid4()}", record)

    return send_or_store


def _source(function: Callable[..., object]) -> str:
    return inspect.getsource(inspect.unwrap(function))


def default_workers() -> int:
    return max(2, os.cpu_count() or 2)
