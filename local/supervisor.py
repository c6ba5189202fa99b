"""Runs an embedded AWS: `python -m local.supervisor --state .triage [--detach]`.

It starts MiniStack, the Hub and the model server, restarts one that dies or stops answering, and ends them together.
"""

import argparse
import contextlib
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from local import processes, state
from local.keys import Keys
from local.processes import clean_environment, die_with_parent, is_healthy
from local.state import LOOPBACK, ROOT, Instance, Ports, Process, State, choose_ports

log = logging.getLogger(__name__)

ALREADY_RUNNING = 3
INFERENCE = "runtime.model_inference.handler"
"""The handler of the functions that load models. Its invocations run in the model server."""

_UNHEALTHY_SECONDS = 60.0
_PROBE_SECONDS = 2.0
_LONGEST_STOP = 900.0
_WINDOW, _WORK_SHARE = 3.0, 0.05
"""A server that is ending makes progress if it takes this share of a processor in each window, in seconds."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
_LOG_BYTES = 20_000_000


@dataclass
class Child:
    """A server: how it is started, and when it may be restarted."""

    name: str
    command: list[str]
    port: int
    grace: float = 10
    running: subprocess.Popen[bytes] | None = None
    pause: float = _SHORTEST_PAUSE
    due: float = 0.0
    well: float = 0.0
    probed: float = 0.0

    def start(self, home: State) -> None:
        with _log_file(home.logs / f"{self.name}.log") as output:
            self.running = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=clean_environment(home),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent,
            )
        self.well = time.monotonic()

    def process(self) -> Process | None:
        try:
            return processes.process(self.running.pid) if self.running else None
        except processes.Gone:
            return None

    def stop(self) -> None:
        if self.running is None:
            return
        workers = processes.descendants(self.running.pid)
        self.running.terminate()
        if not self._ends_by_itself():
            log.warning("%s makes no progress for %g s after TERM and is killed", self.name, self.grace)
            self.running.kill()
            self.running.wait()
        self.running = None
        for worker in workers:
            processes.end(worker, grace=1)

    def _ends_by_itself(self) -> bool:
        """Wait until the server has ended. False if it made no progress for `grace`, or takes longer than any save."""
        assert self.running is not None
        began = moved = time.monotonic()
        before = processes.work(self.running.pid)
        while time.monotonic() - moved < self.grace and time.monotonic() - began < _LONGEST_STOP:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.running.wait(_WINDOW)
                return True
            now = processes.work(self.running.pid)
            # Less than before means that a process of its has ended.
            if abs(now - before) > _WINDOW * _WORK_SHARE:
                moved = time.monotonic()
                log.info("%s still works, %.0f s after TERM", self.name, moved - began)
            before = now
        return False


def children_of(home: State, ports: Ports) -> list[Child]:
    """Return the servers in the order in which they stop: MiniStack first, because its functions call the others."""
    python, folder = sys.executable, str(home.folder)
    aws = [python, "-m", "local.ministack", "--port", str(ports.aws), "--state", folder]
    aws += ["--serve", f"{INFERENCE}=http://{LOOPBACK}:{ports.models}/"]
    hub = [python, "-m", "local.hub", "--port", str(ports.hub), "--root", str(home.hub), "--keys", str(home.keys)]
    models = [python, "-m", "local.model_server", "--port", str(ports.models), "--state", folder]
    return [
        # MiniStack saves its state before it ends, which takes about a second for each 20 MB.
        Child("aws", aws, ports.aws, grace=30),
        Child("hub", hub, ports.hub),
        Child("models", models, ports.models),
    ]


class Supervisor:
    def __init__(self, home: State, children: list[Child], ports: Ports) -> None:
        self._home = home
        self._children = children
        self._ports = ports
        self._stopping = False

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            while not self._stopping:
                if self._tend_all():
                    self._describe()
                time.sleep(0.2)
        finally:
            for child in self._children:
                child.stop()
            self._home.instance.unlink(missing_ok=True)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _tend_all(self) -> bool:
        """Tend all servers, and return whether one was started or has ended."""
        return any([self._tend(child) for child in self._children])

    def _tend(self, child: Child) -> bool:
        now = time.monotonic()
        if child.running is None:
            if now < child.due:
                return False
            child.start(self._home)
            return True
        if (code := child.running.poll()) is not None:
            log.warning("%s ended with %s and is restarted in %g s", child.name, code, child.pause)
            child.running, child.due = None, now + child.pause
            child.pause = min(child.pause * 2, _LONGEST_PAUSE)
            return True
        if now - child.probed < _PROBE_SECONDS:
            return False
        child.probed = now
        if is_healthy(child.port):
            child.pause, child.well = _SHORTEST_PAUSE, now
        elif now - child.well > _UNHEALTHY_SECONDS:
            log.warning("%s has not answered for %g s and is ended", child.name, _UNHEALTHY_SECONDS)
            child.stop()
            return True
        return False

    def _describe(self) -> None:
        running = {child.name: child.process() for child in self._children}
        Instance(
            state=self._home.folder,
            ports=self._ports,
            supervisor=processes.process(os.getpid()),
            children={name: process for name, process in running.items() if process},
        ).write()


@contextlib.contextmanager
def only_one(home: State) -> Iterator[None]:
    """Hold the lock of the folder; the kernel frees it even after kill -9. Exits if another supervisor holds it."""
    with home.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(ALREADY_RUNNING) from None
        yield


def end_orphans(home: State) -> None:
    """End the servers that a killed supervisor left running, where the kernel has not ended them."""
    last = Instance.read(home.folder)
    for process in last.children.values() if last else ():
        processes.end(process)


def detach() -> None:
    """Go on in the background, as a child of init with its own session."""
    if os.fork():
        os._exit(0)
    os.setsid()


def _log_file(path: Path) -> BinaryIO:
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--detach", action="store_true")
    arguments = parser.parse_args()
    os.umask(0o077)
    home = State(arguments.state).create()
    Keys.create(home)
    if arguments.detach:
        detach()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with only_one(home):
        end_orphans(home)
        # Functions that were killed have left files there.
        shutil.rmtree(home.temporary)
        home.temporary.mkdir()
        ports = choose_ports(state.read(home.ports, Ports))
        state.write(home.ports, ports)
        Supervisor(home, children_of(home, ports), ports).run()


if __name__ == "__main__":
    main()
