"""Whether a complaint's records are what was sealed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from triage.audit.chain import Item, Link, content_sha256
from triage.contracts import Contract
from triage.feedback import INBOX, OURS
from triage.story import ALLOCATION, ERASURE, EXPLANATION, HOLD, SUPERSEDED

LIFTING: Final = ("lifted_at", "lifted_by", "lifted_reason")

Problem = Literal["broken", "changed", "rewritten", "missing", "removed", "unsealed"]


class Finding(Contract):
    """What is wrong with a record.

    broken: the chain itself was altered. changed: an entry is not what was sealed last. rewritten: what is written
    once was written again. missing: it was sealed and is not there. removed: it went neither by erasure nor by age.
    unsealed: the chain does not know it, or not yet.
    """

    complaint_id: str
    entry: str
    problem: Problem
    detail: str


@dataclass(frozen=True)
class Partition:
    """A chain, and the items whose changes it seals: a story, or an inbox for feedback."""

    complaint_id: str
    links: Iterable[Link] = ()
    items: Iterable[Item] = ()
    erased: frozenset[str] = field(default=frozenset())

    def findings(self, *, now: datetime, retention_days: int) -> Iterator[Finding]:
        items = {str(item["entry"]): item for item in self.items}
        chain = sorted(self.links, key=lambda link: link.number)
        for link, problem in _breaks(chain, now, retention_days):
            yield self._finding(link.entry, "broken", problem)
        sealed: dict[str, list[Link]] = {}
        for link in chain:
            sealed.setdefault(link.entry, []).append(link)
        for entry, changes in sealed.items():
            if entry in items:
                yield from self._of_what_is_there(entry, items, changes)
            else:
                yield from self._of_what_is_gone(entry, changes, retention_days)
        for entry in sorted(items.keys() - sealed.keys()):
            yield self._finding(entry, "unsealed", "the chain does not know it")

    def _of_what_is_there(self, entry: str, items: Mapping[str, Item], changes: list[Link]) -> Iterator[Finding]:
        *before, last = changes
        if content_sha256(items[entry]) != last.content_sha256:
            yield self._finding(entry, "changed", f"it is not what was {last.change} at {last.sealed_at}")
        earlier = {content_sha256(form) for form in _earlier_forms(self.complaint_id, entry, items)}
        for link in before:
            if link.change != "pending" and link.content_sha256 not in earlier:
                yield self._finding(entry, "rewritten", f"it was {link.change} otherwise at {link.sealed_at}")

    def _of_what_is_gone(self, entry: str, changes: list[Link], retention_days: int) -> Iterator[Finding]:
        last = changes[-1]
        if last.change != "removed":
            yield self._finding(entry, "missing", f"it was there at {last.sealed_at}")
        elif entry not in self.erased and not _aged(last, _moment(last.sealed_at), retention_days):
            yield self._finding(entry, "removed", f"at {last.sealed_at}, and no erasure names it")

    def _finding(self, entry: str, problem: Problem, detail: str) -> Finding:
        return Finding(complaint_id=self.complaint_id, entry=entry, problem=problem, detail=detail)


def verify(
    complaint_id: str,
    *,
    links: Iterable[Link],
    story: Iterable[Item],
    inbox_links: Iterable[Link],
    inbox: Iterable[Item],
    now: datetime,
    retention_days: int,
) -> list[Finding]:
    """Everything that is wrong with a complaint's story, and with the feedback handed in about it."""
    items = list(story)
    erasures = [item for item in items if str(item["entry"]).startswith(ERASURE)]
    # An erasure takes explanations of a story: one that names anything else was not made by us.
    erased = frozenset(entry for entry in _named(erasures, "entries") if entry.startswith(EXPLANATION))
    partitions = (
        Partition(complaint_id, links, items, erased),
        Partition(INBOX + complaint_id, inbox_links, inbox, _named(erasures, "refused_feedback")),
    )
    return [
        finding
        for partition in partitions
        for finding in partition.findings(now=now.astimezone(UTC), retention_days=retention_days)
    ]


def _named(erasures: Iterable[Item], attribute: str) -> frozenset[str]:
    named = (erasure.get(attribute) for erasure in erasures)
    return frozenset(str(entry) for entries in named if isinstance(entries, list | tuple | set) for entry in entries)


def _earlier_forms(complaint_id: str, entry: str, items: Mapping[str, Item]) -> Iterator[Item]:
    """All that an entry may have been before it came to be what it is. Most are written once."""
    item = items[entry]
    if complaint_id.startswith(INBOX):
        yield _without(item, OURS)
        # Put again as it was handed in, it was given the same outcome.
        yield item
    elif entry == ALLOCATION:
        replaced = (old.get("allocation") for key, old in items.items() if key.startswith(SUPERSEDED))
        # What somebody slipped in may hold anything.
        yield from (form for form in replaced if isinstance(form, Mapping))
    elif entry.startswith(HOLD):
        yield {**_without(item, LIFTING), "held": "yes"}


def _without(item: Item, attributes: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in attributes}


def _breaks(chain: list[Link], now: datetime, retention_days: int) -> Iterator[tuple[Link, str]]:
    """Where a link was altered, or the one before it is not there. The oldest may have expired."""
    before: Link | None = None
    for link in chain:
        if not link.is_sound:
            yield link, f"link {link.number} was altered"
        elif before is None and link.number > 1:
            if not _aged(link, now, retention_days):
                yield link, f"the chain begins at link {link.number}"
        elif before is not None and (link.number, link.previous_sha256) != (before.number + 1, before.sha256):
            yield link, f"link {link.number} does not follow link {before.number}"
        before = link


def _aged(link: Link, at: datetime | None, retention_days: int) -> bool:
    """Whether records of the complaint may have expired: it is sealed a moment after it is written."""
    began = _moment(link.began_at)
    return began is not None and at is not None and at - began > timedelta(days=retention_days - 1)


def _moment(stated: str) -> datetime | None:
    """None where a link was altered so that it states no time."""
    try:
        return datetime.fromisoformat(stated).astimezone(UTC)
    except ValueError:
        return None
