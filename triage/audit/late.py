"""Finds the changes that should have been sealed and were not, because the stream that reports changes lost them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from triage.audit.chain import KEPT_LONGER_DAYS, Item, Link, moment, unsealed
from triage.audit.verification import Stored
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


def is_recent(item: Item, since: datetime, retention_days: int) -> bool:
    """Return whether an item may have been written since then, by its expiry, which a legal hold moves far ahead."""
    written_at = _written_at(item, retention_days)
    return written_at is not None and written_at >= since.timestamp()


def is_settled(stored: Stored, before: datetime, retention_days: int) -> bool:
    """Return whether nothing of a complaint changed since this moment or is due to expire, so that all is sealed."""
    links, items = [*stored.links, *stored.inbox_links], [*stored.story, *stored.inbox]
    sealed = (moment(link.sealed_at) for link in links)
    written = (item for item in items if _written_at(item, retention_days) is not None)
    return (
        all(at is None or at < before for at in sealed)
        and all(_is_written_before(item, before, retention_days) for item in written)
        and not any(has_expired(link, before) for link in links)
    )


def _is_written_before(item: Item, before: datetime, retention_days: int) -> bool:
    """Return whether an item was written before the time, by its expiry. A legal hold moves that far ahead."""
    written_at = _written_at(item, retention_days)
    if written_at is None:
        return False
    return written_at < before.timestamp() or written_at > before.timestamp() + DAY


def _written_at(item: Item, retention_days: int) -> float | None:
    """Return when an item was written, in seconds since the epoch, None where it states no expiry."""
    expires_at = item.get("expires_at")
    if not isinstance(expires_at, int | Decimal):
        return None
    return int(expires_at) - timedelta(days=retention_days).total_seconds()
