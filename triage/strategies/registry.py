"""What is registered: rows of `model_info` and `model_strategy`."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field

from triage.bundle import Engine
from triage.contracts import Contract, ModelId, Revision, Sha256, TaskName
from triage.strategies.ledger import EvidenceReference, Kind
from triage.strategies.strategy import Strategy

CURRENT: Final = "CURRENT"
VALIDATED: Final = "VALIDATED"

ModelState = Literal["registered", "challenger", "champion", "retired"]
TAKING_PART: Final = ("champion", "challenger")


CHANGING: Final = ("state", "activated_at", "mirror_asked_at")
"""What may change in the row of a mirrored model."""


class MirroredBundle(Contract):
    """The verified copy in the bundles bucket, below `model_id/revision/`."""

    engine: Engine
    manifest_sha256: Sha256
    weights_sha256: Sha256
    labels: int
    size: int
    mirrored_at: str


class ModelInfo(Contract):
    """A registered model version. `model_id`, `revision` and `task` suffice for a row written by hand.

    state: challengers and champions take part as soon as their bundle is mirrored. Nothing of a mirrored row but its
    `CHANGING` ever changes: the mirror puts back what somebody edits. failure: why mirroring failed.
    mirror_asked_at: when it was asked for again; any change of an unmirrored row asks for it.
    """

    model_id: ModelId
    revision: Revision
    task: TaskName
    state: ModelState = "registered"
    bundle: MirroredBundle | None = None
    failure: str | None = None
    mirror_asked_at: str | None = None
    registered_at: str | None = None
    registered_by: str | None = None
    activated_at: str | None = None

    @property
    def version(self) -> str:
        return f"{self.model_id}@{self.revision}"

    @property
    def takes_part(self) -> bool:
        return self.state in TAKING_PART and self.bundle is not None


def fixed(row: Mapping[str, Any]) -> dict[str, Any]:
    """What may not change in the row of a mirrored model."""
    return {name: value for name, value in row.items() if name not in CHANGING}


class Note(Contract):
    """Who did something, why and when."""

    by: str
    reason: str = Field(min_length=1)
    at: str


class Proposal(Note):
    """A change that waits for its second person."""

    kind: Kind
    strategy: Strategy
    evidence: EvidenceReference | None = None
    earned: bool = False


class ModelStrategy(Contract):
    """The strategy in force for a task. `version` counts its changes; writers state the one they replace.

    entry: `CURRENT`, which people may edit, or `VALIDATED`: what the command accepted last, for when they err.
    set_by: who set up the experiment. experiment_since, stage_since: since when the same champion is compared under the
    same name, and since when the arms have these shares; stage_version: the version that brought them. earned: the
    challenger has passed its gates in shadow. frozen: the promotion engine may neither widen nor promote.
    """

    task: TaskName
    entry: Literal["CURRENT", "VALIDATED"] = CURRENT
    version: int = Field(ge=1)
    strategy: Strategy
    changed_at: str
    changed_by: str
    set_by: str | None = None
    experiment_since: str | None = None
    stage_since: str | None = None
    stage_version: int | None = None
    earned: bool = False
    frozen: Note | None = None
    proposal: Proposal | None = None
