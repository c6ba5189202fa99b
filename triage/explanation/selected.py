"""Which model's decision is explained."""

from triage.errors import NothingToExplainError
from triage.steps import ModelReference
from triage.story import AllocationEntry


def deciding_model(allocation: AllocationEntry, *, task: str) -> ModelReference:
    """The one whose answer was taken, which may have stood in for another; people change no decision of a model.

    Raises: NothingToExplainError.
    """
    for decision in allocation.decisions:
        if decision.task == task:
            return decision.model
    decided = ", ".join(decision.task for decision in allocation.decisions) or "nothing"
    raise NothingToExplainError(f"no model answered for {task}; models decided: {decided}")
