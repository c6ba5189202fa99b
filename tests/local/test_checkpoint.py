import signal
import subprocess
import sys

import pytest

from local.checkpoint import Journal
from local.processes import is_healthy, until
from local.session import loopback_session
from local.state import LOOPBACK, ROOT, any_free_port


def write(text):
    def into(stage):
        for name in ("one", "two"):
            (stage / f"{name}.json").write_text(text)

    return into


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_all_files_change_together(tmp_path):
    Journal(tmp_path).commit(write("first"))
    Journal(tmp_path).commit(write("second"))
    assert contents(tmp_path) == {"one.json": "second", "two.json": "second"}


def test_a_checkpoint_that_fails_changes_nothing(tmp_path):
    Journal(tmp_path).commit(write("first"))

    def half(stage):
        (stage / "one.json").write_text("second")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        Journal(tmp_path).commit(half)
    Journal(tmp_path).recover()
    assert contents(tmp_path) == {"one.json": "first", "two.json": "first"}


def test_a_checkpoint_that_was_complete_is_finished(tmp_path, monkeypatch):
    Journal(tmp_path).commit(write("first"))
    monkeypatch.setattr(Journal, "_move", lambda self: None)
    Journal(tmp_path).commit(write("second"))
    monkeypatch.undo()
    Journal(tmp_path).recover()
    assert contents(tmp_path) == {"one.json": "second", "two.json": "second"}
    assert not (tmp_path / "checkpoint").exists()


class Emulator:
    """A MiniStack with one table."""

    def __init__(self, folder) -> None:
        self._port = any_free_port()
        self._folder = folder
        self._client = loopback_session(f"http://{LOOPBACK}:{self._port}").client("dynamodb")

    def start(self) -> None:
        command = [sys.executable, "-m", "local.ministack", "--port", str(self._port), "--checkpoint", "3600"]
        self.server = subprocess.Popen([*command, "--state", str(self._folder)], cwd=ROOT)
        assert until(lambda: is_healthy(self._port, "/_ministack/health"), seconds=20)

    def create_table(self) -> None:
        self._client.create_table(
            TableName="table",
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def put(self, key: str) -> None:
        self._client.put_item(TableName="table", Item={"key": {"S": key}})

    def keys(self) -> set[str]:
        return {item["key"]["S"] for item in self._client.scan(TableName="table")["Items"]}

    def checkpoint(self) -> None:
        saved = self._folder / "aws" / "state" / "dynamodb.json"
        before = saved.stat().st_mtime_ns if saved.exists() else 0
        self.server.send_signal(signal.SIGUSR1)
        assert until(lambda: saved.exists() and saved.stat().st_mtime_ns > before, seconds=20)
        assert until(lambda: not (saved.parent / "checkpoint").exists(), seconds=20)

    def stop(self, number: signal.Signals) -> None:
        self.server.send_signal(number)
        self.server.wait(20)


@pytest.fixture
def emulator(tmp_path):
    emulator = Emulator(tmp_path)
    emulator.start()
    yield emulator
    emulator.stop(signal.SIGKILL)


@pytest.mark.system
def test_a_kill_loses_only_what_came_after_the_last_checkpoint(emulator):
    emulator.create_table()
    emulator.put("before")
    emulator.checkpoint()
    emulator.put("after")
    emulator.stop(signal.SIGKILL)
    emulator.start()
    assert emulator.keys() == {"before"}

    emulator.put("later")
    emulator.stop(signal.SIGTERM)
    emulator.start()
    assert emulator.keys() == {"before", "later"}
