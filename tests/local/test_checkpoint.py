import io
import json
import signal
import subprocess
import sys
import zipfile

import psutil
import pytest

from local.checkpoint import Journal, forget_stream_positions, prepare, settle_stacks
from local.keys import Keys
from local.lambda_fixes import FixNotApplicableError
from local.processes import is_healthy, until
from local.session import loopback_session
from local.state import LOOPBACK, ROOT, State, any_free_port


def writing(text):
    """Return a function that writes two files with this text."""

    def into(stage):
        for name in ("one", "two"):
            (stage / f"{name}.json").write_text(text)

    return into


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_all_files_change_together(tmp_path):
    Journal(tmp_path).commit(writing("first"))
    Journal(tmp_path).commit(writing("second"))
    assert contents(tmp_path) == {"one.json": "second", "two.json": "second"}


def test_a_checkpoint_that_fails_changes_nothing(tmp_path):
    Journal(tmp_path).commit(writing("first"))

    def half(stage):
        (stage / "one.json").write_text("second")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        Journal(tmp_path).commit(half)
    Journal(tmp_path).recover()
    assert contents(tmp_path) == {"one.json": "first", "two.json": "first"}


def test_a_checkpoint_that_was_complete_is_finished(tmp_path, monkeypatch):
    Journal(tmp_path).commit(writing("first"))
    monkeypatch.setattr(Journal, "_move", lambda self: None)
    Journal(tmp_path).commit(writing("second"))
    monkeypatch.undo()
    Journal(tmp_path).recover()
    assert contents(tmp_path) == {"one.json": "second", "two.json": "second"}
    assert not (tmp_path / "checkpoint").exists()


class Emulator:
    """A MiniStack with one table."""

    def __init__(self, folder) -> None:
        self._port = any_free_port()
        self._folder = folder
        keys = Keys.create(State(folder).create())
        self._session = loopback_session(f"http://{LOOPBACK}:{self._port}", keys.credentials)
        self._client = self._session.client("dynamodb")

    def start(self) -> None:
        command = [sys.executable, "-m", "local.ministack", "--port", str(self._port), "--checkpoint", "3600"]
        self.server = subprocess.Popen([*command, "--state", str(self._folder)], cwd=ROOT)
        assert until(lambda: is_healthy(self._port), seconds=20)

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

    def start_an_execution_that_sleeps(self) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as files:
            files.writestr("index.py", SLEEPING)
        self._session.client("iam").create_role(RoleName="anyone", AssumeRolePolicyDocument="{}")
        lambda_ = self._session.client("lambda")
        function = lambda_.create_function(
            FunctionName="sleeps",
            Runtime="python3.13",
            Role="arn:aws:iam::000000000000:role/anyone",
            Handler="index.handler",
            Code={"ZipFile": archive.getvalue()},
            Timeout=90,
        )["FunctionArn"]
        task = {"Type": "Task", "Resource": function, "TimeoutSeconds": 90, "End": True}
        states = self._session.client("stepfunctions")
        machine = states.create_state_machine(
            name="sleeps",
            roleArn="arn:aws:iam::000000000000:role/anyone",
            definition=json.dumps({"StartAt": "Task", "States": {"Task": task}}),
        )["stateMachineArn"]
        states.start_execution(stateMachineArn=machine)
        assert until(lambda: bool(psutil.Process(self.server.pid).children()), seconds=10)

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


SLEEPING = "import time\ndef handler(event, context): time.sleep(60)\n"


@pytest.mark.system
def test_a_stop_saves_and_does_not_wait_for_what_runs(emulator):
    emulator.create_table()
    emulator.start_an_execution_that_sleeps()
    emulator.put("kept")
    emulator.stop(signal.SIGTERM)
    assert emulator.server.returncode == 0
    emulator.start()
    assert emulator.keys() == {"kept"}


KEY = "000000000000\0us-east-1\0'key'"


def save(folder, service, payload):
    (folder / f"{service}.json").write_text(json.dumps({"__ministack_format__": 2, "payload": payload}))


def saved_payload(folder, service):
    return json.loads((folder / f"{service}.json").read_text())["payload"]


def any_functions(code: str) -> dict[str, object]:
    return {
        "functions": {"data": {KEY: {"code_zip": {"code_blob_ref": code}}}},
        "dynamodb_stream_positions": {"__scoped__": True, "data": {KEY: 21}},
    }


def test_a_first_start_has_nothing_to_prepare(tmp_path):
    prepare(tmp_path / "not yet there")
    assert not any(tmp_path.iterdir())


def test_readers_start_at_the_beginning_of_the_empty_stream(tmp_path):
    save(tmp_path, "lambda", any_functions("abc"))
    prepare(tmp_path)
    assert saved_payload(tmp_path, "lambda")["dynamodb_stream_positions"] == {"__scoped__": True, "data": {}}


@pytest.mark.parametrize(
    ("saved", "settled"),
    [
        ("CREATE_COMPLETE", "CREATE_COMPLETE"),
        ("CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE"),
        ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("REVIEW_IN_PROGRESS", "REVIEW_IN_PROGRESS"),
    ],
)
def test_a_stack_is_not_left_in_progress(saved, settled):
    formation = {"stacks": {"data": {KEY: {"StackStatus": saved}}}}
    settle_stacks(formation)
    assert formation["stacks"]["data"][KEY]["StackStatus"] == settled


def test_code_that_no_function_refers_to_is_removed(tmp_path):
    (tmp_path / "lambda-blobs").mkdir()
    for name in ("used", "unused"):
        (tmp_path / "lambda-blobs" / f"{name}.zip").touch()
    save(tmp_path, "lambda", any_functions("used"))
    prepare(tmp_path)
    assert [path.stem for path in (tmp_path / "lambda-blobs").iterdir()] == ["used"]


def test_a_file_of_another_shape_is_refused():
    with pytest.raises(FixNotApplicableError):
        forget_stream_positions({})
