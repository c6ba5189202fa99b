"""Chooses the model whose decision is explained."""

from triage.errors import NothingToExplainError
from triage.steps import ModelReference
from triage.story import AllocationEntry


def deciding_model(allocation: AllocationEntry, *, task: str) -> ModelReference:
    """Return the model whose answer decided the task; it may have stood in for another model.

    Raises: NothingToExplainError if no model decided the task.
    """
    for decision in allocation.decisions:
        if decision.task == task:
            return decision.model
    decided = ", ".join(decision.task for decision in allocation.decisions) or "nothing"
    raise NothingToExplainError(f"no model answered for {task}; ask about a task that a model decided: {decided}")
