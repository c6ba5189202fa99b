"""A command waits for servers that answer late, because the machine is busy, and says so."""

import itertools
import time

import pytest

from cli.aws.deployment import running_instance
from cli.errors import NoDeploymentError
from local import up
from local.state import Instance, Ports, Process
from local.up import Status, wait_until_healthy


@pytest.fixture
def answering(monkeypatch, tmp_path):
    """Return a function that lets the embedded AWS answer from its n-th status on, with a clock of two seconds each."""
    clock = itertools.count(0.0, 2.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    instance = Instance(state=tmp_path, ports=Ports(), supervisor=Process(pid=1, started=1))

    def answer(from_status, *, supervised=True):
        asked = itertools.count(1)
        monkeypatch.setattr(
            up,
            "status",
            lambda folder: Status(
                instance=instance,
                supervised=supervised,
                healthy={"aws": next(asked) >= from_status, "hub": True} if supervised else {},
            ),
        )

    return answer


def test_a_server_that_answers_late_is_waited_for_and_named(answering, tmp_path):
    answering(5)
    told: list[str] = []
    assert wait_until_healthy(tmp_path, on_progress=told.append).running
    assert told and all(line.startswith("Waiting for aws, which has not answered for") for line in told)


def test_a_server_that_answers_at_once_is_not_spoken_of(answering, tmp_path):
    answering(1)
    told: list[str] = []
    assert wait_until_healthy(tmp_path, on_progress=told.append).running
    assert not told


def test_what_does_not_run_is_not_waited_for(answering, tmp_path):
    answering(5, supervised=False)
    told: list[str] = []
    assert not wait_until_healthy(tmp_path, on_progress=told.append).running
    assert not told


def test_a_server_that_never_answers_is_named_and_told_apart_from_one_that_was_not_started(answering, tmp_path, capsys):
    answering(10_000)
    with pytest.raises(NoDeploymentError, match="runs but aws does not answer"):
        running_instance(tmp_path)
    printed = capsys.readouterr()
    assert printed.out == "", "standard output is for machines"
    assert "Waiting for aws" in printed.err
