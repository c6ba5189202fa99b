"""A frozen dataset for the Hub: labelled complaints, redacted and split, as Parquet with a card."""

from training.snapshot.contents import Part, Snapshot, Terms
from training.snapshot.finding import Published, describe, published
from training.snapshot.pruning import Pruned, prune
from training.snapshot.publish import PublicationError, publish_snapshot
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
