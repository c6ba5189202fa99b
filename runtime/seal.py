"""Seals every change of `complaints_allocation` into the chain of its complaint, as the table's stream reports it.

What the stream has lost is found by a schedule and sealed late; its links say so. MiniStack loses its streams at each
stop. A rewritten entry that is meant to be written once, and a removal by hand that no erasure names, raise an alarm at
once. The same schedule verifies all complaints in turn, a slice with each run.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final, Literal

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.anchors import Anchors
from runtime.adapters.chain import Chain
from runtime.adapters.metrics import Metrics
from runtime.adapters.story import StoryReader
from runtime.function import Handler, entry_point
from triage.audit.chain import Item, Link
from triage.audit.late import has_expired, is_recent, is_settled, overlooked
from triage.audit.verification import Finding, Stored, verify
from triage.contracts import Contract
from triage.feedback import INBOX
from triage.functions import SealEnvironment
from triage.metrics import Metric
from triage.outbox import slice_at

logger = Logger(service="seal")

LASTING: Final = frozenset({"rewritten", "removed", "inconsistent"})
"""Problems that later records of the stream cannot resolve, as they can any other."""

TIME_TO_LIVE: Final = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
"""Who removes an item that has expired, as the stream reports it.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
"""

Change = Literal["written", "removed", "expired"]

RESERVE_MILLISECONDS: Final = 30_000
"""A search ends this long before Lambda would end it."""

STREAM_KEEPS: Final = timedelta(days=1)
"""How old a change may be that the stream still reports.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

WHOLE: Final = "*"
"""Reported as the entry if no entry of the story or inbox can be verified."""


class LateRequest(Contract):
    """Asks to seal what the stream has lost, and to verify some complaints.

    at: the time of the schedule, which determines the slices; default now.
    """

    at: datetime | None = None


