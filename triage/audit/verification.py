"""Checks the records of a complaint against the chains that sealed them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from triage.audit.anchor import Anchor, contradictions
from triage.audit.chain import Item, Link, content_sha256, moment
from triage.audit.invariants import Recorded
from triage.contracts import Contract
from triage.feedback import INBOX, OURS
from triage.stored_story import kind_of
from triage.story import ALLOCATION, ErasureEntry, ExplanationEntry, HoldEntry, ReceiptEntry, SupersededEntry

LIFTING: Final = ("lifted_at", "lifted_by", "lifted_reason")

Problem = Literal["broken", "changed", "rewritten", "missing", "removed", "unsealed", "inconsistent", "unanchored"]


class Finding(Contract):
    """What is wrong with one record.

    broken: the chain itself was altered. changed: the entry differs from what was sealed last. rewritten: an entry that
    is written once was written again. missing: the entry was sealed and is gone. removed: the removal was sealed, and
    no erasure names it, or DynamoDB removed it before its age. unsealed: the chain has no link for the entry, or none
    yet. inconsistent: the record contradicts others of the complaint. unanchored: the anchors, which nobody may change,
    know another chain, or not this one yet.
    """

    complaint_id: str
    entry: str
    problem: Problem
    detail: str


class Stored(NamedTuple):
    """What `verify` compares: a complaint's story, its inbox of feedback, and their chains."""

    links: list[Link]
    story: list[Item]
    inbox_links: list[Link]
    inbox: list[Item]


@dataclass(frozen=True)
class Partition:
    """A story or an inbox of feedback, and its chain.

    erased: the entries that erasures name as removed. received: the hashes that a row of feedback had with its
    outcomes, by its id, as receipts state them.
    """

    complaint_id: str
    links: Iterable[Link]
    items: Iterable[Item]
    erased: frozenset[str]
    received: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def findings(self, *, now: datetime, retention_days: int) -> Iterator[Finding]:
        items = {str(item["entry"]): item for item in self.items}
        # DynamoDB removes expired links within days and in no order, so those that are left say nothing.
        kept = (link for link in self.links if link.expires_at is None or link.expires_at > now.timestamp())
        chain = sorted(kept, key=lambda link: link.number)
        for link, problem in _breaks(chain, now, retention_days):
            yield self._finding(link.entry, "broken", problem)
        sealed: dict[str, list[Link]] = {}
        for link in chain:
            sealed.setdefault(link.entry, []).append(link)
        for entry, (*before, last) in sealed.items():
            if entry in items:
                if content_sha256(items[entry]) != last.content_sha256:
                    yield self._finding(entry, "changed", f"it differs from what was {last.change} at {last.sealed_at}")
                earlier = {content_sha256(form) for form in _earlier_forms(self.complaint_id, entry, items)}
                earlier |= self.received.get(entry, frozenset())
                for link in before:
                    if link.change != "pending" and link.content_sha256 not in earlier:
                        detail = f"it was {link.change} with other contents at {link.sealed_at}"
                        yield self._finding(entry, "rewritten", detail)
            elif last.change == "expired":
                if not _aged(last, moment(last.sealed_at), retention_days):
                    detail = f"it expired at {last.sealed_at}, before its age: somebody changed its `expires_at`"
                    yield self._finding(entry, "removed", detail)
            elif last.change != "removed":
                yield self._finding(entry, "missing", f"it is gone; it was still there at {last.sealed_at}")
            elif entry not in self.erased:
                detail = f"it was removed by hand at {last.sealed_at}, and no erasure names it"
                yield self._finding(entry, "removed", detail)
        for entry in sorted(items.keys() - sealed.keys()):
            yield self._finding(entry, "unsealed", "the chain has no link for it")

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
    """Return everything that is wrong with a complaint's story, and with the feedback handed in about it."""
    items = list(story)
    erasures = [item for item in items if kind_of(str(item["entry"])) is ErasureEntry]
    # An erasure removes explanations alone from a story. One that names another entry was written by hand.
    erased = frozenset(entry for entry in _named(erasures, "entries") if kind_of(entry) is ExplanationEntry)
    chain, rows, erased_feedback = list(links), list(inbox), _named(erasures, "refused_feedback")
    partitions = (
        Partition(complaint_id, chain, items, erased),
        Partition(INBOX + complaint_id, inbox_links, rows, erased_feedback, _received(items)),
    )
    now = now.astimezone(UTC)
    recorded = Recorded(
        story={str(item["entry"]): item for item in items},
        inbox={str(row["entry"]): row for row in rows},
        erased_feedback=erased_feedback,
        aged=any(_aged(link, now, retention_days) for link in chain),
    )
    return [
        finding for partition in partitions for finding in partition.findings(now=now, retention_days=retention_days)
    ] + [
        Finding(
            complaint_id=INBOX + complaint_id if one.in_inbox else complaint_id,
            entry=one.entry,
            problem="inconsistent",
            detail=one.detail,
        )
        for one in recorded.contradictions()
    ]


