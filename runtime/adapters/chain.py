"""The chains of complaints: what changed is sealed behind what was sealed before."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from pydantic import ValidationError

from runtime.adapters.dynamodb import Condition, Table
from triage.audit.chain import KEPT_LONGER_DAYS, Link, unsealed
from triage.complaint import timestamp
from triage.outbox import expiry


@dataclass(frozen=True)
class Sealed:
    """links: the whole chain; last: the one that was appended last, if any was."""

    links: tuple[Link, ...]
    last: Link | None

    def more_than_once(self, entries: Iterable[str]) -> frozenset[str]:
        """Those of the entries that were changed or removed after they had been sealed.

        Feedback that was put again is judged once it has its outcome, which is sealed next.
        """
        times, last = Counter(link.entry for link in self.links), {link.entry: link for link in self.links}
        return frozenset(entry for entry in entries if times[entry] > 1 and last[entry].change != "pending")


class Chain:
    def __init__(self, table: Table, *, code_version: str, retention_days: int) -> None:
        self._table = table
        self._code_version = code_version
        self._retention_days = retention_days

    def seal(self, complaint_id: str, entries: Mapping[str, Mapping[str, Any] | None]) -> Sealed:
        """Append what the chain does not know of these entries (None: not there)."""
        while True:
            before, taken = self._read(complaint_id)
            last = max(before, key=lambda link: link.number, default=None)
            free = (number for number in count(last.number + 1 if last else 1) if Link.numbered(number) not in taken)
            new: list[Link] = []
            for number, (entry, item) in zip(free, unsealed(before, entries), strict=False):
                link = self._after(last, number, complaint_id, entry, item)
                if not self._table.put(link, condition=Condition("attribute_not_exists(#id)", id="complaint_id")):
                    # Another writer was faster: what it has sealed has to be read first.
                    break
                new.append(link)
                last = link
            else:
                return Sealed((*before, *new), new[-1] if new else None)

    def links(self, complaint_id: str) -> list[Link]:
        """Those that are links at all."""
        links, _ = self._read(complaint_id)
        return links

    def _read(self, complaint_id: str) -> tuple[list[Link], frozenset[str]]:
        """The links, and the sequences that are taken, perhaps by what somebody has made of a link.

        That breaks this chain, and must not keep others from being sealed.
        """
        items = list(self._table.query(complaint_id))
        links = []
        for item in items:
            try:
                links.append(Link.model_validate(item))
            except ValidationError:
                continue
        return links, frozenset(str(item["sequence"]) for item in items)

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
            expires_at=expiry(now, self._retention_days + KEPT_LONGER_DAYS),
        )
