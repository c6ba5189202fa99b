"""A Hub in a thread that the tests share, and Hubs in processes of their own for tests that end them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Thread
from uuid import uuid4

# The client reads these once, when it is imported.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import httpx2
import pytest
import uvicorn
from huggingface_hub import HfApi, close_session

from local.hub.api import application
from local.hub.store import Store
from local.keys import Keys

STARTING = 15
"""Seconds a Hub may take until it answers; importing it takes most of them on a busy machine."""


def await_health(endpoint: str, running: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STARTING
    while running() and time.monotonic() < deadline:
        try:
            if httpx2.get(f"{endpoint}/health").status_code == httpx2.codes.OK:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    raise TimeoutError(f"{endpoint} does not answer")


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the shared Hub keeps its files."""
    return tmp_path_factory.mktemp("hub") / "root"


@pytest.fixture(scope="session")
def endpoint(root: Path) -> Iterator[str]:
    """The address of the shared Hub."""
    # asyncio spares a socket the delay of small answers (40 ms each) only if it was declared to be TCP.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(application(Store(root)), log_level="warning", ws="none"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            await_health(address, thread.is_alive)
            yield address
        finally:
            close_session()
            server.should_exit = True
            thread.join()


@pytest.fixture
def hub(endpoint: str) -> HfApi:
    return HfApi(endpoint=endpoint, token=False)


@pytest.fixture
def repository(hub: HfApi) -> str:
    """The id of a model repository that no other test writes to."""
    return hub.create_repo(f"acme/model-{uuid4().hex}").repo_id


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def served(root: Path, end: signal.Signals = signal.SIGKILL) -> Iterator[HfApi]:
    """Serve `root` by `python -m local.hub`, which must print nothing, and end it by the signal `end`."""
    port, keys = free_port(), Keys.draw()
    secrets = root.parent / "keys.json"
    secrets.write_text(keys.model_dump_json())
    command = [sys.executable, "-m", "local.hub", "--root", str(root), "--port", str(port), "--keys", str(secrets)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        await_health(f"http://127.0.0.1:{port}", lambda: process.poll() is None)
        yield HfApi(endpoint=f"http://127.0.0.1:{port}", token=keys.hub)
        process.send_signal(end)
        printed, _ = process.communicate(timeout=10)
        assert (printed, process.returncode) == (b"", -end)
    finally:
        close_session()
        process.kill()
        process.communicate()


@pytest.fixture
def serve() -> Callable[[Path, signal.Signals], AbstractContextManager[HfApi]]:
    return served
