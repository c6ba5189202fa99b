"""Serves a Hub in its own process."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest
from huggingface_hub import constants

from local.keys import Keys
from local.state import State


@contextmanager
def served(root: Path) -> Iterator[str]:
    """Yield the address of a Hub that keeps its files in `root`.

    The client is set to upload by LFS, and to show the token of this Hub. The command finds it in its state folder.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        state = State(Path(folder)).create()
        patch.setenv("TRIAGE_STATE", folder)
        patch.setenv("HF_TOKEN", Keys.create(state).hub)
        with _running(root, port, state) as endpoint:
            yield endpoint


@contextmanager
def _running(root: Path, port: int, state: State) -> Iterator[str]:
    command = [sys.executable, "-m", "local.hub", "--root", str(root), "--port", str(port), "--keys", str(state.keys)]
    with subprocess.Popen(command) as hub, pytest.MonkeyPatch.context() as patch:
        # As HF_HUB_DISABLE_XET=1 does, which is read when the client is imported.
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        try:
            _await_health(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            hub.terminate()


def _await_health(endpoint: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"{endpoint}/health").status_code == httpx2.codes.OK:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise TimeoutError(f"{endpoint} does not answer")
