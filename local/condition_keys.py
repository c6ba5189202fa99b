"""Condition keys of DynamoDB that MiniStack leaves out of a put, given to it in its process before it starts.

A policy that binds a put to partitions and attributes (`ForAllValues:` over `dynamodb:LeadingKeys` and
`dynamodb:Attributes`) would be met by every put: of a key that a request does not carry, all values are right.
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

PLACEHOLDER = re.compile(r"(?<![\w.])#\w+")
"""Of a whole attribute: what follows a point is a part of one."""


def apply() -> None:
    from ministack.core import iam_actions
    from ministack.services import dynamodb

    context = iam_actions.dynamodb_service_context
    require("LeadingKeys" not in inspect.getsource(iam_actions), "MiniStack's dynamodb_service_context")
    require(hasattr(dynamodb, "_tables"), "MiniStack's dynamodb")

    def with_puts(body: bytes) -> Context:
        return {**context(body), **of_puts(body, _key_of)}

    def _key_of(table: str) -> str | None:
        name: str | None = (dynamodb._tables.get(table.rpartition("/")[2]) or {}).get("pk_name")
        return name

    iam_actions.dynamodb_service_context = with_puts


def of_puts(body: bytes, key_of: KeyOf) -> Context:
    """Of a request with several puts, all that they carry: one that is not allowed has all of them refused."""
    try:
        request = json.loads(body or b"{}")
        puts = list(_puts(request))
    except (ValueError, TypeError, AttributeError, KeyError):
        # Malformed: the operation itself says so.
        return {}
    if not puts:
        return {}
    partitions = [put["Item"].get(key_of(table)) for table, put in puts]
    context: Context = {
        "dynamodb:LeadingKeys": [text for value in partitions if value for text in value.values()],
        "dynamodb:Attributes": sorted({name for _, put in puts for name in _attributes(put)}),
    }
    values = [put["ReturnValues"] for _, put in puts if "ReturnValues" in put]
    return context | ({"dynamodb:ReturnValues": values[0]} if values else {})


def _puts(request: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Table and put, of `PutItem`, `TransactWriteItems` and `BatchWriteItem`."""
    if "Item" in request:
        yield request["TableName"], request
    for element in request.get("TransactItems", []):
        if "Put" in element:
            yield element["Put"]["TableName"], element["Put"]
    for table, requests in request.get("RequestItems", {}).items():
        # Of a `BatchGetItem` it is no list.
        yield from ((table, r["PutRequest"]) for r in requests if "PutRequest" in r)


def _attributes(put: Mapping[str, Any]) -> Iterator[str]:
    yield from put["Item"]
    names = put.get("ExpressionAttributeNames", {})
    yield from (names[name] for name in PLACEHOLDER.findall(put.get("ConditionExpression", "")) if name in names)
