import os
import signal

import pytest

from local import up
from local.deploy import checkpoint
from local.processes import is_running, until
from local.session import session
from local.state import Instance

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
