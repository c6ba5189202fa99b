"""The chains of complaints: what changed is sealed behind what was sealed before."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from runtime.adapters.dynamodb import Condition, Table
from triage.chain import Link, unsealed
from triage.complaint import timestamp
from triage.outbox import expiry

NUMBERED: Final = re.compile(r"[0-9]{1,12}")


class Chain:
    def __init__(self, table: Table, *, code_version: str, retention_days: int) -> None:
        self._table = table
        self._code_version = code_version
        self._retention_days = retention_days

    def seal(self, complaint_id: str, entries: Mapping[str, Mapping[str, Any] | None]) -> Link | None:
        """Append what the chain does not know of these entries (None: not there). The last link, if any is new."""
        while True:
            links, taken = self._read(complaint_id)
            before = last = max(links, key=lambda link: link.number, default=None)
            for number, (entry, item) in enumerate(unsealed(links, entries), start=taken + 1):
                link = self._after(last, number, complaint_id, entry, item)
                if not self._table.put(link, condition=Condition("attribute_not_exists(#id)", id="complaint_id")):
                    # Another writer was faster: what it has sealed has to be read first.
                    break
                last = link
            else:
                return last if last is not before else None

    def _read(self, complaint_id: str) -> tuple[list[Link], int]:
        """The links, and the highest number that is taken, perhaps by what somebody has made of a link.

        That breaks this chain, and must not keep others from being sealed.
        """
        links, taken = [], 0
        for item in self._table.query(complaint_id):
            sequence = str(item["sequence"])
            taken = max(taken, int(sequence) if NUMBERED.fullmatch(sequence) else 0)
            try:
                links.append(Link.model_validate(item))
            except ValidationError:
                continue
        return links, taken

    def _after(
        self, last: Link | None, number: int, complaint_id: str, entry: str, item: Mapping[str, Any] | None
    ) -> Link:
        now = datetime.now(UTC)
        return Link.after(
            last,
            number,
            entry=entry,
            content=item,
            complaint_id=complaint_id,
            sealed_at=timestamp(now),
            code_version=self._code_version,
            expires_at=expiry(now, self._retention_days),
        )
