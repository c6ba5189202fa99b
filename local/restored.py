"""Make what the last run saved fit to be loaded by the next one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.checkpoint import Journal
from local.worker_fixes import require

Payload = dict[str, Any]

_SETTLED = {
    "CREATE_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
}


def prepare(folder: Path) -> None:
    Journal(folder).recover()
    _rewrite(folder / "lambda.json", forget_stream_positions)
    _rewrite(folder / "cloudformation.json", settle_stacks)
    _prune_code(folder)


def _rewrite(path: Path, change: Callable[[Payload], None]) -> None:
    if not path.exists():
        return
    saved = json.loads(path.read_text())
    change(saved["payload"])
    staged = path.with_suffix(".json.tmp")
    staged.write_text(json.dumps(saved))
    staged.replace(path)


def forget_stream_positions(functions: Payload) -> None:
    """MiniStack restores how far each reader of a stream had come, but not the stream.

    A reader whose position lies behind the empty stream's end would skip as many new records.
    """
    require("data" in functions.get("dynamodb_stream_positions", {}), "MiniStack's lambda.json")
    functions["dynamodb_stream_positions"]["data"] = {}


def settle_stacks(formation: Payload) -> None:
    """Whoever worked on a stack is gone: a stack left in progress could never be deployed again."""
    require("data" in formation.get("stacks", {}), "MiniStack's cloudformation.json")
    for stack in formation["stacks"]["data"].values():
        stack["StackStatus"] = _SETTLED.get(stack["StackStatus"], stack["StackStatus"])


def _prune_code(folder: Path) -> None:
    """Remove function code that no version refers to any more."""
    functions = folder / "lambda.json"
    referenced = functions.read_text() if functions.exists() else ""
    for code in (folder / "lambda-blobs").glob("*.zip"):
        if code.stem not in referenced:
            code.unlink()