def verify_anchors(links: Iterable[Link], anchors: Iterable[Anchor]) -> list[Finding]:
    """Return everything in which a chain is not the one that was anchored."""
    return [
        Finding(complaint_id=link.complaint_id, entry=link.entry, problem="unanchored", detail=detail)
        for link, detail in contradictions(links, anchors)
    ]


def _received(items: Iterable[Item]) -> dict[str, frozenset[str]]:
    """Return the hashes that receipts state, by the id of the feedback. A receipt written by hand may hold anything."""
    found: dict[str, frozenset[str]] = {}
    for item in items:
        if kind_of(str(item["entry"])) is ReceiptEntry:
            feedback_id = str(item.get("feedback_id"))
            found[feedback_id] = found.get(feedback_id, frozenset()) | {str(item.get("result_sha256"))}
    return found


def _named(erasures: Iterable[Item], attribute: str) -> frozenset[str]:
    """Return the entries that erasures list under this attribute. An erasure written by hand may hold anything."""
    named = (erasure.get(attribute) for erasure in erasures)
    return frozenset(str(entry) for entries in named if isinstance(entries, list | tuple | set) for entry in entries)


def _earlier_forms(complaint_id: str, entry: str, items: Mapping[str, Item]) -> Iterator[Item]:
    """Yield the contents that an entry may have had before. Only feedback, allocations and holds are ever rewritten."""
    item = items[entry]
    if complaint_id.startswith(INBOX):
        yield _without(item, OURS)
        # Feedback that its writer put again has received the same outcome again.
        yield item
    elif entry == ALLOCATION:
        replaced = (old.get("allocation") for key, old in items.items() if kind_of(key) is SupersededEntry)
        # An entry that was added by hand may hold anything.
        yield from (form for form in replaced if isinstance(form, Mapping))
    elif kind_of(entry) is HoldEntry:
        yield {**_without(item, LIFTING), "held": "yes"}


def _without(item: Item, attributes: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in attributes}


def _breaks(chain: list[Link], now: datetime, retention_days: int) -> Iterator[tuple[Link, str]]:
    """Yield each link that was altered, or whose predecessor is gone. Only the oldest links may have expired."""
    before: Link | None = None
    for link in chain:
        if not link.is_sound:
            yield link, f"link {link.number} was altered"
        elif before is None and link.number > 1:
            if not _aged(link, now, retention_days):
                yield link, f"the chain begins at link {link.number}; the links before it are gone"
        elif before is not None and (link.number, link.previous_sha256) != (before.number + 1, before.sha256):
            yield link, f"link {link.number} does not follow link {before.number}"
        before = link


def _aged(link: Link, at: datetime | None, retention_days: int) -> bool:
    """Return whether records of the complaint may have expired by `at`. One day less than the retention is enough,
    because records are sealed a moment after they are written."""
    began = moment(link.began_at)
    return began is not None and at is not None and at - began > timedelta(days=retention_days - 1)
