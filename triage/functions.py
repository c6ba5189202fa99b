"""Every Lambda function: its name, its environment variables and, for a step, its contracts.

Each is declared here once. `stacks` deploys them, `runtime` implements them and tests walk `FUNCTIONS`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from pydantic import Field

from triage import steps
from triage.audit.erasure import Erased, ErasureRequest
from triage.audit.hold import Held, HoldRequest
from triage.audit.reading import Read, ReadingRequest
from triage.bundle import Engine
from triage.contracts import Contract
from triage.explanation.delivered import Delivered
from triage.promotion.steps import Changed, Due, Weighed


class Environment(Contract):
    """The environment variables of one function: each field is a variable, in upper case.

    CDK fills in the fields by their names, from `Foundation.values` in `stacks/function.py`.
    """

    code_version: str

    def variables(self) -> dict[str, str]:
        return {name.upper(): str(value) for name, value in self.model_dump(exclude_none=True).items()}

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ) -> Self:
        """Return the validated variables. Raises: ValidationError naming each that is missing or malformed."""
        present = {name: variables[name.upper()] for name in cls.model_fields if name.upper() in variables}
        return cls.model_validate(present)


@dataclass(frozen=True)
class Function:
    """A Lambda function that runs the handler of `runtime/<name>.py`.

    A plain function reads what AWS sends: records of a stream, or a schedule.
    """

    name: str
    environment: type[Environment]

    @property
    def handler(self) -> str:
        return f"runtime.{self.name}.handler"


@dataclass(frozen=True)
class Step(Function):
    """A function that takes one contract and gives another. A state machine or a person invokes it."""

    takes: type[Contract]
    gives: type[Contract]


class MeasuringEnvironment(Environment):
    """Of a function that measures. metrics_namespace: that of its environment, which the alarms watch too."""

    metrics_namespace: str


class IntakeEnvironment(Environment):
    raw_complaints_table: str
    complaints_allocation_table: str
    state_machine_arn: str
    retention_days: int


class SweepEnvironment(MeasuringEnvironment):
    """stale_after_seconds: an execution that started longer ago and does not run is started again.

    max_attempts: how many executions a complaint gets before it is parked.
    sweep_slices: in how many slices the table is read; one slice is read every `sweep_every_seconds`.
    """

    raw_complaints_table: str
    complaints_allocation_table: str
    state_machine_arn: str
    parked_queue_url: str
    retention_days: int
    stale_after_seconds: int = Field(ge=1)
    max_attempts: int = Field(ge=1)
    sweep_every_seconds: int = Field(ge=60)
    sweep_slices: int = Field(ge=1, le=1_000_000)


class SelectModelsEnvironment(MeasuringEnvironment):
    raw_complaints_table: str
    complaints_allocation_table: str
    model_info_table: str
    model_strategy_table: str
    retention_days: int


class ModelInferenceEnvironment(Environment):
    """loaded_models: how many models a warm function keeps. It drops the least recently used one first.

    loaded_megabytes: how large their files may be together. A larger model is loaded alone.
    """

    raw_complaints_table: str
    complaints_allocation_table: str
    bundles_bucket: str
    retention_days: int
    loaded_models: int = Field(ge=1)
    loaded_megabytes: int = Field(ge=1)


class AllocateEnvironment(MeasuringEnvironment):
    """audit_share: the probability with which each complaint is drawn for labelling."""

    complaints_allocation_table: str
    retention_days: int
    audit_share: float = Field(gt=0, le=1)


class ShadowInferenceEnvironment(ModelInferenceEnvironment):
    pass


class ShadowFailedEnvironment(MeasuringEnvironment):
    complaints_allocation_table: str
    retention_days: int


class FeedbackEnvironment(MeasuringEnvironment):
    complaints_allocation_table: str
    bus_name: str
    event_source: str
    parked_queue_url: str
    retention_days: int


class FindDecisionEnvironment(Environment):
    complaints_allocation_table: str


class ExplainEnvironment(ModelInferenceEnvironment):
    pass


class DeliverExplanationEnvironment(Environment):
    raw_complaints_table: str
    complaints_allocation_table: str
    retention_days: int


class MirrorEnvironment(MeasuringEnvironment):
    """hf_home: where huggingface_hub keeps its files. On Lambda only the temporary folder can be written.

    max_bundle_megabytes: all files of a bundle together. max_onnx_megabytes, max_transformers_megabytes: the files that
    the engine loads, which have to fit into the memory of its functions. try_onnx_function, try_transformers_function:
    names of the functions that try a model.
    """

    model_info_table: str
    bundles_bucket: str
    hub_endpoint: str
    hub_token_secret: str | None = None
    hf_home: str | None = None
    max_bundle_megabytes: int = Field(ge=1)
    max_onnx_megabytes: int = Field(ge=1)
    max_transformers_megabytes: int = Field(ge=1)
    try_onnx_function: str
    try_transformers_function: str

    @property
    def trials(self) -> dict[Engine, str]:
        """The function that tries a model on letters, by the engine that serves it."""
        return {"onnx": self.try_onnx_function, "transformers": self.try_transformers_function}

    @property
    def largest(self) -> dict[Engine, int]:
        return {"onnx": self.max_onnx_megabytes, "transformers": self.max_transformers_megabytes}


class TryModelEnvironment(Environment):
    bundles_bucket: str
    loaded_megabytes: int = Field(ge=1)


class SchedulePromotionsEnvironment(Environment):
    model_strategy_table: str
    promotion_machine_arn: str


class WeighEvidenceEnvironment(MeasuringEnvironment):
    complaints_allocation_table: str
    model_strategy_table: str
    evidence_bucket: str


class ChangeStrategyEnvironment(Environment):
    """second_approver: whether a promotion is only proposed, and waits for a person."""

    model_info_table: str
    model_strategy_table: str
    champion_ledger_table: str
    second_approver: bool


class CheckStrategyEnvironment(Environment):
    model_info_table: str
    model_strategy_table: str


class SealEnvironment(MeasuringEnvironment):
    """stale_after_seconds: a change that was made longer ago and is not sealed was lost by the stream.

    sweep_slices: in how many slices the table is searched for such changes, one every `sweep_every_seconds`.
    verify_slices: in how many slices all records are verified, one every `sweep_every_seconds`.
    """

    complaints_allocation_table: str
    audit_chain_table: str
    anchors_bucket: str
    retention_days: int
    stale_after_seconds: int = Field(ge=1)
    sweep_every_seconds: int = Field(ge=60)
    sweep_slices: int = Field(ge=1, le=1_000_000)
    verify_slices: int = Field(ge=1, le=1_000_000)


class ReadNarrativeEnvironment(Environment):
    raw_complaints_table: str
    complaints_allocation_table: str
    retention_days: int


class EraseEnvironment(Environment):
    raw_complaints_table: str
    complaints_allocation_table: str
    retention_days: int


class HoldEnvironment(Environment):
    raw_complaints_table: str
    complaints_allocation_table: str
    audit_chain_table: str
    retention_days: int


class KeepHeldEnvironment(HoldEnvironment):
    pass


INTAKE = Function("intake", IntakeEnvironment)
SWEEP = Function("sweep", SweepEnvironment)
SELECT_MODELS = Step("select_models", SelectModelsEnvironment, takes=steps.ExecutionInput, gives=steps.Selected)
MODEL_INFERENCE = Step("model_inference", ModelInferenceEnvironment, takes=steps.InferenceRequest, gives=steps.Outcome)
ALLOCATE = Step("allocate", AllocateEnvironment, takes=steps.AllocationRequest, gives=steps.Allocated)
SHADOW_INFERENCE = Step(
    "shadow_inference", ShadowInferenceEnvironment, takes=steps.InferenceRequest, gives=steps.Outcome
)
SHADOW_FAILED = Step("shadow_failed", ShadowFailedEnvironment, takes=steps.ShadowFailure, gives=steps.Outcome)
FEEDBACK = Function("feedback", FeedbackEnvironment)
FIND_DECISION = Step(
    "find_decision", FindDecisionEnvironment, takes=steps.ExplanationRequest, gives=steps.ExplanationTask
)
EXPLAIN = Step("explain", ExplainEnvironment, takes=steps.ExplanationTask, gives=steps.ExplanationStored)
DELIVER_EXPLANATION = Step(
    "deliver_explanation", DeliverExplanationEnvironment, takes=steps.DeliveryRequest, gives=Delivered
)
"""People invoke it and no state machine does, because its answer holds words of the complaint."""
MIRROR = Function("mirror", MirrorEnvironment)
TRY_MODEL = Step("try_model", TryModelEnvironment, takes=steps.Trial, gives=steps.Tried)
"""The mirror invokes it, and no state machine does: it needs an engine, and the mirror's package has none."""
SCHEDULE_PROMOTIONS = Function("schedule_promotions", SchedulePromotionsEnvironment)
WEIGH_EVIDENCE = Step("weigh_evidence", WeighEvidenceEnvironment, takes=Due, gives=Weighed)
CHANGE_STRATEGY = Step("change_strategy", ChangeStrategyEnvironment, takes=Weighed, gives=Changed)
CHECK_STRATEGY = Step("check_strategy", CheckStrategyEnvironment, takes=Changed, gives=Changed)
SEAL = Function("seal", SealEnvironment)
READ_NARRATIVE = Step("read_narrative", ReadNarrativeEnvironment, takes=ReadingRequest, gives=Read)
"""People invoke it and no state machine does, because its answer holds the narrative."""
ERASE = Step("erase", EraseEnvironment, takes=ErasureRequest, gives=Erased)
HOLD = Step("hold", HoldEnvironment, takes=HoldRequest, gives=Held)
KEEP_HELD = Function("keep_held", KeepHeldEnvironment)

FUNCTIONS: Final = tuple(value for value in [*globals().values()] if isinstance(value, Function))
"""All functions declared above, in their order."""

STEPS: Final = tuple(function for function in FUNCTIONS if isinstance(function, Step))
