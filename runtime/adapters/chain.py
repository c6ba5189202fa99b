"""The chains of complaints in `audit_chain`, which are only ever appended to."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, groupby

import boto3

from runtime.adapters.dynamodb import Table, valid_rows
from triage import tables
from triage.audit.chain import Item, Link, kept_until, unsealed
from triage.complaint import timestamp
from triage.functions import SealEnvironment


@dataclass(frozen=True)
class Sealed:
    """links: the whole chain. last: the last link that was appended now, None where nothing had changed."""

    links: tuple[Link, ...]
    last: Link | None

    def to_verify(self, entries: Iterable[str]) -> frozenset[str]:
        """Return those of the entries that were removed, or changed after they had been sealed.

        Pending feedback is left out: its writer may replace it, and its outcome is sealed next.
        """
        times, last = Counter(link.entry for link in self.links), {link.entry: link for link in self.links}
        again = {entry for entry in entries if times[entry] > 1 and last[entry].change != "pending"}
        return frozenset(again | {entry for entry in entries if times[entry] and last[entry].change == "removed"})


class Chain:
    def __init__(self, environment: SealEnvironment, session: boto3.Session) -> None:
        self._table = Table(session.client("dynamodb"), tables.AUDIT_CHAIN, environment.audit_chain_table)
        self._code_version = environment.code_version
        self._retention_days = environment.retention_days

    def seal(
        self, complaint_id: str, entries: Mapping[str, Item | None], *, expired: Container[str] = (), late: bool = False
    ) -> Sealed:
        """Append a link for each entry whose content the chain has not sealed yet. None: the entry was removed.

        expired: those that DynamoDB removed because of their age. Where the chain has no link for one, none is added:
        the chain has expired too. late: whether the stream had lost the changes.
        """
        while True:
            before, taken = self._read(complaint_id)
            last = max(before, key=lambda link: link.number, default=None)
            free = (number for number in count(last.number + 1 if last else 1) if Link.numbered(number) not in taken)
            known = {link.entry for link in before}
            sealable = {entry: item for entry, item in entries.items() if entry in known or entry not in expired}
            new: list[Link] = []
            for number, (entry, content) in zip(free, unsealed(before, sealable), strict=False):
                now = datetime.now(UTC)
                link = Link.after(
                    last,
                    number,
                    entry in expired,
                    entry=entry,
                    content=content,
                    complaint_id=complaint_id,
                    sealed_at=timestamp(now),
                    late=late or None,
                    code_version=self._code_version,
                    expires_at=kept_until(last, content, now=now, retention_days=self._retention_days),
                )
                if not self._table.put_if_absent(link):
                    # Another writer was faster. Its links have to be read first.
                    break
                new.append(link)
                last = link
            else:
                return Sealed((*before, *new), new[-1] if new else None)

    def links(self, complaint_id: str) -> list[Link]:
        """Return the chain without its malformed items."""
        links, _ = self._read(complaint_id)
        return links

    def partitions(self, part: int, parts: int) -> Iterator[str]:
        """Yield the ids of the chains in one part of the table. part: from 0."""
        for partition, _ in groupby(str(item["complaint_id"]) for item in self._table.scan_part(part, parts)):
            yield partition

    def _read(self, complaint_id: str) -> tuple[list[Link], frozenset[str]]:
        """Return the links, and the sequences that are taken, also by malformed items.

        A malformed item breaks its own chain, and must not keep other complaints from being sealed.
        """
        items = list(self._table.query(complaint_id))
        return list(valid_rows(items, Link)), frozenset(str(item["sequence"]) for item in items)
