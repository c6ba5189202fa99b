"""Keeps the keys of what people have put since the last checkpoint, so that a kill does not lose it unnoticed.

A put is acknowledged when its key is on disk. Only keys are kept, because an erasure must reach every text. When a
checkpoint is complete, the keys that it covers are deleted. After a kill, `triage up` looks for each key that is left,
and says which of them the restored state does not have.
"""

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import boto3

from local.gate import Application, Receive, Scope, Send, read_body
from local.session import PEOPLE
from local.state import write_private

_TARGET = b"DynamoDB_20120810."
_WRITES = (b"PutItem", b"DeleteItem", b"BatchWriteItem", b"TransactWriteItems")
_BATCH = 100
"""Keys in one BatchGetItem, the most that DynamoDB takes."""

Key = dict[str, dict[str, str]]
"""The key of an item as DynamoDB writes it: `{"complaint_id": {"S": "1"}}`."""


class Write(NamedTuple):
    table: str
    key: Key
    is_put: bool

    @property
    def identity(self) -> tuple[str, str]:
        return self.table, json.dumps(self.key, sort_keys=True)


class Acknowledged:
    """The keys of one state folder, in a file for the time since the last checkpoint began."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._left = folder / "left.jsonl"
        self._file = folder
        self._number = 0
        self._alone = threading.Lock()
        self._syncing = threading.Lock()
        self._kept = self._synced = 0
        """How many times keys were written, and how many of these are on disk."""

    def open(self) -> None:
        """Begin a new file. What an earlier process has left is kept until `triage up` has looked for it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for earlier in sorted(self._folder.glob("[0-9]*.jsonl")):
            with _appending(self._left) as left:
                left.write(earlier.read_text())
            earlier.unlink()
        self.begin()

    def begin(self) -> list[Path]:
        """Begin a new file, and return the earlier ones: a checkpoint that starts now covers them."""
        with self._alone:
            if self._number:
                _sync(self._file)
                self._synced = self._kept
            earlier = sorted(self._folder.glob("[0-9]*.jsonl"))
            self._number += 1
            self._file = self._folder / f"{self._number:09}.jsonl"
            write_private(self._file, "")
            return earlier

    def keep(self, writes: Iterable[Write]) -> None:
        """Write keys to disk. Deletions need not be there before they are acknowledged: they only silence a report."""
        writes = list(writes)
        with self._alone:
            with _appending(self._file) as file:
                file.writelines(json.dumps(write._asdict()) + "\n" for write in writes)
            self._kept += 1
            mine = self._kept
        if any(write.is_put for write in writes):
            self._sync(mine)

    def _sync(self, mine: int) -> None:
        """Return when what was written as number `mine` is on disk. One wait serves all that wait meanwhile."""
        with self._syncing:
            with self._alone:
                kept, file = self._kept, self._file
                if self._synced >= mine:
                    return
            _sync(file)
            with self._alone:
                self._synced = max(self._synced, kept)

    def left(self) -> list[Write]:
        """Return what was put, and not deleted later, after the last checkpoint before MiniStack ended."""
        if not self._left.exists():
            return []
        found: dict[tuple[str, str], Write] = {}
        for line in self._left.read_text().splitlines():
            try:
                write = Write(**json.loads(line))
            except (ValueError, TypeError):
                # A power cut can leave half a line; that put was not acknowledged.
                continue
            found[write.identity] = write
        return [write for write in found.values() if write.is_put]

    def forget(self) -> None:
        self._left.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    # A checkpoint may have covered and removed the file meanwhile.
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        os.fsync(file.fileno())


def _appending(path: Path) -> IO[str]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a")


class Keeper:
    """Stands between the gate and MiniStack, and keeps the keys of what is put and deleted."""

    def __init__(self, application: Application, acknowledged: Acknowledged) -> None:
        self._application = application
        self._acknowledged = acknowledged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_write(scope):
            await self._application(scope, receive, send)
            return
        body, receive = await read_body(receive)
        by_people = _is_by_people(scope)

        async def acknowledge(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                writes = [write for write in _writes(body) if by_people or not write.is_put]
                if writes:
                    await asyncio.to_thread(self._acknowledged.keep, writes)
            await send(message)

        await self._application(scope, receive, acknowledge)


def _is_write(scope: Scope) -> bool:
    target = dict(scope["headers"]).get(b"x-amz-target", b"")
    return target.startswith(_TARGET) and target.removeprefix(_TARGET) in _WRITES


def _is_by_people(scope: Scope) -> bool:
    """Whether the root user, or a command in a role, sent the request, and not a function."""
    from ministack.core import iam_evaluator
    from ministack.core.router import extract_access_key_id
    from ministack.services import sts

    key = extract_access_key_id({"authorization": dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")})
    if iam_evaluator.is_root_access_key(key):
        return True
    return str((sts._sessions.get(key) or {}).get("Arn", "")).endswith(f"/{PEOPLE}")


def _writes(body: bytes) -> Iterator[Write]:
    request = json.loads(body)
    if "Item" in request:
        yield _put(request)
    elif "Key" in request:
        yield Write(_name(request["TableName"]), request["Key"], is_put=False)
    for element in request.get("TransactItems", []):
        if "Put" in element:
            yield _put(element["Put"])
        elif "Delete" in element:
            yield Write(_name(element["Delete"]["TableName"]), element["Delete"]["Key"], is_put=False)
    for table, requests in request.get("RequestItems", {}).items():
        for each in requests:
            if "PutRequest" in each:
                yield _put({"TableName": table, "Item": each["PutRequest"]["Item"]})
            else:
                yield Write(_name(table), each["DeleteRequest"]["Key"], is_put=False)


def _put(put: dict[str, Any]) -> Write:
    from ministack.services import dynamodb

    table = _name(put["TableName"])
    described = dynamodb._tables.get(table) or {}
    names = [name for name in (described.get("pk_name"), described.get("sk_name")) if name]
    return Write(table, {name: put["Item"][name] for name in names}, is_put=True)


def _name(table: str) -> str:
    """Return the name of a table from its name or ARN."""
    return table.rpartition("/")[2]


def missing(aws: boto3.Session, puts: list[Write]) -> list[Write]:
    """Return those of the puts whose items are not in their tables."""
    client = aws.client("dynamodb")
    known = {name for page in client.get_paginator("list_tables").paginate() for name in page["TableNames"]}
    wanted = [put for put in puts if put.table in known]
    found: set[tuple[str, str]] = set()
    for start in range(0, len(wanted), _BATCH):
        asked: dict[str, Any] = {}
        for put in wanted[start : start + _BATCH]:
            asked.setdefault(put.table, {"Keys": [], "ConsistentRead": True})["Keys"].append(put.key)
        while asked:
            answer: Any = client.batch_get_item(RequestItems=asked)
            for table, items in answer["Responses"].items():
                names = next(put.key.keys() for put in wanted if put.table == table)
                found |= {Write(table, {name: item[name] for name in names}, is_put=True).identity for item in items}
            asked = dict(answer.get("UnprocessedKeys", {}))
    return [put for put in puts if put.identity not in found]
