"""What SageMaker tells a training container: folders, hyperparameters, and `SM_*` variables if a toolkit sets them."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from triage.contracts import Contract

ROOT = Path("/opt/ml")
"""SageMaker's, in every container."""

CHANNEL = "training"

MODEL = "model"
DATA = f"input/data/{CHANNEL}"
HYPERPARAMETERS = "input/config/hyperparameters.json"
OUTPUT_DATA = "output/data"
CHECKPOINTS = "checkpoints"
FAILURE = "output/failure"

VARIABLES = {
    "model_dir": "SM_MODEL_DIR",
    "channel": f"SM_CHANNEL_{CHANNEL.upper()}",
    "output_data_dir": "SM_OUTPUT_DATA_DIR",
    "gpus": "SM_NUM_GPUS",
}


class ContractError(Exception):
    """The container was not given what it needs; the message says what. Never quotes a narrative."""


class Container(Contract):
    """The folders of one job.

    model_dir: becomes `model.tar.gz`. output_data_dir: becomes `output.tar.gz`. channel: holds one export.
    checkpoints: kept in S3 while the job runs, and there again when an interrupted job goes on.
    """

    model_dir: Path
    channel: Path
    output_data_dir: Path
    checkpoints: Path
    gpus: int = Field(ge=0)
    hyperparameters: Mapping[str, str]

    def export(self) -> Path:
        """The one file in the channel. Raises: ContractError."""
        if not self.channel.is_dir():
            raise ContractError(f"there is no channel {CHANNEL!r} at {self.channel}")
        files = [path for path in self.channel.rglob("*") if path.is_file() and not path.name.startswith(".")]
        if len(files) != 1:
            raise ContractError(f"the channel {CHANNEL!r} holds {len(files)} files, and has to hold one export")
        return files[0]


def read_container(variables: Mapping[str, str] = os.environ, *, root: Path = ROOT) -> Container:
    """Variables go before the folders below `root`.

    Raises:
        ContractError: a variable is malformed, or there are no hyperparameters.
    """
    told = {field: variables[name] for field, name in VARIABLES.items() if name in variables}
    folders = {
        "model_dir": root / MODEL,
        "channel": root / DATA,
        "output_data_dir": root / OUTPUT_DATA,
        "checkpoints": root / CHECKPOINTS,
        "gpus": 0,
    }
    try:
        return Container.model_validate({**folders, **told, "hyperparameters": _hyperparameters(variables, root)})
    except ValidationError as error:
        wrong = {
            VARIABLES.get(str(problem["loc"][0]), str(problem["loc"][0])): problem["msg"] for problem in error.errors()
        }
        raise ContractError("; ".join(f"{name}: {message}" for name, message in wrong.items())) from error


def _hyperparameters(variables: Mapping[str, str], root: Path) -> dict[str, str]:
    """As texts, which is what the service makes of them; the toolkit's variable holds typed values."""
    path = root / HYPERPARAMETERS
    if "SM_HPS" in variables:
        where, document = "SM_HPS", variables["SM_HPS"]
    elif path.is_file():
        where, document = str(path), path.read_text(encoding="utf-8")
    else:
        raise ContractError(f"there are no hyperparameters: neither SM_HPS nor {path}")
    try:
        values = json.loads(document)
    except json.JSONDecodeError as error:
        raise ContractError(f"{where} is not JSON: {error.msg}") from error
    if not isinstance(values, dict):
        raise ContractError(f"{where} holds no object")
    return {name: _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
