"""Saves MiniStack's state while it runs, and prepares a saved state for the next start.

MiniStack itself saves its state only when it ends by SIGTERM. Here a forked child, which holds a copy of the memory,
writes the state while its parent goes on answering. A journal changes the files of all services together: they are
written into a stage, the stage is marked complete, and the files are moved. After a crash a complete stage is moved,
and an incomplete one is deleted.
"""

import asyncio
import atexit
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from local.acknowledged import Acknowledged
from local.lambda_fixes import require
from local.processes import die_with_parent

log = logging.getLogger(__name__)

Services = Mapping[str, Callable[[], Any]]
Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]
Payload = dict[str, Any]

_DEADLINE = 60.0
"""The seconds in which a child must write something. A child never ends if it waits for a lock that a thread held at
the fork."""

_LAST_ATTEMPTS = 3
"""How often the last checkpoint is tried: its child may get a lock that no other thread will release."""

_LONGEST_PAUSE = 120.0
"""The most seconds between two checkpoints, however long one takes."""

_SETTLED = {
    "CREATE_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
}
"""The status of a stack after a restart, by the status in which it was saved."""


class Journal:
    """Changes the files of one state folder together or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stage = folder / "checkpoint"
        self._complete = self._stage / "COMPLETE"

    def recover(self) -> None:
        if self._complete.exists():
            self._move()
        shutil.rmtree(self._stage, ignore_errors=True)

    def commit(self, write: Callable[[Path], None]) -> None:
        """Replace the files of the folder by those that `write` puts into another folder, its argument."""
        self.recover()
        self._stage.mkdir(parents=True)
        write(self._stage)
        self._complete.touch()
        self._move()

    def written(self) -> int:
        """Return how many bytes are in the stage, by which others see that it grows."""
        return sum(_size(file) for file in self._stage.glob("*"))

    def _move(self) -> None:
        for staged in self._stage.glob("*.json"):
            staged.replace(self._folder / staged.name)
        shutil.rmtree(self._stage)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


class Checkpoints:
    """Saves the state on SIGUSR1, after each interval in which there were requests, and when MiniStack stops."""

    def __init__(self, folder: Path, acknowledged: Acknowledged, *, interval: float) -> None:
        self._journal = Journal(folder)
        self._acknowledged = acknowledged
        self._interval = interval
        self._asked = 0
        self._wanted = asyncio.Event()
        self._busy = threading.Lock()

    def install(self) -> None:
        from ministack import app

        require("save_all(_build_persistence_save_dict())" in Path(app.__file__).read_text(), "MiniStack's shutdown")
        self._services: Callable[[], Services] = app._build_persistence_save_dict
        self._answer: Application = app.app
        app.app = self.application
        app.save_all = self._save_now

    async def application(self, scope: Scope, receive: Any, send: Any) -> None:
        """Run MiniStack's application, with the checkpoints as a task of its event loop."""
        if scope["type"] != "lifespan":
            self._asked += 1
            await self._answer(scope, receive, send)
            return
        task = asyncio.create_task(self._run())
        try:
            await self._answer(scope, receive, send)
        finally:
            task.cancel()
        # Otherwise Python would wait for running executions, whose work nobody saves any more.
        atexit._run_exitfuncs()
        os._exit(0)

    async def _run(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._wanted.set)
        saved, pause = self._asked, self._interval
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), pause)
            while _stacks_in_progress():
                await asyncio.sleep(0.5)
            asked = self._asked
            if self._wanted.is_set() or asked != saved:
                self._wanted.clear()
                self._busy.acquire()
                covered = self._acknowledged.begin()
                seconds = await asyncio.to_thread(self._finish, self._fork(self._services()), covered) or 0.0
                # A state that takes long to write is written more rarely: saving takes a twentieth of the time, or
                # more where the pause would be too long.
                saved, pause = asked, max(self._interval, min(20 * seconds, _LONGEST_PAUSE))

    def _save_now(self, services: Services) -> None:
        """Replace MiniStack's own save at its end: wait for a running checkpoint, then make the last one."""
        for _ in range(_LAST_ATTEMPTS):
            self._busy.acquire(timeout=_DEADLINE)
            covered = self._acknowledged.begin()
            if self._finish(self._fork(services), covered) is not None:
                return

    def _finish(self, child: int, covered: list[Path]) -> float | None:
        """Wait for the child and return its seconds, None if it failed. covered: the keys that it makes needless."""
        try:
            seconds, done = _wait_for(child, self._journal)
            for keys in covered if done else ():
                keys.unlink()
            return seconds if done else None
        finally:
            self._busy.release()

    def _fork(self, services: Services) -> int:
        parent = os.getpid()
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            die_with_parent(signal.SIGKILL)
            # The parent ends an answer by closing the connection. If a copy stayed open here, the caller would wait.
            os.closerange(3, 1 << 20)
            if os.getppid() == parent:
                self._journal.commit(lambda stage: write_services(services, stage))
                code = 0
        except BaseException as error:
            os.write(2, f"checkpoint: {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)


def write_services(services: Services, stage: Path) -> None:
    """Write the state of each service as MiniStack's `save_state` does, but raise errors."""
    from ministack.core import persistence
    from ministack.services import lambda_svc

    prune = lambda_svc._prune_orphan_code_blobs
    # Code that the last checkpoint refers to must stay until this one is complete; `prepare` removes it.
    lambda_svc._prune_orphan_code_blobs = lambda referenced: None
    try:
        for service, get_state in services.items():
            state = get_state()
            if state is None:
                continue
            saved = {"__ministack_format__": persistence._state_format_version(service), "payload": state}
            # Not `json.dump`, which encodes in Python and not in C: it takes several times as long.
            (stage / f"{service}.json").write_text(json.dumps(saved, default=persistence._json_default))
    finally:
        lambda_svc._prune_orphan_code_blobs = prune


def _wait_for(child: int, journal: Journal) -> tuple[float, bool]:
    """Wait for a child, log how it ended, and return its seconds and whether it is done.

    After a failure the last checkpoint stays. A child that makes no progress for the deadline is killed.
    """
    started = moved = time.monotonic()
    size = 0
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        if (written := journal.written()) != size:
            size, moved = written, time.monotonic()
        if time.monotonic() - moved > _DEADLINE:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
    seconds = time.monotonic() - started
    done = os.waitstatus_to_exitcode(status) == 0
    if done:
        log.info("checkpoint saved in %.2f s", seconds)
    else:
        log.error("checkpoint failed after %.2f s; the last one is kept", seconds)
    return seconds, done


def _stacks_in_progress() -> bool:
    """Whether a stack is being changed: saved now, it would be restored half done."""
    # Its import loads all other services, so it is not imported before the first stack.
    cloudformation = sys.modules.get("ministack.services.cloudformation")
    if cloudformation is None:
        return False
    statuses = [str(stack.get("StackStatus")) for stack in cloudformation._stacks.all_values()]
    return any(status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS" for status in statuses)


def prepare(folder: Path) -> None:
    """Change what the last run saved so that the next run can load it."""
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
    """Remove the positions of stream readers, since MiniStack does not restore the streams themselves.

    With its old position a reader would skip the same number of new records.
    """
    require("data" in functions.get("dynamodb_stream_positions", {}), "MiniStack's lambda.json")
    functions["dynamodb_stream_positions"]["data"] = {}


def settle_stacks(formation: Payload) -> None:
    """End the operations that were interrupted; a stack in progress could never be deployed again."""
    require("data" in formation.get("stacks", {}), "MiniStack's cloudformation.json")
    for stack in formation["stacks"]["data"].values():
        stack["StackStatus"] = _SETTLED.get(stack["StackStatus"], stack["StackStatus"])


def _prune_code(folder: Path) -> None:
    """Remove the code of functions to which no version refers."""
    functions = folder / "lambda.json"
    referenced = functions.read_text() if functions.exists() else ""
    for code in (folder / "lambda-blobs").glob("*.zip"):
        if code.stem not in referenced:
            code.unlink()
