"""A DynamoDB table that stores the items of its `TableSpec`."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from pydantic import BaseModel, ValidationError

from triage.tables import TableSpec

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Element = TypeVar("Element")
M = TypeVar("M", bound=BaseModel)
Item = Mapping[str, Any]
Write = dict[str, Any]
"""One write of a transaction, in the form of `TransactWriteItems`."""

READ_TOGETHER = 100
"""Items that DynamoDB returns for one batch of keys at most."""

_serialize = TypeSerializer().serialize


class _PlainBytes(TypeDeserializer):
    """boto3 wraps binary values in a class whose instances cannot be made into text."""

    def _deserialize_b(self, value: bytes) -> bytes:
        return bytes(value)


_deserialize = _PlainBytes().deserialize


class Table:
    """One deployed table. It takes models or mappings, and returns items as mappings of plain values."""

    def __init__(self, client: "DynamoDBClient", spec: TableSpec, name: str) -> None:
        self.client = client
        self._spec = spec
        self._name = name

    def put(self, item: BaseModel | Mapping[str, Any], *, condition: "Condition | None" = None) -> bool:
        """Write the whole item. Return False, and write nothing, where the condition does not hold."""
        try:
            self.client.put_item(TableName=self._name, Item=to_item(item), **(condition.options() if condition else {}))
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def put_if_absent(self, item: BaseModel | Mapping[str, Any]) -> bool:
        """Write the item. Return False, and write nothing, where an item has its key already."""
        return self.put(item, condition=Condition("attribute_not_exists(#key)", key=self._spec.partition_key))

    def put_together(self, *items: "tuple[BaseModel, Condition]") -> bool:
        """Write all of these items, or none of them: see `write_together`."""
        return write_together(self.client, [self.to_put(item, condition) for item, condition in items])

    def get(self, *key: str, attributes: tuple[str, ...] = ()) -> dict[str, Any] | None:
        """Return the item with this partition key (and sort key), or the chosen attributes of it, read consistently."""
        options = _projection(attributes)
        found = self.client.get_item(TableName=self._name, Key=self._key(key), ConsistentRead=True, **options)
        return from_item(found["Item"]) if "Item" in found else None

    def update(
        self, *key: str, assign: Mapping[str, Any], condition: "Condition", remove: tuple[str, ...] = ()
    ) -> bool:
        """Set and remove attributes. Return False, and write nothing, where the condition does not hold."""
        try:
            self.client.update_item(**self._updating(key, assign, remove, condition))
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def delete(self, *key: str) -> None:
        """Delete an item, if it is there."""
        self.client.delete_item(TableName=self._name, Key=self._key(key))

    def _updating(
        self, key: tuple[str, ...], assign: Mapping[str, Any], remove: tuple[str, ...], condition: "Condition"
    ) -> dict[str, Any]:
        setting = "SET " + ", ".join(f"#{name} = :{name}" for name in assign) if assign else ""
        removing = " REMOVE " + ", ".join(f"#{name}" for name in remove) if remove else ""
        change = Condition("", **{name: name for name in (*assign, *remove)}).comparing(**assign)
        return {
            "TableName": self._name,
            "Key": self._key(key),
            "UpdateExpression": (setting + removing).strip(),
            **condition.joined(change).options(),
        }

    def to_put(self, item: BaseModel | Mapping[str, Any], condition: "Condition | None" = None) -> "Write":
        """Return the write of an item, for `write_together`."""
        options = condition.options() if condition else {}
        return {"Put": {"TableName": self._name, "Item": to_item(item), **options}}

    def to_update(
        self, *key: str, assign: Mapping[str, Any], condition: "Condition", remove: tuple[str, ...] = ()
    ) -> "Write":
        """Return a change of attributes, for `write_together`."""
        return {"Update": self._updating(key, assign, remove, condition)}

    def to_delete(self, *key: str, condition: "Condition") -> "Write":
        """Return the removal of an item, for `write_together`."""
        return {"Delete": {"TableName": self._name, "Key": self._key(key), **condition.options()}}

    def to_check(self, *key: str, condition: "Condition") -> "Write":
        """Return a condition on an item that is not written itself, for `write_together`."""
        return {"ConditionCheck": {"TableName": self._name, "Key": self._key(key), **condition.options()}}

    def get_many(
        self, keys: Iterable[tuple[str, ...]], *, consistent: bool = False, attributes: tuple[str, ...] = ()
    ) -> Iterator[dict[str, Any]]:
        """Yield the items that exist under these keys, in no particular order. attributes: by default all."""
        options = _projection(attributes)
        for batch in batched(dict.fromkeys(keys), READ_TOGETHER):
            wanted = {"Keys": [self._key(key) for key in batch], "ConsistentRead": consistent, **options}
            requests: Any = {self._name: wanted}
            while requests:
                answer = self.client.batch_get_item(RequestItems=requests)
                yield from map(from_item, answer["Responses"].get(self._name, []))
                requests = answer["UnprocessedKeys"]

    def query(
        self,
        value: str,
        *,
        index: str | None = None,
        since: str | None = None,
        until: str | None = None,
        newest: int | None = None,
        attributes: tuple[str, ...] = (),
    ) -> Iterator[dict[str, Any]]:
        """Yield the items with this partition key in the order of their sort key, from the table or an index of it.

        since: the lowest sort key; or until: the highest. newest: that many items from the end, the last one first.
        attributes: those to read, by default all.
        """
        keys = self._spec.index(index) if index else self._spec
        options = _projection(attributes) | ({"IndexName": index} if index else {"ConsistentRead": True})
        if newest is not None:
            options |= {"ScanIndexForward": False, "Limit": newest, "PaginationConfig": {"MaxItems": newest}}
        condition, names, values = "#key = :key", {"#key": keys.partition_key}, {":key": {"S": value}}
        bound = until if since is None else since
        if bound is not None:
            condition += f" AND #sort {'<=' if since is None else '>='} :bound"
            names["#sort"], values[":bound"] = str(keys.sort_key), {"S": bound}
        options["ExpressionAttributeNames"] = names | options.get("ExpressionAttributeNames", {})
        yield from self._pages("query", KeyConditionExpression=condition, ExpressionAttributeValues=values, **options)

    def latest(self, value: str, until: str) -> dict[str, Any] | None:
        """Return the item with this partition key and the highest sort key that is at most `until`."""
        return next(self.query(value, until=until, newest=1), None)

    def query_since(self, value: str, first: str, *, index: str, newest: int) -> Iterator[dict[str, Any]]:
        """Yield the newest items of an index with this partition key and a sort key of at least `first`."""
        return self.query(value, index=index, since=first, newest=newest)

    def scan(self) -> Iterator[dict[str, Any]]:
        """Yield every item, read consistently. For tables of a few rows, such as `model_info`."""
        return self._pages("scan", ConsistentRead=True)

    def scan_some(self, attributes: tuple[str, ...], *, segment: tuple[int, int]) -> Iterator[dict[str, Any]]:
        """Yield chosen attributes of every item in one part of the table.

        segment: the number of the part, from 0, and how many parts there are.
        """
        options = _projection(attributes) | {"Segment": segment[0], "TotalSegments": segment[1]}
        return self._pages("scan", **options)

    def scan_part(self, number: int, parts: int) -> Iterator[dict[str, Any]]:
        """Yield every item of one part of the table, the items of a partition one after the other. number: from 0."""
        return self._pages("scan", Segment=number, TotalSegments=parts)

    def _pages(self, operation: Literal["query", "scan"], **options: Any) -> Iterator[dict[str, Any]]:
        paginator: Any = self.client.get_paginator(operation)
        for page in paginator.paginate(TableName=self._name, **options):
            yield from map(from_item, page["Items"])

    def _key(self, key: tuple[str, ...]) -> dict[str, Any]:
        names = [self._spec.partition_key, *filter(None, [self._spec.sort_key])]
        return {name: {"S": value} for name, value in zip(names, key, strict=True)}


def write_together(client: "DynamoDBClient", writes: Iterable["Write"]) -> bool:
    """Do all of these writes. Return False, and do none, where a condition fails or another writer interferes."""
    prepared: Any = list(writes)
    try:
        client.transact_write_items(TransactItems=prepared)
    except client.exceptions.TransactionCanceledException as error:
        reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
        if reasons & {"ConditionalCheckFailed", "TransactionConflict"}:
            return False
        raise
    return True


class Condition:
    """A condition expression, with `#placeholders` for attribute names and `:placeholders` for values.

    Condition("#state = :old", state="state").comparing(old="active")
    """

    def __init__(self, expression: str, **names: str) -> None:
        self._expression = expression
        self._names = {f"#{placeholder}": name for placeholder, name in names.items()}
        self._values: dict[str, Any] = {}

    def comparing(self, **values: Any) -> "Condition":
        self._values |= {f":{placeholder}": _serialize(_plain(value)) for placeholder, value in values.items()}
        return self

    def unchanged(self, attribute: str, item: Mapping[str, Any]) -> "Condition":
        """Return the condition that also asks for the attribute to be as in this item, where it may be absent.

        None is DynamoDB's NULL, a value like any other. Where it was taken for absent, no write ever succeeded.
        """
        place = f"also{len(self._names)}"
        if attribute in item:
            same = f"attribute_exists(#{place}) AND #{place} = :{place}"
            joined = Condition(f"{self._expression} AND {same}").comparing(**{place: item[attribute]})
        else:
            joined = Condition(f"{self._expression} AND attribute_not_exists(#{place})")
        joined._names = self._names | {f"#{place}": attribute}
        joined._values = self._values | joined._values
        return joined

    def joined(self, other: "Condition") -> "Condition":
        """Return a condition with this expression, which may use the placeholders of both."""
        joined = Condition(self._expression)
        joined._names = self._names | other._names
        joined._values = self._values | other._values
        return joined

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments of a write, without empty ones, which DynamoDB refuses."""
        options = {
            "ConditionExpression": self._expression,
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": self._values,
        }
        return {name: value for name, value in options.items() if value}


