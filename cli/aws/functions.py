"""Functions of a deployment, invoked in the name of a role."""

import json
from typing import Any, TypeVar

import boto3
from pydantic import ValidationError

from cli.errors import CommandError, NotFoundError, WrongUsageError
from triage.contracts import Contract
from triage.errors import ComplaintMissingError

Said = TypeVar("Said", bound=Contract)


def read_request(request: type[Said], **said: Any) -> Said:
    """Raises: WrongUsageError naming what is ill-formed."""
    try:
        return request.model_validate(said)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
        raise WrongUsageError("; ".join(problems)) from error


def invoke(session: boto3.Session, function: str, request: Contract, *, gives: type[Said]) -> Said:
    """Raises: NotFoundError where the complaint is gone, else CommandError, with what the function said.

    ClientError where the session may not invoke it.
    """
    answer = session.client("lambda").invoke(FunctionName=function, Payload=request.model_dump_json().encode())
    content = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        missing = content.get("errorType") == ComplaintMissingError.__name__
        raise (NotFoundError if missing else CommandError)(str(content.get("errorMessage") or content))
    return gives.model_validate(content)
