"""How long a complaint is kept: all of it expires by the same attribute, unless a hold takes that away."""

from collections.abc import Iterator
from typing import Final

from runtime.adapters.dynamodb import Condition, Table
from triage.feedback import INBOX

EXPIRES: Final = "expires_at"


class Retention:
    """Of the complaint itself, its story, the feedback about it, and the chains of both."""

    def __init__(self, complaints: Table, story: Table, chain: Table) -> None:
        self._complaints = complaints
        self._story = story
        self._chain = chain

    def suspend(self, complaint_id: str) -> int:
        """Nothing of it expires any more. How many records would have."""
        there = Condition("attribute_exists(#expires)", expires=EXPIRES)
        return sum(
            table.update(*key, assign={}, remove=(EXPIRES,), condition=there) for table, key in self._of(complaint_id)
        )

    def resume(self, complaint_id: str, expires_at: int) -> int:
        """All of it expires then. How many records do."""
        there = Condition("attribute_exists(#id)", id="complaint_id")
        return sum(
            table.update(*key, assign={EXPIRES: expires_at}, condition=there) for table, key in self._of(complaint_id)
        )

    def _of(self, complaint_id: str) -> Iterator[tuple[Table, tuple[str, ...]]]:
        yield self._complaints, (complaint_id,)
        for partition in (complaint_id, INBOX + complaint_id):
            for item in self._story.query(partition):
                yield self._story, (partition, str(item["entry"]))
            for link in self._chain.query(partition):
                yield self._chain, (partition, str(link["sequence"]))