def _projection(attributes: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of a read that ask for these attributes alone; no attributes ask for all of them."""
    if not attributes:
        return {}
    names = {f"#{name}": name for name in attributes}
    return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}


def to_item(item: BaseModel | Mapping[str, Any]) -> dict[str, Any]:
    """Return DynamoDB's typed attributes. None values are left out, and floats become decimals."""
    plain = _plain(item)
    return {name: _serialize(value) for name, value in plain.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _deserialize(value) for name, value in item.items()}


def _plain(value: Any) -> Any:
    """Return what the serializer accepts: models become mappings without nulls, and floats decimals."""
    if isinstance(value, BaseModel):
        return json.loads(value.model_dump_json(exclude_none=True), parse_float=_decimal)
    if isinstance(value, float):
        return _decimal(str(value))
    if isinstance(value, tuple | list):
        return [_plain(element) for element in value]
    if isinstance(value, Mapping):
        return {name: _plain(element) for name, element in value.items()}
    return value


def _decimal(text: str) -> Decimal:
    """Return the number, or zero where it is smaller than 1E-130, which DynamoDB cannot store."""
    number = Decimal(text)
    return number if number.adjusted() > -130 else Decimal(0)


def valid_rows(
    rows: Iterable[Item], model: type[M], *, on_bad: Callable[[Item, ValidationError], None] | None = None
) -> Iterator[M]:
    """Yield the rows that `model` accepts. People may edit rows by hand, and a bad row must not hide the others.

    on_bad: called with each row that was skipped, and with the reason.
    """
    for row in rows:
        try:
            valid = model.model_validate(row)
        except ValidationError as error:
            if on_bad is not None:
                on_bad(row, error)
        else:
            yield valid


def batched(elements: Iterable[Element], size: int) -> Iterator[list[Element]]:
    """Yield lists of at most `size` elements. itertools has this from Python 3.12 on."""
    rest = iter(elements)
    while batch := list(islice(rest, size)):
        yield batch
