"""Invokes functions of a deployment with the rights of a role."""

import json
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from pydantic import ValidationError

from cli.errors import CommandError, NotFoundError, WrongUsageError
from triage.contracts import Contract
from triage.errors import ComplaintMissingError
from triage.validation import problems

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

C = TypeVar("C", bound=Contract)
LONGEST_FUNCTION_SECONDS = 900


def read_request(request: type[C], **values: Any) -> C:
    """Return the request with these values.

    Raises: WrongUsageError if a value breaks a rule.
    """
    try:
        return request.model_validate(values)
    except ValidationError as error:
        raise WrongUsageError(problems(error)) from error


def patient(session: boto3.Session) -> "LambdaClient":
    """Return a client that waits as long as a function may run. Any other would invoke a slow one again."""
    return session.client(
        "lambda", config=Config(read_timeout=LONGEST_FUNCTION_SECONDS, retries={"total_max_attempts": 1})
    )


def invoke(session: boto3.Session, function: str, request: Contract, *, gives: type[C]) -> C:
    """Return the function's answer.

    Raises:
        NotFoundError: the complaint does not exist any more.
        CommandError: the function failed; the message is the function's.
        ClientError: the session has no right to invoke the function.
    """
    answer = patient(session).invoke(FunctionName=function, Payload=request.model_dump_json().encode())
    content = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        missing = content.get("errorType") == ComplaintMissingError.__name__
        raise (NotFoundError if missing else CommandError)(str(content.get("errorMessage") or content))
    return gives.model_validate(content)
