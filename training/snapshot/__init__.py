"""A frozen dataset for the Hub: labelled complaints, redacted and split, as Parquet with a card."""

from training.snapshot.contents import Part, Snapshot, Terms
from training.snapshot.publish import PublicationError, publish_snapshot
from training.snapshot.write import splits_of, stated_tags, write_snapshot

__all__ = [
    "Part",
    "PublicationError",
    "Snapshot",
    "Terms",
    "publish_snapshot",
    "splits_of",
    "stated_tags",
    "write_snapshot",
]
