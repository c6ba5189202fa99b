"""Save MiniStack's state while it works; by itself it saves only when it is stopped politely.

A forked child holds the memory of one instant and writes it while its parent goes on answering. A journal makes the
files of all services change together: they are staged, the stage is marked complete, then they are moved. Whoever
finds a complete stage finishes the move; whoever finds an incomplete one throws it away.
"""

import asyncio
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

from local.processes import die_with_parent
from local.worker_fixes import require

log = logging.getLogger(__name__)

Services = Mapping[str, Callable[[], Any]]
Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]

_DEADLINE = 60.0
"""Seconds a child may take. One that waits for a lock which a thread held at the fork would wait for ever."""


class Journal:
    """The files of one state folder, changed together or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stage = folder / "checkpoint"
        self._complete = self._stage / "COMPLETE"

    def recover(self) -> None:
        if self._complete.exists():
            self._move()
        shutil.rmtree(self._stage, ignore_errors=True)

    def commit(self, write: Callable[[Path], None]) -> None:
        """Replace the folder's files by those that `write` puts into the path it is given."""
        self.recover()
        self._stage.mkdir(parents=True)
        write(self._stage)
        self._complete.touch()
        self._move()

    def _move(self) -> None:
        for staged in self._stage.glob("*.json"):
            staged.replace(self._folder / staged.name)
        shutil.rmtree(self._stage)


class Checkpoints:
    """Saves on SIGUSR1, at an interval if anything was asked since, and when MiniStack stops."""

    def __init__(self, folder: Path, *, interval: float) -> None:
        self._journal = Journal(folder)
        self._interval = interval
        self._asked = 0
        self._wanted = asyncio.Event()
        self._busy = threading.Lock()

    def install(self) -> None:
        from ministack import app

        require("save_all(_build_persistence_save_dict())" in Path(app.__file__).read_text(), "MiniStack's shutdown")
        self._services: Callable[[], Services] = app._build_persistence_save_dict
        self._answer: Application = app.app
        self._health_paths: tuple[str, ...] = app._HEALTH_PATHS
        app.app = self.application
        app.save_all = self._save_now

    async def application(self, scope: Scope, receive: Any, send: Any) -> None:
        """MiniStack, with the checkpoints as a task of its event loop."""
        if scope["type"] != "lifespan":
            self._asked += scope.get("path") not in self._health_paths
            await self._answer(scope, receive, send)
            return
        task = asyncio.create_task(self._run())
        try:
            await self._answer(scope, receive, send)
        finally:
            task.cancel()

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
                seconds = await asyncio.to_thread(self._finish, self._fork(self._services()))
                # A state that takes long to write is written more rarely: saving is to cost a twentieth at most.
                saved, pause = asked, max(self._interval, 20 * seconds)

    def _save_now(self, services: Services) -> None:
        """MiniStack's own save, at its end: wait for a checkpoint under way, then take the last one."""
        self._busy.acquire(timeout=_DEADLINE)
        self._finish(self._fork(services))

    def _finish(self, child: int) -> float:
        try:
            return _wait_for(child)
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
            # The parent closes a connection to end an answer: a copy held here would keep the caller waiting.
            os.closerange(3, 1 << 20)
            if os.getppid() == parent:
                self._journal.commit(lambda stage: write_services(services, stage))
                code = 0
        except BaseException as error:
            os.write(2, f"checkpoint: {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)


def write_services(services: Services, stage: Path) -> None:
    """Write each service's state as MiniStack's own `save_state` does, but let an error be one."""
    from ministack.core import persistence
    from ministack.services import lambda_svc

    prune = lambda_svc._prune_orphan_code_blobs
    # Code that the last checkpoint refers to must stay until this one is complete; `restored` prunes.
    lambda_svc._prune_orphan_code_blobs = lambda referenced: None
    try:
        for service, get_state in services.items():
            state = get_state()
            if state is None:
                continue
            saved = {"__ministack_format__": persistence._state_format_version(service), "payload": state}
            with (stage / f"{service}.json").open("w") as file:
                json.dump(saved, file, default=persistence._json_default)
    finally:
        lambda_svc._prune_orphan_code_blobs = prune


def _wait_for(child: int) -> float:
    """Log how a child ended, and return its seconds; a failed checkpoint leaves the last one in place."""
    started = time.monotonic()
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        if time.monotonic() - started > _DEADLINE:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
    seconds = time.monotonic() - started
    if os.waitstatus_to_exitcode(status) == 0:
        log.info("checkpoint saved in %.2f s", seconds)
    else:
        log.error("checkpoint failed after %.2f s; the last one is kept", seconds)
    return seconds


def _stacks_in_progress() -> bool:
    """A stack saved in the middle of an operation would be restored half done."""
    # Its import takes all other services with it: not worth it before the first stack.
    cloudformation = sys.modules.get("ministack.services.cloudformation")
    if cloudformation is None:
        return False
    statuses = [str(stack.get("StackStatus")) for stack in cloudformation._stacks.all_values()]
    return any(status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS" for status in statuses)
