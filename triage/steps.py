"""The payloads that travel between states, and the Lambda-backed steps that consume and produce them.

Only the complaint's id and model references travel; the narrative stays in `raw_complaints`.
"""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel

from triage.bundle import Engine
from triage.contracts import Contract, ModelId, Revision, Sha256, TaskName

EVENT_SOURCE: Final = "complaints-triage"
EVENT_TYPE: Final = "ComplaintAllocated"


class ExecutionInput(Contract):
    """What intake and sweeper send to `StartExecution`."""

    complaint_id: str


class ModelReference(Contract):
    """One registered model version, and why it was selected.

    arm, bucket, strategy_version: None where the task has no strategy and its only active model answers.
    shadow: it predicts beside the model that answers, and decides nothing.
    """

    task: TaskName
    model_id: ModelId
    revision: Revision
    engine: Engine
    manifest_sha256: Sha256
    arm: str | None = None
    bucket: int | None = None
    strategy_version: int | None = None
    shadow: bool = False

    @property
    def version(self) -> str:
        return f"{self.model_id}@{self.revision}"


class Selected(Contract):
    complaint_id: str
    models: tuple[ModelReference, ...]


class InferenceRequest(Contract):
    complaint_id: str
    model: ModelReference


class Outcome(Contract):
    """That a model answered (its prediction is in the complaint's story), or the name of the error that stopped it."""

    model: ModelReference
    error: str | None = None


class ShadowFailure(Contract):
    """error: the name of what stopped the shadow, as Step Functions caught it."""

    complaint_id: str
    model: ModelReference
    error: str


class AllocationRequest(Contract):
    """started_at: when the execution started, ISO 8601. selection_error: the error's name where selection failed."""

    complaint_id: str
    started_at: str
    outcomes: tuple[Outcome, ...] = ()
    selection_error: str | None = None


class Allocated(Contract):
    """The detail of the event `ComplaintAllocated`: everything a consumer may know without reading the story.

    shadows: what predicts beside the answer from here on. Nothing that is decided depends on them.
    """

    complaint_id: str
    product_team: str
    product: str | None
    issue: str | None
    vulnerable: bool | None
    journey: Literal["standard", "specialist"]
    route: Literal["auto", "review", "manual"]
    allocated_at: str
    models: tuple[str, ...]
    version: int
    decided_by: Literal["model", "person"]
    shadows: tuple[ModelReference, ...] = ()


@dataclass(frozen=True)
class Step:
    """One Lambda-backed state: its handler's module in `runtime` and the contract it keeps."""

    name: str
    takes: type[Contract]
    gives: type[Contract]

    @property
    def handler(self) -> str:
        return f"runtime.{self.name}.handler"


SELECT_MODELS = Step("select_models", takes=ExecutionInput, gives=Selected)
MODEL_INFERENCE = Step("model_inference", takes=InferenceRequest, gives=Outcome)
ALLOCATE = Step("allocate", takes=AllocationRequest, gives=Allocated)
SHADOW_INFERENCE = Step("shadow_inference", takes=InferenceRequest, gives=Outcome)
SHADOW_FAILED = Step("shadow_failed", takes=ShadowFailure, gives=Outcome)
STEPS = (SELECT_MODELS, MODEL_INFERENCE, ALLOCATE, SHADOW_INFERENCE, SHADOW_FAILED)


def path(contract: type[BaseModel], *names: str, root: str = "$") -> str:
    """Return the JSONPath of a contract's field, refusing a field it lacks.

    >>> path(InferenceRequest, "model", "engine")
    '$.model.engine'
    """
    model: type[BaseModel] = contract
    for name in names:
        if name not in model.model_fields:
            raise LookupError(f"{model.__name__} has no field {name!r}")
        nested = model.model_fields[name].annotation
        model = nested if isinstance(nested, type) and issubclass(nested, BaseModel) else Contract
    return ".".join([root, *names])
