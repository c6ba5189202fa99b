"""SageMaker's folders on this machine, and the container's own command in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from training.sagemaker.contract import (
    CHANNEL,
    CHECKPOINTS,
    DATA,
    HYPERPARAMETERS,
    MODEL,
    OUTPUT_DATA,
    VARIABLES,
    ContractError,
)


def lay_out(root: Path, *, export: Path, hyperparameters: Mapping[str, str]) -> None:
    """Make what a job finds at its start. What an earlier run left is removed, but for its checkpoints.

    Raises:
        ContractError: there is something in `root`, and no earlier run left it.
    """
    if root.is_dir() and any(root.iterdir()) and not (root / HYPERPARAMETERS).is_file():
        raise ContractError(f"{root} holds what no run has left there, and would be emptied: give a folder of its own")
    with TemporaryDirectory() as aside:
        # The export may lie where the channel is laid out.
        kept = shutil.copy(export, aside)
        for folder in (MODEL, DATA, "output"):
            shutil.rmtree(root / folder, ignore_errors=True)
        for folder in (MODEL, DATA, OUTPUT_DATA, CHECKPOINTS, "input/config"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(kept, root / DATA)
    (root / HYPERPARAMETERS).write_text(json.dumps(dict(hyperparameters)), encoding="utf-8")


def run(root: Path) -> int:
    """Run the container's command on the folders below `root`, with the variables that a toolkit would set."""
    told = {"model_dir": root / MODEL, "channel": root / DATA, "output_data_dir": root / OUTPUT_DATA, "gpus": 0}
    variables = {VARIABLES[field]: str(value) for field, value in told.items()}
    variables["SM_CHANNELS"] = json.dumps([CHANNEL])
    command = [sys.executable, "-m", "training.sagemaker", "train", "--root", str(root)]
    return subprocess.run(command, env={**os.environ, **variables}, check=False).returncode
