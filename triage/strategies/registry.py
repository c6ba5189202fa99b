"""Rows of the tables `model_info` (registered models) and `model_strategy` (strategies)."""

from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import Field

from triage.bundle import Engine, Manifest
from triage.contracts import Contract, ModelId, Revision, Sha256, TaskName
from triage.errors import RegistryError
from triage.strategies.ledger import Target
from triage.strategies.strategy import Strategy

CURRENT: Final = "CURRENT"
VALIDATED: Final = "VALIDATED"

ModelState = Literal["registered", "challenger", "champion", "retired"]
TAKING_PART: Final = ("champion", "challenger")

CHANGEABLE: Final = ("state", "activated_at", "mirror_asked_at")
"""The only attributes that may change in the row of a mirrored model."""


class MirroredBundle(Contract):
    """The verified copy in the bundles bucket, below `model_id/revision/`."""

    engine: Engine
    manifest_sha256: Sha256
    weights_sha256: Sha256
    labels: int
    size: int
    mirrored_at: str

    @classmethod
    def of(cls, manifest: Manifest, *, mirrored_at: str) -> Self:
        return cls(
            engine=manifest.engine,
            manifest_sha256=manifest.sha256,
            weights_sha256=manifest.weights_sha256,
            labels=len(manifest.labels),
            size=manifest.size,
            mirrored_at=mirrored_at,
        )


class ModelInfo(Contract):
    """A registered model version. A row written by hand needs `model_id`, `revision` and `task` only.

    state: champions and challengers take part once their bundle is mirrored. failure: why mirroring failed.
    mirror_asked_at: when mirroring was requested again; any change of a row without a bundle requests it.

    Once the bundle is mirrored, only the attributes in `CHANGEABLE` may change. The mirror reverts other edits.
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

    def require_bundle(self) -> MirroredBundle:
        """Return the bundle. Raises: RegistryError if it has not been mirrored."""
        if self.bundle is None:
            raise RegistryError(f"{self.version} is not mirrored: {self.failure or 'wait for the mirror function'}")
        return self.bundle


def fixed_attributes(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that may not change once the model is mirrored."""
    return {name: value for name, value in row.items() if name not in CHANGEABLE}


class Note(Contract):
    """Who did something, why and when."""

    by: str
    reason: str = Field(min_length=1)
    at: str


class Proposal(Note, Target):
    """A change that waits for the approval of a second person."""


class ModelStrategy(Contract):
    """The strategy in force for a task. A writer states the `version` it replaces, so that no change is lost.

    entry: `CURRENT`, which people may edit, or `VALIDATED`, the last strategy that the command accepted. Triage falls
    back on the latter when an edit is wrong.
    set_by: who set up the experiment. stage_version: the version that brought the present shares.
    earned: the challenger has passed its gates in shadow. frozen: the promotion engine may neither widen nor promote.
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

    @property
    def experiment_began(self) -> str:
        """Since when the same champion is compared under the same experiment and salt."""
        return self.experiment_since or self.changed_at

    @property
    def stage_began(self) -> str:
        """Since when the arms have their present shares."""
        return self.stage_since or self.changed_at
