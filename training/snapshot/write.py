"""Labelled complaints become a folder: a Parquet file for each part of each split, and a card."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from training.bundle.hub import CARD_FILE
from training.data.complaint_files import read_export
from training.data.dataset import LabelledData, LabelledRow
from training.data.splits import PARTS, Indices, Split, grouped_split, latest, time_split
from training.snapshot.card import card
from training.snapshot.contents import SCHEMA, Contents, Part, Snapshot, Terms
from triage.text import clean

TEST_SHARE = 0.2
"""Of the rows, the latest, where no day is given from which on to test."""

ROW_GROUP = 10_000

Tags = Mapping[int, tuple[str, ...] | None]
"""By number of the row in the export: what the form stated, None where the export does not say."""


def stated_tags(path: Path) -> Tags:
    """Raises: ExportError."""
    return {row.row: row.tags for row in read_export(path)}


def splits_of(data: LabelledData, *, test_from: date | None, seed: int) -> Mapping[str, Split]:
    """The configs of a snapshot: `time`, tested on what came from `test_from` on, and `grouped`, at random.

    Raises:
        ValueError: a part would be empty.
    """
    received = [row.received for row in data.rows]
    return {
        "time": time_split(received, data.groups, test_from=test_from or latest(received, share=TEST_SHARE)),
        "grouped": grouped_split(data.groups, test=TEST_SHARE, seed=seed),
    }


def write_snapshot(
    data: LabelledData,
    folder: Path,
    *,
    name: str,
    splits: Mapping[str, Split],
    tags: Tags,
    redact: Callable[[str], str],
    terms: Terms,
    on_row: Callable[[], None] = lambda: None,
) -> Snapshot:
    """Write the files of a snapshot that will be called `name` into `folder`, and say what they are.

    The same data, splits and terms give the same bytes. `on_row` is told of each narrative that was redacted.
    """
    rows = tuple(_redacted(row, redact, on_row) for row in data.rows)
    shown = replace(data, rows=rows)
    contents = Contents(
        data=shown,
        table=_table(shown, tags),
        splits=splits,
        terms=terms,
        source_fingerprint=data.fingerprint,
    )
    return write_contents(contents, folder, name=name)


def write_contents(contents: Contents, folder: Path, *, name: str) -> Snapshot:
    """Write the files of a snapshot that is or will be called `name` into `folder`, over any that are there.

    A part without rows gets no file, and a config without parts is none: `load_dataset` refuses both.
    """
    data, splits = contents.data, contents.splits
    written = {config: _write_parts(contents.table, split, folder, config) for config, split in splits.items()}
    snapshot = Snapshot(
        folder=folder,
        configs={config: parts for config, parts in written.items() if parts},
        fingerprints={config: data.at(_all_parts(split)).fingerprint for config, split in splits.items()},
        source_fingerprint=contents.source_fingerprint,
    )
    (folder / CARD_FILE).write_text(card(snapshot, contents, name=name), encoding="utf-8")
    return snapshot


def _redacted(row: LabelledRow, redact: Callable[[str], str], on_row: Callable[[], None]) -> LabelledRow:
    # Cleaned again: whoever reads the row back does so too, and the fingerprint has to be the same.
    narrative = clean(redact(row.narrative))
    on_row()
    # Names of the form under products of the taxonomy would be read as names of no form.
    return replace(row, narrative=narrative, sub_product=None, sub_issue=None)


def _table(data: LabelledData, tags: Tags) -> pyarrow.Table:
    columns = {
        "complaint_id": [row.complaint_id for row in data.rows],
        "date_received": [row.received for row in data.rows],
        "product": [row.product for row in data.rows],
        "issue": [row.issue for row in data.rows],
        "narrative": [row.narrative for row in data.rows],
        "submitted_via": [row.channel for row in data.rows],
        "tags": [_joined(tags[row.row]) for row in data.rows],
        "group": data.groups,
    }
    return pyarrow.table(columns, schema=SCHEMA)


def _joined(tags: tuple[str, ...] | None) -> str | None:
    return None if tags is None else ", ".join(tags)


def _write_parts(table: pyarrow.Table, split: Split, folder: Path, config: str) -> Mapping[str, Part]:
    (folder / "data" / config).mkdir(parents=True, exist_ok=True)
    return {
        part: _write(table.take(rows), folder, f"data/{config}/{part}.parquet")
        for part in PARTS
        if len(rows := getattr(split, part))
    }


def _write(table: pyarrow.Table, folder: Path, path: str) -> Part:
    pyarrow.parquet.write_table(table, folder / path, row_group_size=ROW_GROUP, compression="zstd")
    size = (folder / path).stat().st_size
    return Part(path=path, rows=table.num_rows, file_bytes=size, memory_bytes=table.nbytes)


def _all_parts(split: Split) -> Indices:
    return np.concatenate([getattr(split, part) for part in PARTS])
