"""The environment variables of each function, typed once for CDK to write and the runtime to read."""

import os
from collections.abc import Mapping
from typing import Self

from pydantic import Field

from triage.contracts import Contract


class Environment(Contract):
    """Subclasses name what one function is told. Fields become upper-case variables."""

    code_version: str

    def variables(self) -> dict[str, str]:
        return {name.upper(): str(value) for name, value in self.model_dump(exclude_none=True).items()}

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ) -> Self:
        """Raises: ValidationError naming each variable that is missing or malformed."""
        present = {name: variables[name.upper()] for name in cls.model_fields if name.upper() in variables}
        return cls.model_validate(present)


class IntakeEnvironment(Environment):
    raw_complaints_table: str
    state_machine_arn: str
    retention_days: int


class SweepEnvironment(Environment):
    """An execution started `stale_after_seconds` ago that runs no more is tried again, `max_attempts` times in all."""

    raw_complaints_table: str
    state_machine_arn: str
    parked_queue_url: str
    retention_days: int
    stale_after_seconds: int = Field(ge=1)
    max_attempts: int = Field(ge=1)


class MirrorEnvironment(Environment):
    """`hf_home` is read by huggingface_hub itself: of Lambda's disk only the temporary folder can be written."""

    model_info_table: str
    bundles_bucket: str
    hub_endpoint: str
    hub_token_secret: str | None = None
    hf_home: str | None = None
    max_bundle_megabytes: int = Field(ge=1)


class SelectModelsEnvironment(Environment):
    raw_complaints_table: str
    complaints_allocation_table: str
    model_info_table: str
    model_strategy_table: str
    retention_days: int


class ModelInferenceEnvironment(Environment):
    """Both bound the memory and the disk of a warm function: the least recently used model goes first.

    loaded_megabytes: of the files that are loaded; a model that is larger is loaded alone.
    """

    raw_complaints_table: str
    complaints_allocation_table: str
    bundles_bucket: str
    retention_days: int
    loaded_models: int = Field(ge=1)
    loaded_megabytes: int = Field(ge=1)


class ShadowInferenceEnvironment(ModelInferenceEnvironment):
    """The same knowledge: a shadow is asked as a model that answers is."""


class FindDecisionEnvironment(Environment):
    complaints_allocation_table: str


class ExplainEnvironment(ModelInferenceEnvironment):
    """The same knowledge: what decided is asked again."""


class DeliverExplanationEnvironment(Environment):
    raw_complaints_table: str
    complaints_allocation_table: str
    retention_days: int


class ShadowFailedEnvironment(Environment):
    complaints_allocation_table: str
    retention_days: int


class SchedulePromotionsEnvironment(Environment):
    model_strategy_table: str
    promotion_machine_arn: str


class WeighEvidenceEnvironment(Environment):
    complaints_allocation_table: str
    model_strategy_table: str
    evidence_bucket: str


class ChangeStrategyEnvironment(Environment):
    """`second_approver`: a promotion is only proposed, and waits for a person."""

    model_info_table: str
    model_strategy_table: str
    champion_ledger_table: str
    second_approver: bool


class CheckStrategyEnvironment(Environment):
    model_info_table: str
    model_strategy_table: str


class AllocateEnvironment(Environment):
    complaints_allocation_table: str
    retention_days: int


class FeedbackEnvironment(Environment):
    complaints_allocation_table: str
    bus_name: str
    parked_queue_url: str
    retention_days: int


class SealEnvironment(Environment):
    complaints_allocation_table: str
    audit_chain_table: str
    retention_days: int


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
    """The same knowledge: what holds promise is renewed."""
