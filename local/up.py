"""Start and stop the embedded AWS and ask how it is: the functions behind `triage up`, `down` and `status`."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from local import processes
from local.deploy import deploy as deploy_product
from local.processes import clean_environment, is_healthy, is_running
from local.state import DEFAULT_STATE, ROOT, Instance, LocalError, State

START_SECONDS = 60.0
STOP_SECONDS = 60.0
_ATTEMPT_SECONDS = 10.0

Progress = Callable[[str], None]


class NotStartedError(LocalError):
    """A server did not start. The message ends with its log."""


class Status(BaseModel):
    """Which parts of an embedded AWS run. After a crash, `instance` still describes the last one."""

    model_config = ConfigDict(frozen=True)

    instance: Instance | None
    supervised: bool
    healthy: dict[str, bool]

    @property
    def running(self) -> bool:
        return self.supervised and bool(self.healthy) and all(self.healthy.values())


def status(folder: Path = DEFAULT_STATE) -> Status:
    instance = Instance.read(folder)
    if instance is None or not is_running(instance.supervisor):
        return Status(instance=instance, supervised=False, healthy={})
    return Status(instance=instance, supervised=True, healthy=_health(instance))


def _health(instance: Instance) -> dict[str, bool]:
    return {
        "aws": is_healthy(instance.ports.aws),
        "hub": is_healthy(instance.ports.hub),
        "models": is_healthy(instance.ports.models),
    }


def up(folder: Path = DEFAULT_STATE, *, deploy: bool = True, on_progress: Progress = print) -> Instance:
    """Start what does not run, wait until it answers, deploy what changed, and return the instance.

    Raises: NotStartedError, NotDeployedError.
    """
    instance = start(folder, on_progress=on_progress)
    if deploy:
        deploy_product(instance, on_progress=on_progress)
    # A deployment restarts the model server, so its process is another one now.
    return Instance.read(folder) or instance


def start(folder: Path = DEFAULT_STATE, *, on_progress: Progress = print) -> Instance:
    state = State(folder).create()
    deadline = time.monotonic() + START_SECONDS
    next_attempt = 0.0
    while not (found := status(folder)).running:
        now = time.monotonic()
        if now > deadline:
            raise NotStartedError(_complaint(state, found))
        # A supervisor that was just killed may look alive for a moment. A second one finds the lock taken and ends.
        if not found.supervised and now > next_attempt:
            on_progress("Starting the embedded AWS")
            _start_supervisor(state)
            next_attempt = now + _ATTEMPT_SECONDS
        time.sleep(0.1)
    assert found.instance is not None
    on_progress(f"AWS answers at {found.instance.aws_endpoint}, the Hub at {found.instance.hub_endpoint}")
    return found.instance


def _start_supervisor(state: State) -> None:
    with (state.logs / "supervisor.log").open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "local.supervisor", "--state", str(state.folder), "--detach"],
            cwd=ROOT,
            env=clean_environment(state),
            umask=0o077,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )


def _complaint(state: State, found: Status) -> str:
    silent = [name for name, healthy in found.healthy.items() if not healthy] or ["supervisor"]
    logs = [state.logs / f"{name}.log" for name in silent]
    tails = [f"{log}:\n{log.read_text()[-1500:]}" for log in logs if log.exists()]
    return "\n".join([f"{', '.join(silent)} did not answer within {START_SECONDS:g} s.", *tails])


def down(folder: Path = DEFAULT_STATE, *, wipe: bool = False, on_progress: Progress = print) -> None:
    """Stop everything and return when every process has ended; `wipe` also deletes all that was stored."""
    instance = Instance.read(folder)
    if instance is not None:
        on_progress("Stopping the embedded AWS")
        processes.end(instance.supervisor, grace=STOP_SECONDS)
        for child in instance.children.values():
            processes.end(child)
        State(folder).instance.unlink(missing_ok=True)
    if wipe and State(folder).lock.exists():
        shutil.rmtree(folder)
        on_progress(f"Removed {folder}")
