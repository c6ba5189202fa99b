"""Builds deployed functions in this process, each with its own role and environment."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Self, get_type_hints

import boto3
from botocore.credentials import DeferredRefreshableCredentials
from botocore.exceptions import ClientError

from local.session import loopback_session

Handler = Callable[[dict[str, Any], object], Any]
Revision = tuple[str, ...]

_CHECK_SECONDS = 3.0
"""How often it is checked whether a function has changed."""


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """The context that a handler receives with an event, read from the headers that MiniStack sends."""

    function_name: str
    function_version: str
    invoked_function_arn: str
    aws_request_id: str
    deadline: float
    """Seconds since the epoch."""

    identity: None = None
    client_context: None = None
    # Powertools reads it; this server has no limit.
    memory_limit_in_mb: int = 0

    @classmethod
    def of(cls, headers: Iterable[tuple[str, str]]) -> Self:
        """Raises: KeyError naming the header that is missing."""
        values = {name.lower().removeprefix("x-amzn-lambda-"): value for name, value in headers}
        return cls(
            function_name=values["function-name"],
            function_version=values["function-version"],
            invoked_function_arn=values["function-arn"],
            aws_request_id=values["request-id"],
            deadline=int(values["deadline-ms"]) / 1000,
        )

    def seconds_left(self) -> float:
        return self.deadline - time.time()

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(self.seconds_left() * 1000))


@dataclass(frozen=True)
class Built:
    handler: Handler
    revision: Revision
    session: boto3.Session


class Functions:
    """Builds the handler of each function at its first call, and again if the function or its session changes."""

    def __init__(self, endpoint: str, session: boto3.Session) -> None:
        self._endpoint = endpoint
        self._lambda = session.client("lambda")
        self._sts = session.client("sts")
        self._built: dict[tuple[str, str], Built] = {}
        self._checked: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()
        # One for each function, because building one may load libraries for seconds.
        self._locks: dict[tuple[str, str], threading.Lock] = {}

    def handler(self, invocation: Invocation) -> Handler:
        key = (invocation.function_name, invocation.function_version)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if time.monotonic() - self._checked.get(key, -_CHECK_SECONDS) >= _CHECK_SECONDS:
                self._check(*key)
                self._checked[key] = time.monotonic()
            return self._built[key].handler

    def _check(self, name: str, version: str) -> None:
        configuration: Mapping[str, Any] = self._lambda.get_function_configuration(FunctionName=name, Qualifier=version)
        revision = tuple(str(configuration.get(field)) for field in ("RevisionId", "LastModified", "CodeSha256"))
        current = self._built.get((name, version))
        if current is None or current.revision != revision or not _is_known(current.session):
            self._built[name, version] = self._build(configuration, revision)

    def _build(self, configuration: Mapping[str, Any], revision: Revision) -> Built:
        """Call `build(environment, session)` of the handler's module, as the first call in Lambda does."""
        module = import_module(configuration["Handler"].rpartition(".")[0])
        environment = get_type_hints(module.build)["environment"]
        variables = configuration.get("Environment", {}).get("Variables", {})
        session = loopback_session(
            self._endpoint,
            DeferredRefreshableCredentials(
                partial(self._assume, configuration["Role"], configuration["FunctionName"]), "assume-role"
            ),
        )
        return Built(module.build(environment.read(variables), session), revision, session)

    def _assume(self, role: str, function: str) -> dict[str, str]:
        credentials = self._sts.assume_role(RoleArn=role, RoleSessionName=function[:64])["Credentials"]
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": credentials["Expiration"].isoformat(),
        }


def _is_known(session: boto3.Session) -> bool:
    """Whether MiniStack knows the session; after a kill it may have lost sessions that have not expired."""
    try:
        session.client("sts").get_caller_identity()
    except ClientError:
        return False
    return True
