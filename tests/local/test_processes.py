import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local import processes
from local.processes import clean_environment, end, is_healthy, is_running, until
from local.state import Process, State, any_free_port

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER


@pytest.fixture
def started():
    children: list[subprocess.Popen[bytes]] = []

    def start(script: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        children.append(child)
        assert child.stdout is not None
        child.stdout.readline()
        return child

    yield start
    for child in children:
        with child:
            child.kill()


def test_a_child_inherits_no_variable_of_the_shell(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "a secret")
    monkeypatch.setenv("HTTP_PROXY", "http://example.invalid")
    environment = clean_environment(State(tmp_path))
    assert not {"HF_TOKEN", "HTTP_PROXY"} & set(environment)
    assert environment["PATH"].startswith(str(Path(sys.executable).parent))


def test_a_process_is_found_by_id_and_start(started):
    assert is_running(processes.process(started(SLEEPER).pid))


def test_a_later_process_of_the_same_id_is_another_one(started):
    actual = processes.process(started(SLEEPER).pid)
    assert not is_running(Process(pid=actual.pid, started=actual.started - 60))


def test_a_zombie_counts_as_ended(started):
    child = started(SLEEPER)
    process = processes.process(child.pid)
    child.kill()
    assert until(lambda: not is_running(process), seconds=5)


def test_ending_sends_term_first(started):
    child = started(SLEEPER)
    end(processes.process(child.pid))
    assert child.wait() == -signal.SIGTERM


def test_ending_kills_a_process_that_ignores_term(started):
    child = started(STUBBORN)
    end(processes.process(child.pid), grace=0.2)
    assert child.wait() == -signal.SIGKILL


def test_ending_an_ended_process_does_nothing(started):
    child = started(SLEEPER)
    process = processes.process(child.pid)
    child.kill()
    child.wait()
    end(process)
    assert not processes.is_running(process)


def test_a_port_without_a_server_is_not_healthy():
    assert not is_healthy(any_free_port())


def test_the_children_of_a_child_are_found(started):
    parent = started("import subprocess, sys; subprocess.run([sys.executable, '-c', " + repr(SLEEPER) + "])")
    (worker,) = processes.descendants(parent.pid)
    end(worker)
    parent.wait()
    assert processes.descendants(parent.pid) == []
