"""A DynamoDB table that stores the items of its `TableSpec`."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from pydantic import BaseModel, ValidationError

from triage.tables import TableSpec

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Element = TypeVar("Element")
M = TypeVar("M", bound=BaseModel)
Item = Mapping[str, Any]
Write = dict[str, Any]
"""One part of a transaction, as `TransactWriteItems` takes it."""

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


class Table:
    """One deployed table. Items go in and come out as plain values or as the spec's models."""

    def __init__(self, client: "DynamoDBClient", spec: TableSpec, name: str) -> None:
        self.client = client
        self._spec = spec
        self._name = name

    def put(self, item: BaseModel | Mapping[str, Any], *, condition: "Condition | None" = None) -> bool:
        """Write the whole item; False where the condition does not hold, and then nothing is written."""
        try:
            self.client.put_item(TableName=self._name, Item=to_item(item), **(condition.options() if condition else {}))
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def put_if_absent(self, item: BaseModel | Mapping[str, Any]) -> bool:
        """False where an item with this key is there already."""
        return self.put(item, condition=Condition("attribute_not_exists(#key)", key=self._spec.partition_key))

    def put_together(self, *items: "tuple[BaseModel, Condition]") -> bool:
        """Write all of these items or, where a condition does not hold or another writer is at work, none: False."""
        return write_together(self.client, [self.to_put(item, condition) for item, condition in items])

    def get(self, *key: str, attributes: tuple[str, ...] = ()) -> dict[str, Any] | None:
        """The item with this partition key (and sort key), or chosen attributes of it, read consistently."""
        options: dict[str, Any] = {}
        if attributes:
            options["ProjectionExpression"] = ", ".join(f"#{name}" for name in attributes)
            options["ExpressionAttributeNames"] = {f"#{name}": name for name in attributes}
        found = self.client.get_item(TableName=self._name, Key=self._key(key), ConsistentRead=True, **options)
        return from_item(found["Item"]) if "Item" in found else None

    def update(
        self, *key: str, assign: Mapping[str, Any], condition: "Condition", remove: tuple[str, ...] = ()
    ) -> bool:
        """Set and remove attributes; False where the condition does not hold, and then nothing is written."""
        try:
            self.client.update_item(**self._updating(key, assign, remove, condition))
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def delete(self, *key: str) -> None:
        """Also where it is gone already."""
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
        """For `write_together`."""
        options = condition.options() if condition else {}
        return {"Put": {"TableName": self._name, "Item": to_item(item), **options}}

    def to_update(self, *key: str, assign: Mapping[str, Any], condition: "Condition") -> "Write":
        """For `write_together`."""
        return {"Update": self._updating(key, assign, (), condition)}

    def to_check(self, *key: str, condition: "Condition") -> "Write":
        """For `write_together`: nothing is written where the condition does not hold."""
        return {"ConditionCheck": {"TableName": self._name, "Key": self._key(key), **condition.options()}}

    def get_many(self, keys: Iterable[tuple[str, ...]], *, consistent: bool = False) -> Iterator[dict[str, Any]]:
        """The items that exist among these keys, in no order."""
        for batch in batched(dict.fromkeys(keys), 100):
            wanted = {"Keys": [self._key(key) for key in batch], "ConsistentRead": consistent}
            requests: Any = {self._name: wanted}
            while requests:
                answer = self.client.batch_get_item(RequestItems=requests)
                yield from map(from_item, answer["Responses"].get(self._name, []))
                requests = answer["UnprocessedKeys"]

    def query(self, value: str, *, index: str | None = None, newest: int | None = None) -> Iterator[dict[str, Any]]:
        """Items with this partition key, in the order of their sort key; with `newest`, that many from the end."""
        key = self._spec.index(index).partition_key if index else self._spec.partition_key
        options: dict[str, Any] = {"IndexName": index} if index else {"ConsistentRead": True}
        if newest is not None:
            options |= {"ScanIndexForward": False, "Limit": newest}
        pages = self.client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="#key = :key",
            ExpressionAttributeNames={"#key": key},
            ExpressionAttributeValues={":key": {"S": value}},
            PaginationConfig={"MaxItems": newest} if newest is not None else {},
            **options,
        )
        for page in pages:
            yield from map(from_item, page["Items"])

    def latest(self, value: str, until: str) -> dict[str, Any] | None:
        """Of the items with this partition key, the one with the largest sort key that is at most `until`."""
        found = self.client.query(
            TableName=self._name,
            KeyConditionExpression="#key = :key AND #sort <= :until",
            ExpressionAttributeNames={"#key": self._spec.partition_key, "#sort": str(self._spec.sort_key)},
            ExpressionAttributeValues={":key": {"S": value}, ":until": {"S": until}},
            ScanIndexForward=False,
            Limit=1,
            ConsistentRead=True,
        )
        return from_item(found["Items"][0]) if found["Items"] else None

    def query_since(self, value: str, first: str, *, index: str, newest: int | None = None) -> Iterator[dict[str, Any]]:
        """Items of an index with this partition key and a sort key of at least `first`, the latest first."""
        keys = self._spec.index(index)
        pages = self.client.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=index,
            KeyConditionExpression="#key = :key AND #sort >= :first",
            ExpressionAttributeNames={"#key": keys.partition_key, "#sort": keys.sort_key},
            ExpressionAttributeValues={":key": {"S": value}, ":first": {"S": first}},
            ScanIndexForward=False,
            PaginationConfig={"MaxItems": newest} if newest is not None else {},
        )
        for page in pages:
            yield from map(from_item, page["Items"])

    def query_until(
        self, value: str, last: str, *, index: str, attributes: tuple[str, ...]
    ) -> Iterator[dict[str, Any]]:
        """Chosen attributes of an index's items with this partition key and a sort key of at most `last`."""
        keys = self._spec.index(index)
        pages = self.client.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=index,
            KeyConditionExpression="#key = :key AND #sort <= :last",
            ProjectionExpression=", ".join(f"#{name}" for name in attributes),
            ExpressionAttributeNames={
                "#key": keys.partition_key,
                "#sort": keys.sort_key,
                **{f"#{name}": name for name in attributes},
            },
            ExpressionAttributeValues={":key": {"S": value}, ":last": {"S": last}},
        )
        for page in pages:
            yield from map(from_item, page["Items"])

    def scan_without(self, attribute: str, *, attributes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        """Chosen attributes of every item that lacks `attribute`. Reads the whole table."""
        pages = self.client.get_paginator("scan").paginate(
            TableName=self._name,
            FilterExpression="attribute_not_exists(#absent)",
            ProjectionExpression=", ".join(f"#{name}" for name in attributes),
            ExpressionAttributeNames={"#absent": attribute, **{f"#{name}": name for name in attributes}},
        )
        for page in pages:
            yield from map(from_item, page["Items"])

    def scan(self) -> Iterator[dict[str, Any]]:
        """Every item, read consistently. For tables of a few rows, such as `model_info`."""
        for page in self.client.get_paginator("scan").paginate(TableName=self._name, ConsistentRead=True):
            yield from map(from_item, page["Items"])

    def _key(self, key: tuple[str, ...]) -> dict[str, Any]:
        names = [self._spec.partition_key, *filter(None, [self._spec.sort_key])]
        return {name: {"S": value} for name, value in zip(names, key, strict=True)}


def write_together(client: "DynamoDBClient", writes: Iterable["Write"]) -> bool:
    """All of these writes or, where a condition does not hold or another writer is at work, none: False."""
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
    """A condition expression over `#placeholders` of attribute names and `:placeholders` of values.

    Condition("#state = :old", state="state").comparing(old="active")
    """

    def __init__(self, expression: str, **names: str) -> None:
        self._expression = expression
        self._names = {f"#{placeholder}": name for placeholder, name in names.items()}
        self._values: dict[str, Any] = {}

    def comparing(self, **values: Any) -> "Condition":
        self._values |= {f":{placeholder}": _serialize(_plain(value)) for placeholder, value in values.items()}
        return self

    def joined(self, other: "Condition") -> "Condition":
        """This expression, with the other's placeholders beside its own."""
        joined = Condition(self._expression)
        joined._names = self._names | other._names
        joined._values = self._values | other._values
        return joined

    def options(self) -> dict[str, Any]:
        """As keyword arguments of a write; DynamoDB refuses empty ones."""
        options = {
            "ConditionExpression": self._expression,
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": self._values,
        }
        return {name: value for name, value in options.items() if value}


def to_item(item: BaseModel | Mapping[str, Any]) -> dict[str, Any]:
    """DynamoDB's typed attributes; None is absent, a float a decimal."""
    plain = _plain(item)
    return {name: _serialize(value) for name, value in plain.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _deserialize(value) for name, value in item.items()}


def _plain(value: Any) -> Any:
    """What the serializer takes: models as JSON objects, floats as decimals, no nulls."""
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
    """DynamoDB knows no number between zero and 1E-130."""
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
    """Lists of at most `size` elements. (itertools has it from Python 3.12.)"""
    rest = iter(elements)
    while batch := list(islice(rest, size)):
        yield batch
