"""The payloads between the states of triage, shadows and explanations.

Only the complaint's id and references to models travel. The narrative stays in `raw_complaints`.
"""

import hashlib
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, Field, model_validator

from triage.bundle import Engine
from triage.clock import Clock
from triage.contracts import Contract, ModelId, Revision, Sha256, TaskName
from triage.errors import ComplaintMissingError
from triage.validation import Matching

EVENT_TYPE: Final = "ComplaintAllocated"
URGENT_EVENT: Final = "ComplaintUrgent"
"""Sent before `ComplaintAllocated` and with the same detail, where somebody has to act at once."""


class ExecutionInput(Contract):
    """The input of an execution, sent by intake and sweeper."""

    complaint_id: str


class ModelReference(Contract):
    """One registered model version, and why it was selected.

    arm, bucket, strategy_version: None where the task has no strategy and only one active model.
    shadow: whether it predicts beside the model that answers, and decides nothing.
    stand_in: the champion, where this model is a challenger. It is asked if this model fails.
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
    def _has_one_stand_in_at_most(self) -> Self:
        """Refuse stand-ins of stand-ins, because an execution could ask the same models again and again."""
        if self.stand_in is not None and (self.stand_in.version == self.version or self.stand_in.stand_in is not None):
            raise ValueError("the stand-in must be another model, and must have no stand-in itself")
        return self

    @property
    def version(self) -> str:
        return f"{self.model_id}@{self.revision}"


class Trial(Contract):
    """A model that is to be registered, whose bundle is in the bucket."""

    model: ModelReference


class Tried(Trial):
    """The model reads letters, and answers as its labels say. A model that does not makes the step raise."""


class Selected(Contract):
    complaint_id: str
    models: tuple[ModelReference, ...]


class Failure(Contract):
    """A model that gave no prediction. error: the name of the error that Step Functions caught."""

    model: ModelReference
    error: str


class InferenceRequest(Contract):
    """instead_of: the failure of the model that this one stands in for."""

    complaint_id: str
    model: ModelReference
    instead_of: Failure | None = None


class Outcome(Contract):
    """Whether one model answered. Its prediction is in the complaint's story.

    error: the name of the error that stopped it; None where it answered.
    instead_of: the failure of the model that this one stood in for.
    """

    model: ModelReference
    error: str | None = None
    instead_of: Failure | None = None


class ShadowFailure(Failure):
    complaint_id: str


class AllocationRequest(Contract):
    """started_at: of the execution, ISO 8601. selection_error: the name of the error where the selection failed."""

    complaint_id: str
    started_at: str
    outcomes: tuple[Outcome, ...] = ()
    selection_error: str | None = None

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every model that failed, even if a stand-in answered. Failures because the complaint is gone do not count."""
        stopped = [Failure(model=o.model, error=o.error) for o in self.outcomes if o.error is not None]
        relieved = [o.instead_of for o in self.outcomes if o.instead_of is not None]
        return tuple(f for f in (*relieved, *stopped) if f.error != ComplaintMissingError.__name__)


class Allocated(Contract):
    """The detail of the event `ComplaintAllocated`: what consumers learn without reading the story.

    urgent: whether the customer speaks of suicide or self-harm; the event `ComplaintUrgent` then came first.
    issues: the most probable issues, the best first, where the team is to name the issue; else none.
    clock: until when the bank has to answer. Allocations of before there were clocks have none.
    shadows: the models that predict from here on. No decision depends on them.
    """

    complaint_id: str
    product_team: str
    product: str | None
    issue: str | None
    vulnerable: bool | None
    journey: Literal["standard", "specialist"]
    route: Literal["auto", "review", "manual"]
    urgent: bool = False
    issues: tuple[str, ...] = ()
    clock: Clock | None = None
    allocated_at: str
    models: tuple[str, ...]
    version: int
    decided_by: Literal["model", "person"]
    shadows: tuple[ModelReference, ...] = ()


ShortText = Annotated[
    str,
    Matching(
        r"^[\w][\w.,:;@()/'+=\\ -]{0,199}$",
        "1 to 200 letters, digits, spaces or . , : ; @ ( ) / ' + = \\ - _, and must begin with a letter or digit",
    ),
]
"""What a person states about themselves and their purpose, on one line."""

LawfulBasis = Literal[
    "consent", "contract", "legal obligation", "vital interests", "public task", "legitimate interests"
]
"""Article 6(1) of the UK GDPR."""


class ExplanationRequest(Contract):
    """A person's request to explain the decision of a task. Equal requests share one record."""

    complaint_id: str = Field(min_length=1)
    task: TaskName
    requester: ShortText
    purpose: ShortText
    lawful_basis: LawfulBasis
    seed: int = Field(default=0, ge=0, lt=2**32)

    @property
    def request_id(self) -> str:
        """The name of its execution. Step Functions therefore starts equal requests once."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:40]


class ExplanationTask(Contract):
    """model: the one whose answer decided when the complaint was allocated."""

    request: ExplanationRequest
    model: ModelReference


class ExplanationStored(Contract):
    """entry: the key of the explanation in the complaint's story."""

    complaint_id: str
    entry: str


class DeliveryRequest(Contract):
    complaint_id: str
    task: TaskName
    request_id: str
    requester: ShortText


def path(contract: type[BaseModel], *names: str, root: str = "$") -> str:
    """Return the JSONPath of a contract's field.

    >>> path(InferenceRequest, "model", "engine")
    '$.model.engine'

    Raises: LookupError where the contract has no such field.
    """
    model: type[BaseModel] = contract
    for name in names:
        if name not in model.model_fields:
            raise LookupError(f"{model.__name__} has no field {name!r}: name one of {', '.join(model.model_fields)}")
        nested = model.model_fields[name].annotation
        model = nested if isinstance(nested, type) and issubclass(nested, BaseModel) else Contract
    return ".".join([root, *names])
