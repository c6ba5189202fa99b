"""Invokes functions of a deployment with the rights of a role."""

import json
from typing import Any, TypeVar

import boto3
from pydantic import ValidationError

from cli.errors import CommandError, NotFoundError, WrongUsageError
from triage.contracts import Contract
from triage.errors import ComplaintMissingError
from triage.validation import problems

C = TypeVar("C", bound=Contract)


def read_request(request: type[C], **values: Any) -> C:
    """Return the request with these values.

    Raises: WrongUsageError if a value breaks a rule.
    """
    try:
        return request.model_validate(values)
    except ValidationError as error:
        raise WrongUsageError(problems(error)) from error


def invoke(session: boto3.Session, function: str, request: Contract, *, gives: type[C]) -> C:
    """Return the function's answer.

    Raises:
        NotFoundError: the complaint does not exist any more.
        CommandError: the function failed; the message is the function's.
        ClientError: the session has no right to invoke the function.
    """
    answer = session.client("lambda").invoke(FunctionName=function, Payload=request.model_dump_json().encode())
    content = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        missing = content.get("errorType") == ComplaintMissingError.__name__
        raise (NotFoundError if missing else CommandError)(str(content.get("errorMessage") or content))
    return gives.model_validate(content)
