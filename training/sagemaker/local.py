"""Emulates a job on this machine: makes SageMaker's folders and runs the container's command in its own process."""

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
    """Make the folders that a job finds at its start. Results of an earlier run are removed, except its checkpoints.

    Raises:
        ContractError: `root` holds files that are not from an earlier run.
    """
    if root.is_dir() and any(root.iterdir()) and not (root / HYPERPARAMETERS).is_file():
        raise ContractError(
            f"{root} would be emptied, but holds files that are not from an earlier run: choose another folder"
        )
    with TemporaryDirectory() as aside:
        # The export may be in the folder that is removed below.
        kept = shutil.copy(export, aside)
        for folder in (MODEL, DATA, "output"):
            shutil.rmtree(root / folder, ignore_errors=True)
        for folder in (MODEL, DATA, OUTPUT_DATA, CHECKPOINTS, "input/config"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(kept, root / DATA)
    (root / HYPERPARAMETERS).write_text(json.dumps(dict(hyperparameters)), encoding="utf-8")


def run(root: Path) -> int:
    """Run the container's command on the folders below `root`, with the toolkit's variables; return its exit code."""
    folders = {"model_dir": root / MODEL, "channel": root / DATA, "output_data_dir": root / OUTPUT_DATA, "gpus": 0}
    variables = {VARIABLES[field]: str(value) for field, value in folders.items()}
    variables["SM_CHANNELS"] = json.dumps([CHANNEL])
    command = [sys.executable, "-m", "training.sagemaker", "train", "--root", str(root)]
    return subprocess.run(command, env={**os.environ, **variables}, check=False).returncode
