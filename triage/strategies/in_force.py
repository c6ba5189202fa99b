"""Which strategies are in force. People may edit `model_strategy` by hand, and a bad edit must change nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from triage.errors import StrategyRefusedError
from triage.strategies.registry import CURRENT, TAKING_PART, VALIDATED, ModelInfo, ModelStrategy
from triage.strategies.strategy import check_arms
from triage.validation import problems


@dataclass(frozen=True)
class InForce:
    """strategies: in force, by task. refused: what is wrong with a task's current row, which may still be in force."""

    strategies: dict[str, ModelStrategy] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def strategies_in_force(rows: Iterable[Mapping[str, Any]], active: Iterable[ModelInfo]) -> InForce:
    """Return the current strategy of each task or, if it is a bad edit, the last one that the command validated.

    An edit that names an inactive model is followed only if the task has no validated strategy. A validated strategy
    stays in force when one of its models is retired: the champion stands in.
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
            problem = _inactive_arm(current, versions)
        if problem is not None:
            found.refused[task] = problem
        chosen = current if problem is None else validated or current
        if chosen is not None:
            found.strategies[task] = chosen
    return found


def _read(row: Mapping[str, Any]) -> tuple[ModelStrategy | None, str | None]:
    """Return the row and None, or None and what is wrong with the row."""
    try:
        strategy = ModelStrategy.model_validate(row)
    except ValidationError as error:
        return None, problems(error)
    if strategy.strategy.task != strategy.task:
        return None, f"the strategy is for {strategy.strategy.task}; its row is for {strategy.task}"
    return strategy, None


def _inactive_arm(current: ModelStrategy, active: frozenset[tuple[str, str, str]]) -> str | None:
    try:
        check_arms(current.strategy, active)
    except StrategyRefusedError as error:
        return str(error)
    return None
