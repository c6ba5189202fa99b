"""Folders for files that a function can do without."""

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

_locks: list[int] = []
"""The open folders of this process. The kernel frees their locks when it ends, however it ends."""


def scratch(purpose: str) -> Path:
    """Return a folder of this process for this purpose, in the temporary folder. Its first call removes older ones.

    Where a function was ended, because its time or memory ran out, Lambda starts the next process beside the files that
    the last one left, and they would fill the disk. The folder of a process that still runs is locked and stays: the
    embedded AWS runs several processes of a function beside one temporary folder.
    """
    return _own(Path(tempfile.gettempdir()) / f"complaints-triage-{purpose}")


@cache
def _own(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        # It may be gone, or another process may be using or removing it.
        with suppress(OSError):
            _remove_if_left(left)
    while True:
        own = folder / f"{os.getpid()}-{time.time_ns()}"
        own.mkdir(mode=0o700)
        with suppress(OSError):
            lock = os.open(own, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another process may have removed the folder before it was locked.
            if own.exists():
                _locks.append(lock)
                return own


def _remove_if_left(folder: Path) -> None:
    """Raises: OSError where a running process has the folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(descriptor)