def build(environment: SealEnvironment, session: boto3.Session) -> Handler:
    stories = StoryReader(environment, session)
    chain = Chain(environment, session)
    metrics = Metrics(environment)
    anchors = Anchors(session.client("s3"), environment.anchors_bucket)

    def seal(event: dict[str, Any], context: object) -> None:
        """Seal what the stream reports, or what it has lost where the schedule asks for that.

        Raises whatever error prevents sealing, so that the stream waits and no change is left out.
        """
        if "Records" in event:
            seal_changes(_changed(event))
            return
        at = LateRequest.model_validate(event).at or datetime.now(UTC)
        has_time = _has_time(getattr(context, "get_remaining_time_in_millis", None))
        seal_overlooked(at, has_time)
        verify_in_turn(at, has_time)

    def seal_overlooked(at: datetime, has_time: Callable[[], bool]) -> None:
        """Search one slice of the table for recent changes that are not sealed."""
        now = datetime.now(UTC)
        part, slices = slice_now(at, environment.sweep_slices), environment.sweep_slices
        before, days = now - timedelta(seconds=environment.stale_after_seconds), environment.retention_days
        # Two passes, because a slice may not be read to its end.
        since = before - STREAM_KEEPS - 2 * timedelta(seconds=environment.sweep_every_seconds * slices)
        by_partition = groupby(stories.table.scan_part(part, slices), key=lambda item: str(item["complaint_id"]))
        for partition, items in by_partition:
            if not has_time():
                logger.warning("interrupted", extra={"slice": part, "slices": slices})
                return
            entries = list(items)
            if any(is_recent(item, since, days) for item in entries):
                in_inbox = partition.startswith(INBOX)
                story = list(stories.table.query(partition.removeprefix(INBOX))) if in_inbox else entries
                seal_late(partition, entries, chain.links(partition), story, before)

    def seal_late(
        partition: str, entries: Sequence[Item], links: Sequence[Link], story: Sequence[Item], before: datetime
    ) -> bool:
        """Seal what should have been sealed before this moment, and return whether there was any."""
        found = overlooked(links, entries, story, before=before, retention_days=environment.retention_days)
        if found:
            last = {link.entry: link for link in sorted(links, key=lambda link: link.number)}
            changes = {entry: _late_change(item, last.get(entry), before) for entry, item in found.items()}
            logger.warning("sealing late", extra={"complaint_id": partition, "changes": len(changes)})
            metrics.measure(Metric.SEALED_LATE, len(changes))
            seal_changes({partition: changes}, late=True)
        return bool(found)

    def verify_in_turn(at: datetime, has_time: Callable[[], bool]) -> None:
        """Verify the complaints of one slice against their chains, but not the chains against their anchors."""
        part, slices = slice_now(at, environment.verify_slices), environment.verify_slices
        before = datetime.now(UTC) - timedelta(seconds=environment.stale_after_seconds)
        for complaint_id in to_verify(part, slices):
            if not has_time():
                logger.warning("verification interrupted", extra={"slice": part, "slices": slices})
                return
            stored = read(complaint_id)
            late = seal_late(complaint_id, stored.story, stored.links, stored.story, before)
            late |= seal_late(INBOX + complaint_id, stored.inbox, stored.inbox_links, stored.story, before)
            found = findings(complaint_id, read(complaint_id) if late else stored)
            if not is_settled(stored, before, environment.retention_days):
                # What changes at this moment may not be sealed yet. The next turn sees it.
                found = [one for one in found if one.problem in LASTING]
            for finding in found:
                logger.error("does not verify", extra=finding.model_dump())
            if found:
                metrics.measure(Metric.UNVERIFIED, 1)

    def to_verify(part: int, slices: int) -> Iterator[str]:
        """Yield the complaints with records in a slice of the table, and those of which only a chain is left."""
        for partition, _ in groupby(str(item["complaint_id"]) for item in stories.table.scan_part(part, slices)):
            if not partition.startswith(INBOX) or not any(stories.table.query(partition.removeprefix(INBOX))):
                yield partition.removeprefix(INBOX)
        for partition in chain.partitions(part, slices):
            if not any(stories.table.query(partition)):
                yield partition.removeprefix(INBOX)

    def slice_now(at: datetime, slices: int) -> int:
        return slice_at(at, every_seconds=environment.sweep_every_seconds, slices=slices)

    def seal_changes(changed: Mapping[str, Mapping[str, Change]], *, late: bool = False) -> None:
        keys = [(partition, entry) for partition, entries in changed.items() for entry in entries]
        found = {(item["complaint_id"], item["entry"]): item for item in stories.table.get_many(keys, consistent=True)}
        for partition, changes in changed.items():
            contents = {entry: found.get((partition, entry)) for entry in changes}
            # What was written and is gone is left to the record of its removal, which says who removed it.
            entries = {entry: item for entry, item in contents.items() if item or changes[entry] != "written"}
            expired = frozenset(entry for entry in entries if changes[entry] == "expired")
            sealed = chain.seal(partition, entries, expired=expired, late=late)
            if sealed.links:
                # Also where nothing was new: an earlier attempt may have failed between the chain and its anchor.
                anchors.add(sealed.links[-1])
            if sealed.last is not None:
                link = {"complaint_id": partition, "link": sealed.last.number, "sha256": sealed.last.sha256}
                logger.info("sealed", extra=link)
            if again := sealed.to_verify(entries):
                found_wrong = [one for one in altered(partition) if one.entry in again or one.entry == WHOLE]
                for finding in found_wrong:
                    logger.error("altered record", extra=finding.model_dump())
                if records := len({finding.entry for finding in found_wrong}):
                    metrics.measure(Metric.RECORD_ALTERED, records)

    def altered(partition: str) -> list[Finding]:
        """Return the lasting problems of a story or an inbox."""
        complaint_id = partition.removeprefix(INBOX)
        found = findings(complaint_id, read(complaint_id))
        return [
            one for one in found if one.entry == WHOLE or (one.complaint_id == partition and one.problem in LASTING)
        ]

    def read(complaint_id: str) -> Stored:
        # The inbox comes first: what it calls applied is then in the story, too.
        inbox_links, inbox = chain.links(INBOX + complaint_id), stories.inbox(complaint_id)
        return Stored(chain.links(complaint_id), list(stories.table.query(complaint_id)), inbox_links, inbox)

    def findings(complaint_id: str, stored: Stored) -> list[Finding]:
        days = environment.retention_days
        try:
            return verify(complaint_id, **stored._asdict(), now=datetime.now(UTC), retention_days=days)
        except Exception as error:
            # A record that cannot be read must not keep the next change from being sealed.
            detail = f"its records cannot be verified: {type(error).__name__}"
            return [Finding(complaint_id=complaint_id, entry=WHOLE, problem="broken", detail=detail)]

    return seal


def _has_time(milliseconds_left: Callable[[], int] | None) -> Callable[[], bool]:
    return lambda: milliseconds_left is None or milliseconds_left() >= RESERVE_MILLISECONDS


def _late_change(item: Item | None, last: Link | None, before: datetime) -> Change:
    if item is not None:
        return "written"
    return "expired" if last is not None and has_expired(last, before) else "removed"


def _changed(event: dict[str, Any]) -> dict[str, dict[str, Change]]:
    """Return the last change of each entry of each partition, in the order of their first change."""
    changed: dict[str, dict[str, Change]] = defaultdict(dict)
    for record in event["Records"]:
        keys = record["dynamodb"]["Keys"]
        changed[keys["complaint_id"]["S"]][keys["entry"]["S"]] = _change(record)
    return changed


def _change(record: dict[str, Any]) -> Change:
    if record["eventName"] != "REMOVE":
        return "written"
    identity = record.get("userIdentity") or {}
    return "expired" if all(identity.get(name) == value for name, value in TIME_TO_LIVE.items()) else "removed"


handler = entry_point(SealEnvironment, build)
