"""Snapshots: datasets of labelled complaints for the Hub, redacted and split, as Parquet files with a card."""

from training.snapshot.contents import Part, Snapshot, Terms
from training.snapshot.pruning import Pruned, prune
from training.snapshot.publish import PublicationError, Published, describe, publish_snapshot, published
from training.snapshot.read import NotASnapshotError
from training.snapshot.write import splits_of, stated_tags, write_snapshot

__all__ = [
    "NotASnapshotError",
    "Part",
    "Pruned",
    "PublicationError",
    "Published",
    "Snapshot",
    "Terms",
    "describe",
    "prune",
    "publish_snapshot",
    "published",
    "splits_of",
    "stated_tags",
    "write_snapshot",
]
