"""Start and stop the embedded AWS and ask how it is: the functions behind `triage up`, `down` and `status`."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from local import processes
from local.acknowledged import Acknowledged, Write, missing
from local.deploy import deploy as deploy_product
from local.processes import clean_environment, is_healthy, is_running
from local.session import session
from local.state import DEFAULT_STATE, ROOT, Instance, LocalError, State, write_private

START_SECONDS = 60.0
_ATTEMPT_SECONDS = 10.0
SHOWN = 20
"""How many of the lost records are named in the message."""

_TELL_SECONDS = 5.0
"""How often a wait is told."""

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


def wait_until_healthy(folder: Path, *, on_progress: Progress, seconds: float = START_SECONDS) -> Status:
    """Return the status, at the latest when a server has not answered for so long. A busy machine answers late."""
    began = told = time.monotonic()
    while (found := status(folder)).supervised and not found.running and time.monotonic() - began < seconds:
        if time.monotonic() - told > _TELL_SECONDS / 2:
            silent = ", ".join(name for name, well in found.healthy.items() if not well)
            on_progress(f"Waiting for {silent}, which has not answered for {time.monotonic() - began:.0f} s")
            told = time.monotonic()
        time.sleep(0.2)
    return found


def up(folder: Path = DEFAULT_STATE, *, deploy: bool = True, on_progress: Progress = print) -> Instance:
    """Start what does not run, wait until it answers, deploy what changed, and return the instance.

    Raises: NotStartedError, NotDeployedError.
    """
    instance = start(folder, on_progress=on_progress)
    if deploy:
        deploy_product(instance, on_progress=on_progress)
    tell_losses(instance, on_progress=on_progress)
    # A deployment restarts the model server, so its process is another one now.
    return Instance.read(folder) or instance


def tell_losses(instance: Instance, *, on_progress: Progress) -> list[Write]:
    """Say which puts the last end of the embedded AWS has lost although they were acknowledged, and return them."""
    acknowledged = Acknowledged(State(instance.state).acknowledged)
    lost = missing(session(instance), acknowledged.left())
    if lost:
        named = sorted({" ".join(next(iter(value.values())) for value in write.key.values()) for write in lost})
        told = State(instance.state).folder / f"lost-{datetime.now(UTC):%Y%m%dT%H%M%S}.txt"
        write_private(told, "\n".join(named) + "\n")
        shown = ", ".join(named[:SHOWN]) + (f" and {len(named) - SHOWN} more" if len(named) > SHOWN else "")
        on_progress(
            f"The last stop lost {len(named)} records that were acknowledged after the last checkpoint: {shown}. "
            f"All are listed in {told}. Submit them again"
        )
    acknowledged.forget()
    return lost


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


def _stop_supervisor(instance: Instance, on_progress: Progress) -> None:
    """Wait as long as the supervisor waits: it ends a server that makes no progress, and then itself."""
    if (found := processes.find(instance.supervisor)) is None:
        return
    found.terminate()
    began = told = time.monotonic()
    while is_running(instance.supervisor):
        if (now := time.monotonic()) - told > _TELL_SECONDS:
            on_progress(f"The embedded AWS is saving its state, for {now - began:.0f} s so far")
            told = now
        time.sleep(0.1)


def down(folder: Path = DEFAULT_STATE, *, wipe: bool = False, on_progress: Progress = print) -> None:
    """Stop everything and return when every process has ended; `wipe` also deletes all that was stored."""
    instance = Instance.read(folder)
    if instance is not None:
        on_progress("Stopping the embedded AWS")
        _stop_supervisor(instance, on_progress)
        for child in instance.children.values():
            processes.end(child)
        State(folder).instance.unlink(missing_ok=True)
    if wipe and State(folder).lock.exists():
        shutil.rmtree(folder)
        on_progress(f"Removed {folder}")
