"""Finds the changes that should have been sealed and were not, because the stream that reports changes lost them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from triage.audit.chain import KEPT_LONGER_DAYS, Item, Link, unsealed
from triage.outbox import DAY
from triage.stored_story import kind_of
from triage.story import ErasureEntry

_NAMED: Final = ("entries", "refused_feedback")
"""The lists of an erasure with the entries that it removed from the story and from the inbox."""


def overlooked(
    links: Iterable[Link], items: Iterable[Item], story: Iterable[Item], *, before: datetime, retention_days: int
) -> dict[str, Item | None]:
    """Return the entries whose last change is not sealed, although it was made before this moment. None: it is gone.

    items: the entries of the partition, a story or an inbox. story: the entries of the complaint's story.

    A removal counts where an erasure names it, or where DynamoDB removes the entry for its age. Any other stays a
    finding, and so does an entry without the expiry that everything has that the system writes.
    """
    chain = sorted(links, key=lambda link: link.number)
    current = {str(item["entry"]): item for item in items}
    found = {
        entry: item
        for entry, item in unsealed(chain, current)
        if item is not None and _is_written_before(item, before, retention_days)
    }
    erasures = [item for item in story if kind_of(str(item["entry"])) is ErasureEntry]
    erased = {
        str(entry)
        for erasure in erasures
        if _is_written_before(erasure, before, retention_days)
        for name in _NAMED
        for entry in erasure.get(name) or ()
    }
    last = {link.entry: link for link in chain}
    gone = {entry for entry, link in last.items() if link.content_sha256 is not None and entry not in current}
    return {**found, **{entry: None for entry in gone if entry in erased or has_expired(last[entry], before)}}


def has_expired(link: Link, before: datetime) -> bool:
    """Return whether the entry of its last link was due to be removed for its age before this moment."""
    return link.expires_at is not None and link.expires_at - KEPT_LONGER_DAYS * DAY < before.timestamp()


def _is_written_before(item: Item, moment: datetime, retention_days: int) -> bool:
    """Return whether an item was written before the moment, by its expiry. A legal hold moves that far ahead."""
    expires_at = item.get("expires_at")
    if not isinstance(expires_at, int | Decimal):
        return False
    written_at = int(expires_at) - timedelta(days=retention_days).total_seconds()
    return written_at < moment.timestamp() or written_at > moment.timestamp() + DAY
