"""The contents of a snapshot and its terms of use."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow

from training.bundle.hub import CARD_FILE
from training.data.dataset import LabelledData
from training.data.splits import Booleans, Indices, Split
from triage.letter import LETTER_VERSION

TAG = "complaints-triage"
"""Tag in the card of every snapshot, by which published ones are found."""

DEFAULT_CONFIG = "time"
"""The default split: as in service, its test part is later than the training part and has other templates."""


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
"""The columns have CFPB's names, so that `training.data.complaint_files` can read the files; only `group` is added."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """licence, language: as the Hub spells them. redaction: version of the redactor that was applied to narratives.

    letters: version of the reader of letters; None for snapshots of before it, whose narratives may have markup.
    """

    licence: str
    language: str
    redaction: str
    letters: str | None = LETTER_VERSION


@dataclass(frozen=True)
class Pruning:
    """rows: how many complaints were removed from the snapshot on that day."""

    day: date
    rows: int


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Everything that the files of a snapshot contain: they are written from it, and it can be read from them.

    data: after redaction. table: the same rows as written to Parquet. splits: places of these rows.
    source_fingerprint: hash of the complaints before redaction, splitting and pruning.
    """

    data: LabelledData
    table: pyarrow.Table
    splits: Mapping[str, Split]
    terms: Terms
    source_fingerprint: str
    prunings: tuple[Pruning, ...] = ()

    def keeping(self, kept: Booleans, prunings: tuple[Pruning, ...]) -> "Contents":
        """Return the contents with only the rows that are True in `kept`; each stays in its part."""
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
    """One Parquet file. file_bytes: its size on disk. memory_bytes: its size when read into Arrow."""

    path: str
    rows: int
    file_bytes: int
    memory_bytes: int


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A folder that is ready for the Hub.

    configs: the parts of each config, by name of the split. fingerprints: of each config, equal to the fingerprint of
    the data that `load_labelled` reads from it. source_fingerprint: see Contents.
    """

    folder: Path
    configs: Mapping[str, Mapping[str, Part]]
    fingerprints: Mapping[str, str]
    source_fingerprint: str

    @property
    def names(self) -> set[str]:
        return {CARD_FILE} | {part.path for parts in self.configs.values() for part in parts.values()}
