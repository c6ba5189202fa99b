"""One property that MiniStack's CloudFormation drops, or might: what is wanted, what is there, how it is set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from local.deployed import Resource

Wanted = Callable[[Resource], Any]
Found = Callable[["Clients", Resource], Any]
Apply = Callable[["Clients", Resource, Any], object]


class Clients:
    """Untyped: their requests are made of what a template says."""

    def __init__(self, aws: boto3.Session) -> None:
        self.apigateway: Any = aws.client("apigatewayv2")
        self.dynamodb: Any = aws.client("dynamodb")
        self.functions: Any = aws.client("lambda")
        self.logs: Any = aws.client("logs")
        self.s3: Any = aws.client("s3")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """`wanted` gives None where the template asks for nothing."""

    types: tuple[str, ...]
    property: str
    wanted: Wanted
    found: Found
    apply: Apply


def holds(found: Any, wanted: Any) -> bool:
    """Whether all that is wanted is found; what a service adds of itself does no harm."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and holds(found[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)


def asked(name: str) -> Wanted:
    """The property as the template has it."""

    def wanted(resource: Resource) -> Any:
        return resource.get(name)

    return wanted
