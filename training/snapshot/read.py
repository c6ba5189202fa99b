"""Reads the contents of a snapshot from its folder."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import yaml
from huggingface_hub import CardData, DatasetCard

from training.bundle.hub import CARD_FILE
from training.data.dataset import LabelledData, LabelledRow
from training.data.splits import PARTS, Indices, Split
from training.snapshot.contents import SCHEMA, Contents, Pruning, Terms
from triage.vulnerability import vulnerable_tags

Files = Mapping[str, Mapping[str, str]]
"""The path of each part's file, by config."""

Tables = Mapping[str, Mapping[str, pyarrow.Table]]

ORIGIN = "complaints_triage"
"""Field of a card's metadata that states what the snapshot was made from."""

REQUIRED = {"taxonomy", "crosswalk", "redaction", "source_fingerprint"}
"""Entries of that field in every card."""

WITHOUT_NARRATIVE = re.compile(r"Another ([\d,]+) rows of the export had no narrative")
"""Finds the number of rows without a narrative in early cards, which state it only in their text."""


class NotASnapshotError(Exception):
    """A dataset on the Hub is not a snapshot, or was changed after it was published."""

    def __init__(self, dataset_id: str, problem: str) -> None:
        super().__init__(
            f"{dataset_id} is not a snapshot that `triage dataset publish` made: {problem}. Publish it again, or name "
            "another dataset."
        )
        self.dataset_id = dataset_id


def files_of(card: Path, *, dataset_id: str) -> Files:
    """Return the files that a card names. Raises: NotASnapshotError."""
    return _files(_loaded(card, dataset_id).data, dataset_id)


def read_contents(folder: Path, *, dataset_id: str) -> Contents:
    """Read the files that the card in `folder` names. A row that is in several configs becomes one row.

    Labels are read as they are, even if the crosswalk has changed since.

    Raises:
        NotASnapshotError: the card lacks required metadata, or a file is not a part of a snapshot.
    """
    card = _loaded(folder / CARD_FILE, dataset_id)
    metadata = card.data
    parts = {
        config: {part: read_part(folder / path, dataset_id=dataset_id) for part, path in paths.items()}
        for config, paths in _files(metadata, dataset_id).items()
    }
    table, places = _united(parts)
    origin = metadata[ORIGIN]
    return Contents(
        data=LabelledData(
            rows=tuple(rows_of(table)),
            groups=table["group"].to_numpy(),
            without_narrative=_without_narrative(card, origin),
            crosswalk=origin["crosswalk"],
            taxonomy=origin["taxonomy"],
        ),
        table=table,
        splits={config: _split(of_parts, rows=table.num_rows) for config, of_parts in places.items()},
        terms=Terms(
            licence=metadata["license"],
            language=metadata["language"],
            redaction=origin["redaction"],
            letters=origin.get("letters"),
        ),
        source_fingerprint=origin["source_fingerprint"],
        prunings=tuple(Pruning(date.fromisoformat(row["day"]), row["rows"]) for row in origin.get("prunings", ())),
    )


def read_part(path: Path, *, dataset_id: str) -> pyarrow.Table:
    """Read one Parquet file. Raises: NotASnapshotError."""
    try:
        table = pyarrow.parquet.ParquetFile(path).read()
    except pyarrow.ArrowException as error:
        raise NotASnapshotError(dataset_id, f"{path.name} is not a Parquet file: {error}") from error
    if missing := set(SCHEMA.names) - set(table.schema.names):
        raise NotASnapshotError(dataset_id, f"{path.name} lacks the columns {', '.join(sorted(missing))}")
    if not table.schema.equals(SCHEMA):
        raise NotASnapshotError(dataset_id, f"{path.name} has columns of other names or types than a snapshot's")
    return table


def rows_of(table: pyarrow.Table) -> Iterator[LabelledRow]:
    """Yield the rows of a part. Their number in the original export is not known and is 0."""
    for record in table.to_pylist():
        yield LabelledRow(
            row=0,
            complaint_id=record["complaint_id"],
            narrative=record["narrative"],
            product=record["product"],
            issue=record["issue"],
            vulnerable=_vulnerable(record["tags"]),
            received=record["date_received"],
            channel=record["submitted_via"],
        )


def _loaded(path: Path, dataset_id: str) -> DatasetCard:
    if not path.exists():
        raise NotASnapshotError(dataset_id, "it has no card")
    try:
        card: DatasetCard = DatasetCard.load(path, ignore_metadata_errors=True)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise NotASnapshotError(dataset_id, f"its card cannot be read ({type(error).__name__})") from error
    origin = card.data.get(ORIGIN)
    if not isinstance(origin, dict):
        raise NotASnapshotError(dataset_id, f"its card has no metadata {ORIGIN}")
    if missing := REQUIRED - origin.keys():
        raise NotASnapshotError(dataset_id, f"the metadata {ORIGIN} of its card lack {', '.join(sorted(missing))}")
    return card


def _without_narrative(card: DatasetCard, origin: Mapping[str, Any]) -> int:
    stated = WITHOUT_NARRATIVE.search(card.text)
    return int(origin.get("without_narrative", stated[1].replace(",", "") if stated else 0))


def _files(metadata: CardData, dataset_id: str) -> Files:
    files = {
        config["config_name"]: {file["split"]: file["path"] for file in config["data_files"]}
        for config in metadata.get("configs") or ()
    }
    for config, parts in files.items():
        if not set(parts) <= set(PARTS):
            raise NotASnapshotError(dataset_id, f"its config {config} has the splits {', '.join(parts)}")
    return files


def _united(parts: Tables) -> tuple[pyarrow.Table, Mapping[str, Mapping[str, Indices]]]:
    """Return every row once, and the places of the rows of each part. Equal rows of one config stay separate."""
    known: dict[tuple[object, ...], int] = {}
    firsts: list[pyarrow.Table] = [SCHEMA.empty_table()]
    places: dict[str, dict[str, Indices]] = {}
    for config, of_parts in parts.items():
        seen: Counter[tuple[object, ...]] = Counter()
        places[config] = {}
        for part, table in of_parts.items():
            new, rows = [], []
            for number, record in enumerate(table.to_pylist()):
                values = tuple(record.values())
                key = (*values, seen[values])
                seen[values] += 1
                if key not in known:
                    known[key] = len(known)
                    new.append(number)
                rows.append(known[key])
            firsts.append(table.take(pyarrow.array(new, pyarrow.int64())))
            places[config][part] = np.array(rows, dtype=np.int64)
    return pyarrow.concat_tables(firsts), places


def _split(places: Mapping[str, Indices], *, rows: int) -> Split:
    """Return the split. Rows in no part count as purged, because snapshots do not store why they were left out."""
    none = np.array([], dtype=np.int64)
    train, validation, test = (places.get(part, none) for part in PARTS)
    left_out = np.setdiff1d(np.arange(rows), np.concatenate([train, validation, test]))
    return Split(train, validation, test, purged=left_out, straddling=none)


def _vulnerable(tags: str | None) -> bool | None:
    return None if tags is None else bool(vulnerable_tags(tags.split(", ")))
