"""The interface of SageMaker and a training container: folders, hyperparameters, `SM_*` variables and metrics.

Hyperparameters are strings. `recipe` names a recipe, and every other one replaces a setting of it; a setting inside
another is named with a dot, such as `tasks.product.balance`.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from training.recipe import CONFIGS, Recipe, load_recipe
from triage.contracts import Contract
from triage.validation import problems, problems_by_place

ROOT = Path("/opt/ml")
"""SageMaker's folder in every container."""

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

RECIPE = "recipe"

OF_SAGEMAKER = ("sagemaker_", "_tuning_objective_metric")
"""Prefixes of hyperparameters that SageMaker's own tools add."""

REPORTED = ("accuracy", "macro_f1", "train_examples", "validation_examples")
"""Metrics of the manifest that are reported to SageMaker."""


class ContractError(Exception):
    """SageMaker's input to the container is missing or wrong. The message never quotes a narrative."""


class Container(Contract):
    """The folders of one job.

    model_dir: SageMaker stores it as `model.tar.gz`. output_data_dir: it is stored as `output.tar.gz`.
    channel: holds one export. checkpoints: SageMaker copies it to S3 during the job, and back when an interrupted job
        continues.
    """

    model_dir: Path
    channel: Path
    output_data_dir: Path
    checkpoints: Path
    gpus: int = Field(ge=0)
    hyperparameters: Mapping[str, str]

    def export(self) -> Path:
        """Return the one file of the channel. Raises: ContractError."""
        if not self.channel.is_dir():
            raise ContractError(f"there is no channel {CHANNEL!r} at {self.channel}: name it so in the job's request")
        files = [path for path in self.channel.rglob("*") if path.is_file() and not path.name.startswith(".")]
        if len(files) != 1:
            raise ContractError(
                f"the channel {CHANNEL!r} holds {len(files)} files instead of one: store a single export there"
            )
        return files[0]


def read_container(variables: Mapping[str, str] = os.environ, *, root: Path = ROOT) -> Container:
    """Read the settings of a job. A variable takes precedence over the folder below `root`.

    Raises:
        ContractError: a variable is malformed, or there are no hyperparameters.
    """
    folders = {
        "model_dir": root / MODEL,
        "channel": root / DATA,
        "output_data_dir": root / OUTPUT_DATA,
        "checkpoints": root / CHECKPOINTS,
        "gpus": 0,
    }
    stated = {field: variables[name] for field, name in VARIABLES.items() if name in variables}
    try:
        return Container.model_validate({**folders, **stated, "hyperparameters": _hyperparameters(variables, root)})
    except ValidationError as error:
        wrong = (f"{VARIABLES.get(place, place)}: {rule}" for place, rule in problems_by_place(error))
        raise ContractError(f"{'; '.join(wrong)}: correct the variables of the container") from error


def _hyperparameters(variables: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return hyperparameters as strings, as SageMaker stores them. Those in the toolkit's variable have JSON types."""
    path = root / HYPERPARAMETERS
    if "SM_HPS" in variables:
        where, document = "SM_HPS", variables["SM_HPS"]
    elif path.is_file():
        where, document = str(path), path.read_text(encoding="utf-8")
    else:
        raise ContractError(f"there are no hyperparameters: set SM_HPS or write {path}")
    try:
        values = json.loads(document)
    except json.JSONDecodeError as error:
        raise ContractError(f'{where} is not JSON: write an object such as {{"recipe": "complaints"}}') from error
    if not isinstance(values, dict):
        raise ContractError(f'{where} is not an object: write one such as {{"recipe": "complaints"}}')
    return {name: _encoded(value) for name, value in values.items()}


def recipe_of(hyperparameters: Mapping[str, str]) -> Recipe:
    """Return the recipe that the hyperparameters describe.

    Raises:
        ContractError: there is no such recipe, or a setting is unknown or out of range.
    """
    ours = {name: text for name, text in hyperparameters.items() if not name.startswith(OF_SAGEMAKER)}
    if RECIPE not in ours:
        raise ContractError(f"the hyperparameter {RECIPE!r} is missing: set it to one of {', '.join(_names())}")
    overrides = {name: _decoded(text) for name, text in ours.items() if name != RECIPE}
    return overridden(str(_decoded(ours[RECIPE])), overrides)


def overridden(name: str, overrides: Mapping[str, object]) -> Recipe:
    """Return the recipe `name` with some of its settings replaced. Raises: ContractError."""
    if name not in _names():
        raise ContractError(f"there is no recipe {name!r}: choose one of {', '.join(_names())}")
    if "name" in overrides:
        raise ContractError("the name of a recipe cannot be replaced: its hash already tells changed settings apart")
    settings = load_recipe(CONFIGS / f"{name}.toml").model_dump()
    for place, value in overrides.items():
        _set(settings, place, value)
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        raise ContractError(f"recipe {name} does not accept these settings: {problems(error, name)}") from error


def _set(settings: dict[str, Any], place: str, value: object) -> None:
    *outer, last = place.split(".")
    for name in outer:
        inner = settings.get(name)
        if not isinstance(inner, dict):
            raise ContractError(f"there is no setting {place!r}: {name!r} has no settings inside; correct the name")
        settings = inner
    settings[last] = value


def encoded(name: str, overrides: Mapping[str, object]) -> dict[str, str]:
    """Return the hyperparameters from which `recipe_of` makes the same recipe."""
    return {RECIPE: name, **{field: _encoded(value) for field, value in overrides.items()}}


def _encoded(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _decoded(text: str) -> Any:
    """Read a value as JSON, as SageMaker's SDK writes it; if it is not JSON, as text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _names() -> list[str]:
    return sorted(path.stem for path in CONFIGS.glob("*.toml"))


def metric_lines(task: str, metrics: Mapping[str, float]) -> Iterator[str]:
    """Yield the lines of the log in which SageMaker finds the metrics of a task.

    >>> list(metric_lines("product", {"accuracy": 0.8125, "coverage": 0.5}))
    ['[metric] product:accuracy=0.8125']
    """
    yield from (f"[metric] {task}:{name}={metrics[name]:.6g}" for name in REPORTED if name in metrics)


def metric_definitions(tasks: Iterable[str]) -> list[dict[str, str]]:
    """Return the patterns by which SageMaker finds those lines; it allows at most 40, which is ten tasks."""
    names = [f"{task}:{name}" for task in tasks for name in REPORTED]
    return [{"Name": name, "Regex": rf"\[metric\] {re.escape(name)}=([0-9.eE+-]+)"} for name in names]
