"""Condition keys of DynamoDB that MiniStack leaves out of a write, given to it in its process before it starts.

A policy that binds a put or an update to partitions and attributes (`ForAllValues:` over `dynamodb:LeadingKeys` and
`dynamodb:Attributes`) would be met by every one: of a key that a request does not carry, all values are right.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local.worker_fixes import require

Context = dict[str, Any]
KeyOf = Callable[[str], str | None]
"""From a table's name to the name of its partition key; None where there is no such table."""

NAME = re.compile(r"(?<![\w.#:])#?[A-Za-z_]\w*(?!\w|\s*\()")
"""Of a whole attribute, or a placeholder for it: what follows a point is a part of one, what is called a function."""

WORDS = frozenset({"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN"})
"""Of expressions, in either case."""


def apply() -> None:
    from ministack.core import iam_actions
    from ministack.services import dynamodb

    context = iam_actions.dynamodb_service_context
    require("LeadingKeys" not in inspect.getsource(iam_actions), "MiniStack's dynamodb_service_context")
    require(hasattr(dynamodb, "_tables"), "MiniStack's dynamodb")

    def with_writes(body: bytes) -> Context:
        return {**context(body), **of_writes(body, _key_of)}

    def _key_of(table: str) -> str | None:
        name: str | None = (dynamodb._tables.get(table.rpartition("/")[2]) or {}).get("pk_name")
        return name

    iam_actions.dynamodb_service_context = with_writes


def of_writes(body: bytes, key_of: KeyOf) -> Context:
    """Of a request with several puts and updates, all that they carry: one that is not allowed has all refused."""
    try:
        request = json.loads(body or b"{}")
        writes = list(_writes(request))
    except (ValueError, TypeError, AttributeError, KeyError):
        # Malformed: the operation itself says so.
        return {}
    if not writes:
        return {}
    partitions = [_named(write).get(key_of(table) or "") for table, write in writes]
    context: Context = {
        "dynamodb:LeadingKeys": [text for value in partitions if value for text in value.values()],
        "dynamodb:Attributes": sorted({name for _, write in writes for name in _attributes(write)}),
    }
    values = [write["ReturnValues"] for _, write in writes if "ReturnValues" in write]
    return context | ({"dynamodb:ReturnValues": values[0]} if values else {})


def _writes(request: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Table and put or update, of `PutItem`, `UpdateItem`, `TransactWriteItems` and `BatchWriteItem`."""
    if "Item" in request or "UpdateExpression" in request:
        yield request["TableName"], request
    for element in request.get("TransactItems", []):
        yield from ((element[kind]["TableName"], element[kind]) for kind in ("Put", "Update") if kind in element)
    for table, requests in request.get("RequestItems", {}).items():
        # Of a `BatchGetItem` it is no list.
        yield from ((table, r["PutRequest"]) for r in requests if "PutRequest" in r)


def _named(write: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where its keys are: of a put in the item, of an update alone."""
    found: Mapping[str, Any] = write["Item"] if "Item" in write else write["Key"]
    return found


def _attributes(write: Mapping[str, Any]) -> Iterator[str]:
    yield from _named(write)
    names = write.get("ExpressionAttributeNames", {})
    for expression in (write.get("ConditionExpression", ""), write.get("UpdateExpression", "")):
        for name in NAME.findall(expression):
            if name.upper() not in WORDS:
                yield names.get(name, name)
