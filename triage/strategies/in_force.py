"""Which strategies are in force: `model_strategy` may be edited by hand, and a bad edit changes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from triage.errors import StrategyRefusedError
from triage.strategies.registry import CURRENT, TAKING_PART, VALIDATED, ModelInfo, ModelStrategy
from triage.strategies.strategy import check_arms


@dataclass(frozen=True)
class InForce:
    """By task. refused: why its current row is not followed, or not without doubt."""

    strategies: dict[str, ModelStrategy] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def strategies_in_force(rows: Iterable[Mapping[str, Any]], active: Iterable[ModelInfo]) -> InForce:
    """The current strategy of each task; where it is a bad edit, the last one that the command has validated.

    A current strategy that was never validated, and that names a model that is not active, is followed only where
    there is no other. What was validated stays in force when one of its models is retired: the champion stands in.
    """
    versions = frozenset((model.task, model.model_id, model.revision) for model in active if model.state in TAKING_PART)
    by_task: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in rows:
        by_task[row["task"]][row["entry"]] = row
    found = InForce()
    for task, entries in by_task.items():
        if CURRENT not in entries:
            continue
        current, problem = _read(entries[CURRENT])
        validated, _ = _read(entries[VALIDATED]) if VALIDATED in entries else (None, None)
        if current is not None and (validated is None or current.strategy != validated.strategy):
            problem = _problem(current, versions)
        if problem is not None:
            found.refused[task] = problem
        chosen = current if problem is None else validated or current
        if chosen is not None:
            found.strategies[task] = chosen
    return found


def _read(row: Mapping[str, Any]) -> tuple[ModelStrategy | None, str | None]:
    try:
        strategy = ModelStrategy.model_validate(row)
    except ValidationError as error:
        problem = error.errors()[0]
        return None, f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
    if strategy.strategy.task != strategy.task:
        return None, f"the strategy is for {strategy.strategy.task}"
    return strategy, None


def _problem(current: ModelStrategy, active: frozenset[tuple[str, str, str]]) -> str | None:
    try:
        check_arms(current.strategy, active)
    except StrategyRefusedError as error:
        return str(error)
    return None
