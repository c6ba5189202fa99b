"""Writes labelled complaints as a snapshot: a Parquet file for each part of each split, and a card."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from huggingface_hub import DatasetCardData

from training.bundle.hub import CARD_FILE
from training.data.complaint_files import read_export
from training.data.dataset import LabelledData, LabelledRow
from training.data.groups import THRESHOLD
from training.data.splits import GAP, PARTS, Indices, Split, grouped_split, latest, time_split
from training.snapshot.contents import DEFAULT_CONFIG, SCHEMA, TAG, Contents, Part, Pruning, Snapshot, Terms
from triage.letter import spoken
from triage.tasks import TASKS

TEST_SHARE = 0.2
"""Share of the rows to test on: the latest ones, unless a first day is given."""

ROW_GROUP = 10_000

SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M", 10_000_000: "1M<n<10M"}
"""The Hub's size categories, by the number of rows that each one stays below."""

Tags = Mapping[int, tuple[str, ...] | None]
"""The tags that the form stated, by number of the row in the export; None if the export does not state them."""


def stated_tags(path: Path) -> Tags:
    """Return the tags of each row of an export. Raises: ExportError."""
    return {row.row: row.tags for row in read_export(path)}


def splits_of(data: LabelledData, *, test_from: date | None, seed: int) -> Mapping[str, Split]:
    """Return the splits of both configs: `time`, which tests on rows from `test_from` on, and `grouped`, at random.

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
    """Write the files of a snapshot called `name` to `folder`. The same data, splits and terms give the same bytes.

    on_row: called after each narrative is redacted.
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
    """Write the files of a snapshot called `name` to `folder`; files that exist are overwritten.

    A part without rows gets no file and a config without parts is left out, because `load_dataset` refuses both.
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
    # Read once more, because reading the row does so too, and the fingerprint must stay the same.
    narrative = spoken(redact(row.narrative))
    on_row()
    # Without the sub-names of the form, which do not exist under the products of the taxonomy.
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


def card(snapshot: Snapshot, contents: Contents, *, name: str) -> str:
    data, splits = contents.data, contents.splits
    configs = "\n".join(_config_lines(snapshot, splits))
    labels = "\n\n".join(_label_table(task, data, splits) for task in TASKS)
    return f"""---
{_card_data(snapshot, contents, name=name).to_yaml()}
---

# {name}

{len(data.rows):,} complaints to banks{_period(data.rows)}, each with the product and issue it is
about in the names of one taxonomy. Another {data.without_narrative:,} rows of the export had no narrative and were left
out.

## Use

```python
from datasets import load_dataset

data = load_dataset("{name}", "{DEFAULT_CONFIG}", revision=sha)  # the sha of a commit, because branches can move
```

Narratives are what consumers wrote about themselves. Nobody may try to identify them.

## How it was made

| | |
|---|---|
| labels | names of every form since 2011, mapped to taxonomy {data.taxonomy} by crosswalk {data.crosswalk} |
| narratives | {_letters(contents.terms)}cleaned as in serving; redaction: {contents.terms.redaction} |
| `tags` | as stated on the form; empty if none was stated, null if the export does not contain them |
| `group` | near-duplicate letters, with {THRESHOLD:g} or more of their word triples in common; each is in one part |
| source | sha256 `{snapshot.source_fingerprint}` before redaction |
| pruned | {_pruned(contents.prunings)} |

Config `time` tests as in service, on later letters: complaints of the {GAP.days} days before the test period are left
out, and so are letters on a template of the training period. Config `grouped` puts whole groups into parts at random.
The difference between the figures of both is what time costs.

| config | {" | ".join(PARTS)} | left out | sha256 |
|---|{"---|" * len(PARTS)}---|---|
{configs}

{labels}
"""


def _card_data(snapshot: Snapshot, contents: Contents, *, name: str) -> DatasetCardData:
    data, terms = contents.data, contents.terms
    return DatasetCardData(
        language=terms.language,
        license=terms.licence,
        pretty_name=name.partition("/")[2],
        task_categories=["text-classification"],
        size_categories=[_size(len(data.rows))],
        tags=["complaints", "finance", TAG],
        configs=[_config(config, parts) for config, parts in snapshot.configs.items()],
        dataset_info=[_dataset_info(config, parts) for config, parts in snapshot.configs.items()],
        complaints_triage={
            "taxonomy": data.taxonomy,
            "crosswalk": data.crosswalk,
            "redaction": terms.redaction,
            "letters": terms.letters,
            "without_narrative": data.without_narrative,
            "source_fingerprint": snapshot.source_fingerprint,
            "fingerprints": dict(snapshot.fingerprints),
            "prunings": [{"day": pruning.day.isoformat(), "rows": pruning.rows} for pruning in contents.prunings],
        },
    )


def _period(rows: Sequence[LabelledRow]) -> str:
    days = [row.received for row in rows]
    return f", received from {min(days)} to {max(days)}" if days else ""


def _letters(terms: Terms) -> str:
    return f"the newest message of each letter, by version {terms.letters} of its reader, " if terms.letters else ""


def _pruned(prunings: Sequence[Pruning]) -> str:
    if not prunings:
        return "no complaint was removed"
    removed = ", ".join(f"{pruning.rows:,} on {pruning.day}" for pruning in prunings)
    return f"complaints removed, also from earlier revisions: {removed}"


def _size(rows: int) -> str:
    return next((name for below, name in SIZES.items() if rows < below), "n>10M")


def _config(config: str, parts: Mapping[str, Part]) -> dict[str, Any]:
    files = [{"split": split, "path": part.path} for split, part in parts.items()]
    default = {"default": True} if config == DEFAULT_CONFIG else {}
    return {"config_name": config, "data_files": files, **default}


def _dataset_info(config: str, parts: Mapping[str, Part]) -> dict[str, Any]:
    return {
        "config_name": config,
        "features": [{"name": field.name, "dtype": str(field.type).removesuffix("[day]")} for field in SCHEMA],
        "splits": [
            {"name": split, "num_bytes": part.memory_bytes, "num_examples": part.rows} for split, part in parts.items()
        ],
        "download_size": sum(part.file_bytes for part in parts.values()),
        "dataset_size": sum(part.memory_bytes for part in parts.values()),
    }


def _config_lines(snapshot: Snapshot, splits: Mapping[str, Split]) -> Iterator[str]:
    for config, split in splits.items():
        parts = " | ".join(f"{split.counts[part]:,}" for part in PARTS)
        left_out = len(split.purged) + len(split.straddling)
        yield f"| {config} | {parts} | {left_out:,} | `{snapshot.fingerprints[config]}` |"


def _label_table(task: str, data: LabelledData, splits: Mapping[str, Split]) -> str:
    """Return a table with the number of complaints of each label, in all and in each part."""
    parts = {f"{config} {part}": getattr(split, part) for config, split in splits.items() for part in PARTS}
    counted = {title: Counter(data.rows[row].label(task) for row in rows.tolist()) for title, rows in parts.items()}
    lines = [f"| {task} | all | {' | '.join(parts)} |", "|---|" + "---:|" * (1 + len(parts))]
    for label, count in data.counts(task).items():
        lines.append(f"| {label} | {count:,} | {' | '.join(f'{of[label]:,}' for of in counted.values())} |")
    return "\n".join(lines)
