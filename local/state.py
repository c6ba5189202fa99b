"""The folder, the ports and the processes of an embedded AWS."""

import contextlib
import os
import secrets
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_STATE = ROOT / ".triage"
LOOPBACK = "127.0.0.1"

Model = TypeVar("Model", bound=BaseModel)


class LocalError(Exception):
    """The base of all errors of the embedded AWS. The message says what to do next.

    LocalError
    ├── FixNotApplicableError   the installed MiniStack is not the one that the fixes were written for
    ├── NoKeysError             nothing was ever started in this state folder
    ├── NotStartedError         a server did not come up
    ├── NotDeployedError        the deployment failed
    ├── VanishedError           what was deployed in this state folder is gone
    ├── NotAppliedError         a property that MiniStack's CloudFormation drops could not be set afterwards
    └── WaitedTooLongError      no slot for an inference was free before its deadline
    """


class Ports(BaseModel):
    """Chosen once for a state folder, because the environment of deployed functions holds these addresses."""

    model_config = ConfigDict(frozen=True)

    aws: int = 4566
    hub: int = 8090
    models: int = 8091


class Process(BaseModel):
    """A process, identified by its id and start time, because ids are reused."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started: float
    """Seconds since the epoch, as the kernel reports it."""


class Instance(BaseModel):
    """A running embedded AWS, as its supervisor writes it into `instance.json`."""

    model_config = ConfigDict(frozen=True)

    state: Path
    ports: Ports
    supervisor: Process
    children: dict[str, Process] = {}

    @property
    def aws_endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.aws}"

    @property
    def hub_endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.hub}"

    def write(self) -> None:
        write(State(self.state).instance, self)

    @classmethod
    def read(cls, state: Path) -> Self | None:
        """Return what the last supervisor wrote, even if it no longer runs; None if there is nothing."""
        return read(State(state).instance, cls)


class State:
    """The paths inside a state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.instance = self.folder / "instance.json"
        self.ports = self.folder / "ports.json"
        self.keys = self.folder / "keys.json"
        self.lock = self.folder / "supervisor.lock"
        self.logs = self.folder / "logs"
        self.aws = self.folder / "aws"
        self.acknowledged = self.aws / "acknowledged"
        self.deployed = self.folder / "deployed.json"
        self.hub = self.folder / "hub"
        self.home = self.folder / "home"
        self.temporary = self.folder / "tmp"
        self.deployment = self.folder / "deployment"

    def create(self) -> Self:
        """Create the folders. Only their owner may read them and what is in them, because they hold complaints."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.logs, self.aws, self.hub, self.home, self.temporary, self.deployment):
            folder.mkdir(mode=0o700, exist_ok=True)
        close_to_others(self.folder)
        return self


def close_to_others(folder: Path) -> None:
    """Take all rights of other users from a folder and everything below it. Links are left as they are."""
    paths = [folder, *(Path(parent) / name for parent, *named in os.walk(folder) for name in (*named[0], *named[1]))]
    for path in paths:
        # A running server removes files meanwhile.
        with contextlib.suppress(FileNotFoundError):
            found = path.lstat().st_mode
            if found & 0o077 and not stat.S_ISLNK(found):
                path.chmod(stat.S_IMODE(found) & ~0o077)


def write(path: Path, model: BaseModel) -> None:
    """Replace the file in one step, so that no reader sees a part of it."""
    staged = path.with_suffix(f".{secrets.token_hex(8)}")
    write_private(staged, model.model_dump_json(indent=2))
    staged.replace(path)


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner can read. Raises: FileExistsError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def read(path: Path, model: type[Model]) -> Model | None:
    try:
        return model.model_validate_json(path.read_text())
    except FileNotFoundError:
        return None


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def choose_ports(
    remembered: Ports | None, *, free: Callable[[int], bool] = is_free, other: Callable[[], int] = any_free_port
) -> Ports:
    """Return the remembered ports, or the default ones; a port that is in use is replaced by a free one."""
    wanted, chosen = remembered or Ports(), list[int]()
    for port in (wanted.aws, wanted.hub, wanted.models):
        while port in chosen or not free(port):
            port = other()
        chosen.append(port)
    return Ports(aws=chosen[0], hub=chosen[1], models=chosen[2])
