"""Legal holds: everything recorded of a complaint loses its expiry, and gets it back once the hold is lifted.

A hold and the mark of it on the complaint are written in one transaction. An erasure removes the complaint only without
this mark, so that of both at once one fails.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import boto3

from runtime.adapters.dynamodb import Condition, Table, write_together
from runtime.adapters.story import Stories
from triage import tables
from triage.audit.chain import KEPT_LONGER_DAYS, began
from triage.audit.hold import Held, HoldRequest, expiry_after, lifted, placed
from triage.errors import HoldRefusedError
from triage.feedback import INBOX
from triage.functions import HoldEnvironment
from triage.outbox import DAY, expiry
from triage.stored_story import StoredStory
from triage.story import SELECTION, ErasureEntry, HoldEntry

EXPIRES: Final = "expires_at"
HAS_EXPIRY: Final = Condition("attribute_exists(#expires)", expires=EXPIRES)
EXISTS: Final = Condition("attribute_exists(#id)", id="complaint_id")
MARK: Final = "triage_held"
HELD_MARK: Final = "yes"
UNMARKED: Final = Condition("attribute_exists(#id) AND attribute_not_exists(#mark)", id="complaint_id", mark=MARK)


class LegalHolds:
    """Covers the complaint itself, its story, the feedback handed in about it, and the chains of both."""

    def __init__(self, environment: HoldEnvironment, session: boto3.Session) -> None:
        client = self._client = session.client("dynamodb")
        self._complaints = Table(client, tables.RAW_COMPLAINTS, environment.raw_complaints_table)
        self._chain = Table(client, tables.AUDIT_CHAIN, environment.audit_chain_table)
        self._environment = environment
        self.stories = Stories(environment, session)

    def change(self, request: HoldRequest) -> Held:
        """Place or lift a hold. Placing a second one returns the first.

        Raises: HoldRefusedError where there is nothing to hold or lift, or another person lifted the hold meanwhile.
        """
        now, story = datetime.now(UTC), self.stories.read(request.complaint_id)
        if not story.items:
            raise HoldRefusedError(
                f"{request.complaint_id} has no story, so there is nothing to hold; check the complaint's id"
            )
        lifted_meanwhile = HoldRefusedError(
            f"another person lifted the hold of {request.complaint_id} meanwhile; look at its story, then try again"
        )
        if request.kind == "place":
            hold = story.hold or self._placed(request, now)
            kept = self.keep(request.complaint_id)
            if kept is None:
                raise lifted_meanwhile
            return Held(hold=hold, kept=kept)
        hold = lifted(story, request, now=now)
        # The mark goes last, with the expiries: until then nothing is erased.
        if story.hold is not None and not self.stories.lift(hold):
            raise lifted_meanwhile
        # Also after an earlier lift: where that was interrupted, records are left that would never expire.
        return Held(hold=hold, kept=self._resume_expiry(request.complaint_id, story, now))

    def _placed(self, request: HoldRequest, now: datetime) -> HoldEntry:
        """Place a hold on a complaint that still exists; return the one that another person placed meanwhile.

        Raises: HoldRefusedError.
        """
        hold = placed(request, now=now, code_version=self._environment.code_version)
        for condition in (UNMARKED, EXISTS):
            mark = self._complaints.to_update(request.complaint_id, assign={MARK: HELD_MARK}, condition=condition)
            if write_together(self._client, [self.stories.to_record(hold), mark]):
                return hold
            story = self.stories.read(request.complaint_id)
            if story.hold is not None:
                return story.hold
        erased = max((erasure.erased_at for erasure in story.all(ErasureEntry) if erasure.text), default=None)
        gone = f"was erased at {erased}" if erased else "does not exist any more"
        raise HoldRefusedError(f"{request.complaint_id} {gone}, so there is no text that a hold could keep")

    def keep(self, complaint_id: str) -> int | None:
        """Take the expiry from every record of a held complaint.

        Return how many records had one; None where the complaint is not held, or its hold was lifted meanwhile.
        """
        if self.stories.read(complaint_id).hold is None:
            return None
        # A complaint that was put again has lost its mark.
        self._complaints.update(complaint_id, assign={MARK: HELD_MARK}, condition=UNMARKED)
        kept = sum(
            table.update(*key, assign={}, remove=(EXPIRES,), condition=HAS_EXPIRY)
            for table, key, _ in self._records(complaint_id, at=0)
        )
        story = self.stories.read(complaint_id)
        if story.hold is None:
            # The hold may have been lifted while expiries were taken away, so those taken since are given back.
            self._resume_expiry(complaint_id, story, datetime.now(UTC))
            return None
        return kept

    def _resume_expiry(self, complaint_id: str, story: StoredStory, now: datetime) -> int:
        """Let every record expire again; return how many there are."""
        selected_at = story.items.get(SELECTION, {}).get("selected_at")
        at = expiry_after(selected_at, now=now, retention_days=self._environment.retention_days)
        resumed = sum(
            table.update(*key, assign={EXPIRES: expires_at}, condition=EXISTS)
            for table, key, expires_at in self._records(complaint_id, at=at)
        )
        self._complaints.update(complaint_id, assign={}, remove=(MARK,), condition=EXISTS)
        return resumed

    def _records(self, complaint_id: str, *, at: int) -> Iterator[tuple[Table, tuple[str, ...], int]]:
        """Yield the table and key of each record, and when it expires if the complaint expires `at`."""
        yield self._complaints, (complaint_id,), at
        for partition in (complaint_id, INBOX + complaint_id):
            links = list(self._chain.query(partition))
            first = began(links)
            # A record that expires while its chain is still young would look as if somebody had removed it.
            expires_at = max(at, expiry(first, self._environment.retention_days)) if first else at
            for item in self.stories.table.query(partition):
                yield self.stories.table, (partition, str(item["entry"])), expires_at
            for link in links:
                yield self._chain, (partition, str(link["sequence"])), expires_at + KEPT_LONGER_DAYS * DAY
