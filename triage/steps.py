"""The payloads between the states of triage, shadows and explanations.

Only the complaint's id and references to models travel. The narrative stays in `raw_complaints`.
"""

import hashlib
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from triage.bundle import Engine
from triage.contracts import Contract, ModelId, Revision, Sha256, TaskName
from triage.errors import ComplaintMissingError

EVENT_SOURCE: Final = "complaints-triage"
EVENT_TYPE: Final = "ComplaintAllocated"


class ExecutionInput(Contract):
    """What intake and sweeper send to `StartExecution`."""

    complaint_id: str


class ModelReference(Contract):
    """One registered model version, and why it was selected.

    arm, bucket, strategy_version: None where the task has no strategy and its only active model answers.
    shadow: it predicts beside the model that answers, and decides nothing.
    stand_in: who is asked where this one fails: the champion, for a challenger that answers.
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
    stand_in: "ModelReference | None" = None

    @model_validator(mode="after")
    def _asks_one_other_at_most(self) -> Self:
        """Or an execution would go round in circles."""
        if self.stand_in is not None and (self.stand_in.version == self.version or self.stand_in.stand_in is not None):
            raise ValueError("a stand-in is another model, and has none itself")
        return self

    @property
    def version(self) -> str:
        return f"{self.model_id}@{self.revision}"


class Selected(Contract):
    complaint_id: str
    models: tuple[ModelReference, ...]


class Failure(Contract):
    """A model that gave no prediction. error: the name of what stopped it, as Step Functions caught it."""

    model: ModelReference
    error: str


class InferenceRequest(Contract):
    """instead_of: for a stand-in, who failed before it."""

    complaint_id: str
    model: ModelReference
    instead_of: Failure | None = None


class Outcome(Contract):
    """That a model answered (its prediction is in the complaint's story), or the name of the error that stopped it.

    instead_of: where it stood in, who failed before it.
    """

    model: ModelReference
    error: str | None = None
    instead_of: Failure | None = None


class ShadowFailure(Failure):
    complaint_id: str


class AllocationRequest(Contract):
    """started_at: when the execution started, ISO 8601. selection_error: the error's name where selection failed."""

    complaint_id: str
    started_at: str
    outcomes: tuple[Outcome, ...] = ()
    selection_error: str | None = None

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every model that was asked in vain, whoever stood in. That a complaint is gone says nothing about a model."""
        stopped = [Failure(model=o.model, error=o.error) for o in self.outcomes if o.error is not None]
        relieved = [o.instead_of for o in self.outcomes if o.instead_of is not None]
        return tuple(f for f in (*relieved, *stopped) if f.error != ComplaintMissingError.__name__)


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


Stated = Annotated[str, StringConstraints(pattern=r"^[\w][\w.,:;@()/' -]{0,199}$")]
"""By whoever asks for an explanation: who they are, and what for."""

LawfulBasis = Literal[
    "consent", "contract", "legal obligation", "vital interests", "public task", "legitimate interests"
]
"""Article 6(1) of the UK GDPR."""


class ExplanationRequest(Contract):
    """Who asks why a task was decided so, and on which basis. The same request is answered by the same record."""

    complaint_id: str = Field(min_length=1)
    task: TaskName
    requester: Stated
    purpose: Stated
    lawful_basis: LawfulBasis
    seed: int = Field(default=0, ge=0, lt=2**32)

    @property
    def request_id(self) -> str:
        """Also the name of its execution, and so what makes a second start of the same request none."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:40]


class ExplanationTask(Contract):
    """model: the one whose answer was taken when the complaint came in, whatever has answered since."""

    request: ExplanationRequest
    model: ModelReference


class ExplanationStored(Contract):
    """Where the record lies in the complaint's story."""

    complaint_id: str
    entry: str


class DeliveryRequest(Contract):
    complaint_id: str
    task: TaskName
    request_id: str
    requester: Stated


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
