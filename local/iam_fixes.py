"""Changes to MiniStack's IAM in its own process: condition keys for DynamoDB, and a log line for refusals.

MiniStack gives writes to DynamoDB no `dynamodb:LeadingKeys` and no `dynamodb:Attributes`. A policy that limits a write
with `ForAllValues:` then allows every write, because the condition holds for a key that the request does not have.
Each item of a transaction is authorized as AWS does it, with its own keys. `BatchGetItem` has the attributes that it
asks for, which MiniStack does not look for inside of its tables.
"""

import inspect
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from local.lambda_fixes import require

log = logging.getLogger(__name__)

Context = dict[str, Any]
PartitionKeyOf = Callable[[str], str | None]
"""Gives the name of a table's partition key, or None for an unknown table."""

_ATTRIBUTE = re.compile(r"(?<![\w.#:])#?[A-Za-z_]\w*(?!\w|\s*\()")
"""An attribute name or its placeholder; not a part of one (after a full stop), and not the name of a function."""

_KEYWORDS = frozenset({"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN"})
"""The words of expressions that are no attributes, in either case."""


def apply() -> None:
    from ministack.core import iam_actions, iam_evaluator
    from ministack.services import dynamodb

    context = iam_actions.dynamodb_service_context
    require("LeadingKeys" not in inspect.getsource(iam_actions), "MiniStack's dynamodb_service_context")
    require(hasattr(dynamodb, "_tables"), "MiniStack's dynamodb")
    require(hasattr(iam_actions, "access_denied_response"), "MiniStack's access_denied_response")
    require(hasattr(iam_actions, "dynamodb_transaction_checks"), "MiniStack's dynamodb_transaction_checks")
    require(hasattr(iam_evaluator, "enforce"), "MiniStack's enforce")

    def with_items(body: bytes) -> Context:
        return {**context(body), **context_of_batch_get(body), **context_of_writes(body, partition_key_of)}

    def partition_key_of(table: str) -> str | None:
        name: str | None = (dynamodb._tables.get(table.rpartition("/")[2]) or {}).get("pk_name")
        return name

    iam_actions.dynamodb_service_context = with_items
    iam_actions.dynamodb_transaction_checks = for_each_item(iam_actions.dynamodb_transaction_checks, partition_key_of)
    iam_evaluator.enforce = with_keys_of_item(iam_evaluator.enforce)
    iam_actions.access_denied_response = logged(iam_actions.access_denied_response)


def context_of_writes(body: bytes, partition_key_of: PartitionKeyOf) -> Context:
    """Return the condition keys of a request with puts or updates, over all its writes together.

    If one write is not allowed, the whole request is therefore refused.
    """
    try:
        request = json.loads(body or b"{}")
        writes = list(_writes(request))
    except (ValueError, TypeError, AttributeError, KeyError):
        # The operation itself refuses a malformed request.
        return {}
    if not writes:
        return {}
    return _context(writes, partition_key_of)


def _context(writes: Iterable[tuple[str, Mapping[str, Any]]], partition_key_of: PartitionKeyOf) -> Context:
    writes = list(writes)
    partitions = [_keys(write).get(partition_key_of(table) or "") for table, write in writes]
    context: Context = {
        "dynamodb:LeadingKeys": [text for value in partitions if value for text in value.values()],
        "dynamodb:Attributes": sorted({name for _, write in writes for name in _attributes(write)}),
    }
    values = [write["ReturnValues"] for _, write in writes if "ReturnValues" in write]
    return context | ({"dynamodb:ReturnValues": values[0]} if values else {})


def context_of_batch_get(body: bytes) -> Context:
    """Return the attributes that a `BatchGetItem` asks for, over all its tables together."""
    try:
        tables = [one for one in json.loads(body or b"{}")["RequestItems"].values() if "Keys" in one]
        asked = [one.get("ProjectionExpression") for one in tables]
        names = {
            one.get("ExpressionAttributeNames", {}).get(name, name)
            for one in tables
            for name in re.findall(r"(?:^|,)\s*([^\s,.\[]+)", one.get("ProjectionExpression", ""))
        }
    except (ValueError, TypeError, AttributeError, KeyError):
        return {}
    if not asked or None in asked:
        return {}
    return {"dynamodb:Attributes": sorted(names), "dynamodb:Select": "SPECIFIC_ATTRIBUTES"}


class TableOfItem(str):
    """The ARN of the table of one item of a transaction. context: the condition keys of this item alone."""

    context: Context


Checks = Callable[[str, bytes, str, str], list[tuple[str, str]]]


def for_each_item(checks: Checks, partition_key_of: PartitionKeyOf) -> Checks:
    """Wrap MiniStack's list of what a transaction has to be allowed, so that each item has its own condition keys."""

    def with_items(iam_action: str, body: bytes, region: str, account_id: str) -> list[tuple[str, str]]:
        found = checks(iam_action, body, region, account_id)
        items = [item for one in json.loads(body)["TransactItems"] for item in one.values()] if found else []
        if len(items) != len(found):
            # The operation itself refuses such a request. It is judged by the keys of all items together.
            return found
        return [
            (action, _of_item(arn, item, partition_key_of)) for (action, arn), item in zip(found, items, strict=True)
        ]

    return with_items


def _of_item(arn: str, item: Mapping[str, Any], partition_key_of: PartitionKeyOf) -> TableOfItem:
    table = TableOfItem(arn)
    table.context = _context([(item["TableName"], item)], partition_key_of)
    return table


def with_keys_of_item(enforce: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap MiniStack's decision so that an item of a transaction is judged by its own condition keys."""

    def decide(
        access_key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: Context | None = None,
    ) -> Any:
        if isinstance(resource_arn, TableOfItem):
            service_context = {**(service_context or {}), **resource_arn.context}
        return enforce(access_key, action, service, region, resource_arn=resource_arn, service_context=service_context)

    return decide


def _writes(request: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield table and write of `PutItem`, `UpdateItem`, `TransactWriteItems` and `BatchWriteItem`."""
    if "Item" in request or "UpdateExpression" in request:
        yield request["TableName"], request
    for element in request.get("TransactItems", []):
        yield from ((element[kind]["TableName"], element[kind]) for kind in ("Put", "Update") if kind in element)
    for table, requests in request.get("RequestItems", {}).items():
        # For `BatchGetItem` it is a mapping, whose keys have no "PutRequest".
        yield from ((table, r["PutRequest"]) for r in requests if "PutRequest" in r)


def _keys(write: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the item of a put, or the key of an update."""
    found: Mapping[str, Any] = write["Item"] if "Item" in write else write["Key"]
    return found


def _attributes(write: Mapping[str, Any]) -> Iterator[str]:
    yield from _keys(write)
    names = write.get("ExpressionAttributeNames", {})
    for expression in (write.get("ConditionExpression", ""), write.get("UpdateExpression", "")):
        for name in _ATTRIBUTE.findall(expression):
            if name.upper() not in _KEYWORDS:
                yield names.get(name, name)


def logged(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap MiniStack's refusal so that it logs who was refused which action, and nothing else of the request."""

    def denied(service: str, action: str, principal_arn: str, request_id: str, **details: Any) -> Any:
        who = principal_arn or "somebody unknown"
        log.warning("refused: %s may not %s (%s)", who, action, details.get("error_code") or "AccessDenied")
        return answer(service, action, principal_arn, request_id, **details)

    return denied
