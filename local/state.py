"""Where an embedded AWS lives: its folder, its ports, its processes."""

import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_STATE = ROOT / ".triage"
LOOPBACK = "127.0.0.1"

Model = TypeVar("Model", bound=BaseModel)


class LocalError(Exception):
    """The embedded AWS cannot do what was asked; the message says what to do next.

    LocalError
    ├── FixNotApplicableError   the installed MiniStack is not the one that the fixes were written for
    ├── NotStartedError         a server did not come up
    ├── NotDeployedError        the CDK command failed
    ├── NotAppliedError         a setting that MiniStack's CloudFormation drops could not be set afterwards
    └── WaitedTooLongError      an inference was still waiting for its turn when its caller gave up
    """


class Ports(BaseModel):
    """Chosen once per state folder: deployed functions carry these addresses in their environment."""

    model_config = ConfigDict(frozen=True)

    aws: int = 4566
    hub: int = 8090
    models: int = 8091


class Process(BaseModel):
    """A process that cannot be confused with a later one of the same id."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started: float
    """Seconds since the epoch, as the kernel reports it."""


class Instance(BaseModel):
    """A running embedded AWS, as its supervisor describes it in `instance.json`."""

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

    @property
    def models_endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.models}"

    def write(self) -> None:
        write(State(self.state).instance, self)

    @classmethod
    def read(cls, state: Path) -> Self | None:
        """Return what the last supervisor wrote, whether or not it still runs."""
        return read(State(state).instance, cls)


class State:
    """The paths inside one state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.instance = self.folder / "instance.json"
        self.ports = self.folder / "ports.json"
        self.lock = self.folder / "supervisor.lock"
        self.logs = self.folder / "logs"
        self.aws = self.folder / "aws"
        self.hub = self.folder / "hub"
        self.home = self.folder / "home"
        self.temporary = self.folder / "tmp"
        self.deployment = self.folder / "deployment"

    def create(self) -> Self:
        """Private to its owner: it holds complaints."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.logs, self.aws, self.hub, self.home, self.temporary, self.deployment):
            folder.mkdir(exist_ok=True)
        return self


def write(path: Path, model: BaseModel) -> None:
    """Replace the file in one step, so that no reader sees half of it."""
    staged = path.with_suffix(f".{os.getpid()}")
    staged.write_text(model.model_dump_json(indent=2))
    staged.replace(path)


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
    """Keep each remembered (else default) port that is free, and replace each that is taken."""

    def distinct(wanted: Iterable[int]) -> Iterable[int]:
        taken: set[int] = set()
        for port in wanted:
            while port in taken or not free(port):
                port = other()
            taken.add(port)
            yield port

    wanted = remembered or Ports()
    aws, hub, models = distinct((wanted.aws, wanted.hub, wanted.models))
    return Ports(aws=aws, hub=hub, models=models)
