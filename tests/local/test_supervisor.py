import os
import signal
import subprocess
import sys

import pytest

from local import up
from local.processes import is_running, until
from local.state import ROOT, Instance, State
from local.supervisor import ALREADY_RUNNING, Child

pytestmark = pytest.mark.system


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    up.down(tmp_path, on_progress=print)


def silent(message: str) -> None:
    pass


def restarted(folder, name: str, before: Instance) -> bool:
    now = up.status(folder)
    return now.running and now.instance is not None and now.instance.children[name] != before.children[name]


def test_a_supervisor_restarts_servers_that_die_and_they_end_with_it(folder):
    instance = up.start(folder, on_progress=silent)
    for name in ("aws", "models"):
        os.kill(instance.children[name].pid, signal.SIGKILL)
    assert until(lambda: all(restarted(folder, name, instance) for name in ("aws", "models")), seconds=30)
    assert not restarted(folder, "hub", instance)

    second = subprocess.run([sys.executable, "-m", "local.supervisor", "--state", str(folder)], cwd=ROOT, check=False)
    assert second.returncode == ALREADY_RUNNING

    current = Instance.read(folder)
    assert current is not None
    os.kill(current.supervisor.pid, signal.SIGKILL)
    if sys.platform == "linux":
        children = current.children.values()
        assert until(lambda: not any(is_running(child) for child in children), seconds=15)


STOPS = """
import signal, sys, time

def stop(number, frame):
    end = time.monotonic() + {seconds}
    while time.monotonic() < end:
        {how}
    print("saved", flush=True)
    sys.exit()

signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
while True:
    time.sleep(1)
"""


@pytest.mark.parametrize(("how", "saved"), [("pass", True), ("time.sleep(0.1)", False)])
def test_a_server_is_killed_only_when_it_makes_no_progress(tmp_path, monkeypatch, how, saved):
    monkeypatch.setattr("local.supervisor._WINDOW", 0.3)
    home = State(tmp_path).create()
    code = STOPS.format(seconds=4, how=how)
    child = Child("any", [sys.executable, "-c", code], port=0, grace=1)
    child.start(home)
    log = home.logs / "any.log"
    assert until(lambda: "ready" in log.read_text(), seconds=20)
    child.stop()
    assert ("saved" in log.read_text()) is saved


def test_no_variable_of_the_shell_reaches_a_child(folder, monkeypatch):
    psutil = pytest.importorskip("psutil")
    monkeypatch.setenv("HF_TOKEN", "a secret")
    instance = up.start(folder, on_progress=silent)
    for child in instance.children.values():
        assert "HF_TOKEN" not in psutil.Process(child.pid).environ()
