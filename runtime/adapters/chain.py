"""The chains of complaints: what changed is sealed behind what was sealed before."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from runtime.adapters.dynamodb import Condition, Table
from triage.chain import Link, unsealed
from triage.complaint import timestamp
from triage.outbox import expiry


class Chain:
    def __init__(self, table: Table, *, code_version: str, retention_days: int) -> None:
        self._table = table
        self._code_version = code_version
        self._retention_days = retention_days

    def links(self, complaint_id: str) -> list[Link]:
        """The oldest first."""
        return [Link.model_validate(item) for item in self._table.query(complaint_id)]

    def seal(self, complaint_id: str, entries: Mapping[str, Mapping[str, Any] | None]) -> Link | None:
        """Append what the chain does not know of these entries (None: not there). The last link, if any is new."""
        while True:
            links = self.links(complaint_id)
            last = links[-1] if links else None
            for entry, item in unsealed(links, entries):
                link = self._after(last, complaint_id, entry, item)
                if not self._table.put(link, condition=Condition("attribute_not_exists(#id)", id="complaint_id")):
                    # Another writer was faster: what it has sealed has to be read first.
                    break
                last = link
            else:
                return last if last is not None and last not in links else None

    def _after(self, last: Link | None, complaint_id: str, entry: str, item: Mapping[str, Any] | None) -> Link:
        now = datetime.now(UTC)
        return Link.after(
            last,
            entry=entry,
            content=item,
            complaint_id=complaint_id,
            sealed_at=timestamp(now),
            code_version=self._code_version,
            expires_at=expiry(now, self._retention_days),
        )
