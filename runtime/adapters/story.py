"""The stories of complaints in `complaints_allocation`: read as typed entries, and added to."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Protocol, TypeVar

import boto3

from runtime.adapters.dynamodb import Condition, Table, Write
from triage import tables
from triage.audit.chain import Item
from triage.feedback import INBOX
from triage.outbox import expiry
from triage.stored_story import StoredStory
from triage.story import Entry, HoldEntry

E = TypeVar("E", bound=Entry)
ABSENT: Final = Condition("attribute_not_exists(#id)", id="complaint_id")
HELD: Final = Condition("#held = :held", held="held").comparing(held="yes")


class ReaderEnvironment(Protocol):
    @property
    def complaints_allocation_table(self) -> str: ...


class StoryEnvironment(ReaderEnvironment, Protocol):
    @property
    def code_version(self) -> str: ...
    @property
    def retention_days(self) -> int: ...


class StoryReader:
    def __init__(self, environment: ReaderEnvironment, session: boto3.Session) -> None:
        name = environment.complaints_allocation_table
        self.table = Table(session.client("dynamodb"), tables.COMPLAINTS_ALLOCATION, name)

    def read(self, complaint_id: str) -> StoredStory:
        """Return the whole story. It has no entries where nothing is recorded."""
        return StoredStory(self.table.query(complaint_id))

    def get(self, kind: type[E], complaint_id: str, entry: str) -> E | None:
        """Return the entry, or None if there is none. Raises: ValidationError if it is not valid."""
        item = self.table.get(complaint_id, entry)
        return None if item is None else kind.model_validate(item)

    def has(self, complaint_id: str, entry: str) -> bool:
        """Return whether the entry is there, valid or not."""
        return self.table.get(complaint_id, entry) is not None

    def inbox(self, complaint_id: str) -> list[Item]:
        """Return the feedback that was handed in about a complaint. A row may hold anything."""
        return list(self.table.query(INBOX + complaint_id))

    def held(self) -> list[str]:
        """Return the ids of the complaints that a legal hold keeps."""
        return sorted({str(item["complaint_id"]) for item in self.table.query("yes", index="by_hold")})


class Stories(StoryReader):
    """Writes entries, and adds the time after which they expire to those that do not state it.

    A legal hold does not expire while it is in force.
    """

    def __init__(self, environment: StoryEnvironment, session: boto3.Session) -> None:
        super().__init__(environment, session)
        self.code_version = environment.code_version
        self._retention_days = environment.retention_days

    def add(self, entry: Entry) -> bool:
        """Write an entry that is written once; False where it is there already."""
        return self.table.put_if_absent(self.stamped(entry))

    def record(self, entry: E) -> E:
        """Write an entry whose key is new, and return it with its stamp. No record replaces another.

        Raises: RuntimeError where the key is taken; the caller's next attempt has another.
        """
        stamped = self.stamped(entry)
        if not self.table.put_if_absent(stamped):
            raise RuntimeError(f"a record {entry.entry} is there already; nothing was written")
        return stamped

    def to_record(self, entry: Entry) -> Write:
        """Return the write of a new entry, for `write_together`."""
        return self.table.to_put(self.stamped(entry), condition=ABSENT)

    def lift(self, hold: HoldEntry) -> bool:
        """Write a hold that was lifted over the one in force; False where that is no longer in force."""
        return self.table.put(hold, condition=HELD)

    def remove(self, complaint_id: str, entries: Iterable[str], *, feedback: Iterable[str]) -> None:
        """Remove entries of a story, and rows of its inbox by the ids of their feedback."""
        for entry in entries:
            self.table.delete(complaint_id, entry)
        for feedback_id in feedback:
            self.table.delete(INBOX + complaint_id, feedback_id)

    def stamped(self, entry: E) -> E:
        """Return the entry with the time after which it expires."""
        if entry.expires_at is not None or isinstance(entry, HoldEntry):
            return entry
        return entry.model_copy(update={"expires_at": expiry(datetime.now(UTC), self._retention_days)})
