"""boto3 sessions that reach one embedded AWS only, whatever AWS settings the shell has."""

import os
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials

from local.keys import Keys
from local.state import Instance, State

REGION = "us-east-1"
ACCOUNT = "000000000000"
PEOPLE = "triage-command"
"""The name of the sessions in which the command takes a role. Functions take roles in sessions of their own names."""


# No profile and no files, so that the developer's ~/.aws is neither used nor able to break the start.
_ISOLATED = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class _LoopbackSession(botocore.session.Session):
    def __init__(self, endpoint: str) -> None:
        super().__init__(session_vars=_ISOLATED)
        self._endpoint = endpoint
        # Otherwise the shell's proxy would be asked for 127.0.0.1, and a host prefix would make it sync-127.0.0.1.
        self.set_default_client_config(Config(proxies={}, inject_host_prefix=False))

    def create_client(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["endpoint_url"] = kwargs.get("endpoint_url") or self._endpoint
        return super().create_client(*args, **kwargs)


def loopback_session(endpoint: str, credentials: Credentials) -> boto3.Session:
    """Return a session whose clients all call `endpoint`."""
    core = _LoopbackSession(endpoint)
    core._credentials = credentials  # type: ignore[attr-defined]  # botocore has no public way to set refreshable credentials
    return boto3.Session(botocore_session=core, region_name=REGION)


def session(instance: Instance) -> boto3.Session:
    """Return a session as the root user of the account. Raises: NoKeysError."""
    return loopback_session(instance.aws_endpoint, Keys.of(State(instance.state)).credentials)
