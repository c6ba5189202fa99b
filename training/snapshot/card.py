"""The card of a snapshot: metadata that the Hub and `load_dataset` read, and prose made from the run alone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from huggingface_hub import DatasetCardData

from training.data.dataset import LabelledData, LabelledRow
from training.data.groups import THRESHOLD
from training.data.splits import GAP, PARTS, Split
from training.snapshot.contents import DEFAULT_CONFIG, SCHEMA, TAG, Contents, Part, Pruning, Snapshot
from triage.tasks import TASKS

SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M", 10_000_000: "1M<n<10M"}
"""The Hub's categories, by the number of rows below which each one holds."""


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

data = load_dataset("{name}", "{DEFAULT_CONFIG}", revision=sha)  # the sha of a commit: branches move
```

Narratives are what consumers wrote about themselves. Nobody may try to find out who they are.

## How it was made

| | |
|---|---|
| labels | names of every form since 2011, led to taxonomy {data.taxonomy} by crosswalk {data.crosswalk} |
| narratives | cleaned as in serving; redaction: {contents.terms.redaction} |
| `tags` | as stated on the form; empty where none was stated, null where the export does not say |
| `group` | near-duplicate letters, {THRESHOLD:g} of whose word triples agree; no group is on two sides of a split |
| source | sha256 `{snapshot.source_fingerprint}` before redaction |
| pruned | {_pruned(contents.prunings)} |

Config `time` is the honest one: it tests on later letters, after a gap of {GAP.days} days whose complaints are left
out, as are letters on a template that the training period knew. Config `grouped` puts whole groups into parts at
random, so that the difference between their figures is what time costs.

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
            "without_narrative": data.without_narrative,
            "source_fingerprint": snapshot.source_fingerprint,
            "fingerprints": dict(snapshot.fingerprints),
            "prunings": [{"day": pruning.day.isoformat(), "rows": pruning.rows} for pruning in contents.prunings],
        },
    )


def _period(rows: Sequence[LabelledRow]) -> str:
    days = [row.received for row in rows]
    return f", received from {min(days)} to {max(days)}" if days else ""


def _pruned(prunings: Sequence[Pruning]) -> str:
    if not prunings:
        return "no complaint was removed since"
    removed = ", ".join(f"{pruning.rows:,} on {pruning.day}" for pruning in prunings)
    return f"complaints that were removed since, also from earlier revisions: {removed}"


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
    """How many complaints of each label there are, and how many in each part."""
    parts = {f"{config} {part}": getattr(split, part) for config, split in splits.items() for part in PARTS}
    counted = {title: Counter(data.rows[row].label(task) for row in rows.tolist()) for title, rows in parts.items()}
    lines = [f"| {task} | all | {' | '.join(parts)} |", "|---|" + "---:|" * (1 + len(parts))]
    for label, count in data.counts(task).items():
        lines.append(f"| {label} | {count:,} | {' | '.join(f'{of[label]:,}' for of in counted.values())} |")
    return "\n".join(lines)
