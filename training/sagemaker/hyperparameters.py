"""Hyperparameters are texts by name; a recipe is a file by name, and settings that differ from it.

A setting inside another is named with a dot, such as `tasks.product.balance`.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from training.recipe import CONFIGS, Recipe, load_recipe
from training.sagemaker.contract import ContractError

RECIPE = "recipe"

OF_SAGEMAKER = ("sagemaker_", "_tuning_objective_metric")
"""Beginnings of names that SageMaker's own tools add."""


def recipe_of(hyperparameters: Mapping[str, str]) -> Recipe:
    """The recipe that `recipe` names, with the settings that the others give.

    Raises:
        ContractError: there is no such recipe, or a setting is unknown or out of range.
    """
    ours = {name: text for name, text in hyperparameters.items() if not name.startswith(OF_SAGEMAKER)}
    if RECIPE not in ours:
        raise ContractError(f"the hyperparameter {RECIPE!r} is missing: name one of {', '.join(_names())}")
    overrides = {name: decoded(text) for name, text in ours.items() if name != RECIPE}
    return overridden(str(decoded(ours[RECIPE])), overrides)


def overridden(name: str, overrides: Mapping[str, object]) -> Recipe:
    """Raises: ContractError."""
    if name not in _names():
        raise ContractError(f"there is no recipe {name!r}, only {', '.join(_names())}")
    if "name" in overrides:
        raise ContractError("the name of a recipe cannot be overridden: its hash tells overridden ones apart")
    settings = load_recipe(CONFIGS / f"{name}.toml").model_dump()
    for place, value in overrides.items():
        _set(settings, place, value)
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, problem['loc'])) or name}: {problem['msg']}" for problem in error.errors())
        raise ContractError(f"hyperparameters that recipe {name} does not take: {'; '.join(problems)}") from error


def _set(settings: dict[str, Any], place: str, value: object) -> None:
    """Raises: ContractError, where the place lies in something that holds no settings."""
    *outer, last = place.split(".")
    for name in outer:
        inner = settings.get(name)
        if not isinstance(inner, dict):
            raise ContractError(f"there is no setting {place!r}: {name!r} holds none")
        settings = inner
    settings[last] = value


def encoded(name: str, overrides: Mapping[str, object]) -> dict[str, str]:
    """The hyperparameters that `recipe_of` reads back."""
    return {RECIPE: name, **{field: _encoded(value) for field, value in overrides.items()}}


def decoded(text: str) -> Any:
    """SageMaker's SDK writes every value as JSON, people write texts bare."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _encoded(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _names() -> list[str]:
    return sorted(path.stem for path in CONFIGS.glob("*.toml"))
