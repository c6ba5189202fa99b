"""How long a complaint is kept: all of it expires by the same attribute, unless a hold takes that away."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from runtime.adapters.dynamodb import Condition, Table
from triage.audit.chain import KEPT_LONGER_DAYS, Item, began
from triage.audit.hold import expiry_after, in_force
from triage.feedback import INBOX
from triage.outbox import DAY, expiry

EXPIRES: Final = "expires_at"


class Retention:
    """Of the complaint itself, its story, the feedback about it, and the chains of both."""

    def __init__(self, complaints: Table, story: Table, chain: Table, *, retention_days: int) -> None:
        self._complaints = complaints
        self._story = story
        self._chain = chain
        self._retention_days = retention_days

    def keep(self, complaint_id: str) -> int | None:
        """Nothing of what is held expires any more. How many records would have; None where it is not held, or was
        lifted meanwhile."""
        if in_force(self._story.query(complaint_id)) is None:
            return None
        kept = self._suspend(complaint_id)
        entries = list(self._story.query(complaint_id))
        if in_force(entries) is None:
            # Perhaps lifted before all of it was suspended.
            self.resume(complaint_id, entries, now=datetime.now(UTC))
            return None
        return kept

    def _suspend(self, complaint_id: str) -> int:
        there = Condition("attribute_exists(#expires)", expires=EXPIRES)
        return sum(
            table.update(*key, assign={}, remove=(EXPIRES,), condition=there)
            for table, key, _ in self._of(complaint_id, at=0)
        )

    def resume(self, complaint_id: str, story: Iterable[Item], *, now: datetime) -> int:
        """All of it expires as if it had never been held, and not before tomorrow. How many records do."""
        at = expiry_after(story, now=now, retention_days=self._retention_days)
        there = Condition("attribute_exists(#id)", id="complaint_id")
        return sum(
            table.update(*key, assign={EXPIRES: expires_at}, condition=there)
            for table, key, expires_at in self._of(complaint_id, at=at)
        )

    def _of(self, complaint_id: str, *, at: int) -> Iterator[tuple[Table, tuple[str, ...], int]]:
        """Each record, and when it expires where the complaint does so `at`."""
        yield self._complaints, (complaint_id,), at
        for partition in (complaint_id, INBOX + complaint_id):
            links = list(self._chain.query(partition))
            first = began(links)
            # What goes before its own chain is old enough would look as if somebody had removed it.
            expires_at = max(at, expiry(first, self._retention_days)) if first else at
            for item in self._story.query(partition):
                yield self._story, (partition, str(item["entry"])), expires_at
            for link in links:
                yield self._chain, (partition, str(link["sequence"])), expires_at + KEPT_LONGER_DAYS * DAY
