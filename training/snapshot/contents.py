"""What a snapshot holds, and on which terms."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow

from training.bundle.hub import CARD_FILE
from training.data.dataset import LabelledData
from training.data.splits import Booleans, Indices, Split

TAG = "complaints-triage"
"""Of every snapshot's card: what was published can be found by it."""

DEFAULT_CONFIG = "time"
"""The honest one: what is tested came later, on templates that were not trained on."""


SCHEMA = pyarrow.schema(
    {
        "complaint_id": pyarrow.string(),
        "date_received": pyarrow.date32(),
        "product": pyarrow.string(),
        "issue": pyarrow.string(),
        "narrative": pyarrow.string(),
        "submitted_via": pyarrow.string(),
        "tags": pyarrow.string(),
        "group": pyarrow.int64(),
    }
)
"""CFPB's names, so that `training.data.complaint_files` reads the files back; `group` is ours."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """licence, language: as the Hub spells them. redaction: the version of what was done to the narratives."""

    licence: str
    language: str
    redaction: str


@dataclass(frozen=True)
class Pruning:
    """rows: complaints that were removed from the snapshot on that day."""

    day: date
    rows: int


@dataclass(frozen=True, kw_only=True)
class Contents:
    """All that the files of a snapshot are written from, and that can be read from them again.

    data: as redacted. table: its rows, as they are written. splits: of these rows.
    source_fingerprint: of the complaints before redaction, splitting and pruning.
    """

    data: LabelledData
    table: pyarrow.Table
    splits: Mapping[str, Split]
    terms: Terms
    source_fingerprint: str
    prunings: tuple[Pruning, ...] = ()

    def keeping(self, kept: Booleans, prunings: tuple[Pruning, ...]) -> "Contents":
        """Those rows that are True in `kept`, each in the part where it was."""
        moved = np.cumsum(kept) - 1

        def still(rows: Indices) -> Indices:
            return moved[rows[kept[rows]]]

        return replace(
            self,
            data=self.data.at(np.flatnonzero(kept)),
            table=self.table.filter(pyarrow.array(kept)),
            splits={config: Split(*map(still, vars(split).values())) for config, split in self.splits.items()},
            prunings=prunings,
        )


@dataclass(frozen=True, kw_only=True)
class Part:
    """One Parquet file. file_bytes: on disk; memory_bytes: read into Arrow."""

    path: str
    rows: int
    file_bytes: int
    memory_bytes: int


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A folder ready for the Hub.

    configs: the parts of each config, by name of the split.
    fingerprints: of each config, as `training.data.dataset` computes it for whoever reads the config back.
    source_fingerprint: of the complaints before redaction and splitting.
    """

    folder: Path
    configs: Mapping[str, Mapping[str, Part]]
    fingerprints: Mapping[str, str]
    source_fingerprint: str

    @property
    def names(self) -> set[str]:
        return {CARD_FILE} | {part.path for parts in self.configs.values() for part in parts.values()}
