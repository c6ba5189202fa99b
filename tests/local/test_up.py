import os
import signal

import pytest

from local import up
from local.deploy import Record, VanishedError, checkpoint, deploy
from local.processes import is_running, until
from local.session import session
from local.state import Instance, State, write

pytestmark = pytest.mark.system


def silent(message: str) -> None:
    pass


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "state"
    yield folder
    up.down(folder, on_progress=silent)


def parameters(instance: Instance) -> set[str]:
    found = session(instance).client("ssm").describe_parameters()["Parameters"]
    return {parameter["Name"] for parameter in found}


def put(instance: Instance, name: str) -> None:
    session(instance).client("ssm").put_parameter(Name=name, Value="value", Type="String")


def everything(instance: Instance) -> list[int]:
    return [instance.supervisor.pid, *(child.pid for child in instance.children.values())]


def test_what_was_stored_survives_a_stop(folder):
    first = up.start(folder, on_progress=silent)
    assert up.start(folder, on_progress=silent) == first
    put(first, "/kept")
    up.down(folder, on_progress=silent)
    assert not any(is_running(process) for process in (first.supervisor, *first.children.values()))
    assert not up.status(folder).running

    second = up.start(folder, on_progress=silent)
    assert second.ports == first.ports
    assert parameters(second) == {"/kept"}

    up.down(folder, wipe=True, on_progress=silent)
    assert not folder.exists()
    assert parameters(up.start(folder, on_progress=silent)) == set()


def test_a_kill_of_everything_leaves_the_last_checkpoint(folder):
    instance = up.start(folder, on_progress=silent)
    put(instance, "/kept")
    checkpoint(instance)
    saved = folder / "aws" / "state" / "ssm.json"
    assert until(lambda: saved.exists() and not (saved.parent / "checkpoint").exists(), seconds=20)
    put(instance, "/lost")
    for pid in everything(instance):
        os.kill(pid, signal.SIGKILL)
    assert parameters(up.start(folder, on_progress=silent)) == {"/kept"}


def complaints(instance: Instance):
    client = session(instance).client("dynamodb")
    if "complaints" not in client.list_tables()["TableNames"]:
        client.create_table(
            TableName="complaints",
            KeySchema=[{"AttributeName": "complaint_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "complaint_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    return client


def put_complaint(instance: Instance, complaint_id: str) -> None:
    complaints(instance).put_item(TableName="complaints", Item={"complaint_id": {"S": complaint_id}})


def test_what_a_kill_loses_is_told_by_its_id_and_told_once(folder):
    instance = up.start(folder, on_progress=silent)
    put_complaint(instance, "kept")
    checkpoint(instance)
    saved = folder / "aws" / "state" / "dynamodb.json"
    assert until(lambda: saved.exists() and not (saved.parent / "checkpoint").exists(), seconds=20)
    put_complaint(instance, "lost")
    put_complaint(instance, "deleted")
    key = {"complaint_id": {"S": "deleted"}}
    session(instance).client("dynamodb").delete_item(TableName="complaints", Key=key)
    for pid in everything(instance):
        os.kill(pid, signal.SIGKILL)

    told: list[str] = []
    up.up(folder, deploy=False, on_progress=told.append)
    (message,) = [line for line in told if "lost" in line]
    assert "lost 1 records" in message
    assert "lost. All are listed in" in message
    (listed,) = folder.glob("lost-*.txt")
    assert listed.read_text() == "lost\n"

    told.clear()
    up.up(folder, deploy=False, on_progress=told.append)
    assert not [line for line in told if "lost" in line]


def test_a_stop_loses_nothing_and_says_so_by_silence(folder):
    put_complaint(up.start(folder, on_progress=silent), "kept")
    up.down(folder, on_progress=silent)
    told: list[str] = []
    up.up(folder, deploy=False, on_progress=told.append)
    assert not [line for line in told if "lost" in line]


def test_an_environment_that_has_vanished_is_told_and_not_replaced(folder):
    instance = up.start(folder, on_progress=silent)
    write(State(folder).deployed, Record(fingerprint="any", stacks=["Complaints-local-Stateful"], at="2026-11-01"))
    with pytest.raises(VanishedError, match="lost Complaints-local-Stateful, deployed at 2026-11-01"):
        deploy(instance, on_progress=silent)
    assert not session(instance).client("s3").list_buckets()["Buckets"]


def test_two_instances_run_beside_each_other(folder, tmp_path):
    first = up.start(folder, on_progress=silent)
    other = tmp_path / "other"
    try:
        second = up.start(other, on_progress=silent)
        put(second, "/other")
        assert parameters(first) == set()
    finally:
        up.down(other, on_progress=silent)


def test_a_down_without_an_up_does_nothing(tmp_path):
    up.down(tmp_path, wipe=True, on_progress=silent)
    assert tmp_path.exists()
