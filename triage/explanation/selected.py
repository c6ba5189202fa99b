"""Which model's decision is explained."""

from triage.errors import NothingToExplainError
from triage.steps import ModelReference
from triage.tables import SelectionEntry


def deciding_model(selection: SelectionEntry, *, task: str) -> ModelReference:
    """The one that was selected to answer when the complaint came in; what people said since is no model's decision.

    Raises: NothingToExplainError.
    """
    for model in selection.models:
        if model.task == task:
            return model
    decided = ", ".join(model.task for model in selection.models) or "nothing"
    raise NothingToExplainError(f"no model was asked for {task}; models decided: {decided}")
