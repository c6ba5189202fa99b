"""Starts and ends processes: with a clean environment, tied to their parent, and found again after a crash."""

import ctypes
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil

from local.state import LOOPBACK, Process, State

Gone = psutil.NoSuchProcess

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_MEASURING = "COVERAGE_PROCESS_CONFIG"
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def clean_environment(state: State) -> dict[str, str]:
    """Return the whole environment of a child. Handlers inherit it, so it takes nothing from the developer's shell.

    The variable by which `make coverage` measures child processes is passed on.
    """
    measured = {_MEASURING: os.environ[_MEASURING]} if _MEASURING in os.environ else {}
    return measured | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(state.home),
        "TMPDIR": str(state.temporary),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_DISABLE_XET": "1",
    }


def die_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """Ask the kernel to signal this process when its parent dies. It works on Linux only."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, number)


def process(pid: int) -> Process:
    return Process(pid=pid, started=psutil.Process(pid).create_time())


def find(wanted: Process) -> psutil.Process | None:
    """Return the process if it still runs, else None. A zombie, or a later process of the same id, does not count."""
    try:
        found = psutil.Process(wanted.pid)
        same = abs(found.create_time() - wanted.started) < 1
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def is_running(wanted: Process) -> bool:
    return find(wanted) is not None


def descendants(parent: int) -> list[Process]:
    try:
        found = psutil.Process(parent).children(recursive=True)
        return [Process(pid=child.pid, started=child.create_time()) for child in found]
    except Gone:
        return []


def work(pid: int) -> float:
    """Return the seconds of processor time that a process and its children have taken; 0 if it has ended."""
    try:
        found = psutil.Process(pid)
        times = [each.cpu_times() for each in (found, *found.children(recursive=True))]
    except Gone:
        return 0.0
    return float(sum(each.user + each.system for each in times))


def end(wanted: Process, *, grace: float = 10) -> None:
    """Send TERM, and KILL after `grace` seconds; return when the process has ended, or raise TimeoutError."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
        found = find(wanted)
        if found is None:
            return
        try:
            found.send_signal(number)
        except psutil.NoSuchProcess:
            return
        if until(lambda: not is_running(wanted), seconds=patience):
            return
    raise TimeoutError(f"process {wanted.pid} does not end, not even by KILL; end it by hand and try again")


def until(condition: Callable[[], bool], *, seconds: float, every: float = 0.05) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def is_healthy(port: int) -> bool:
    try:
        with _NO_PROXY.open(f"http://{LOOPBACK}:{port}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False
