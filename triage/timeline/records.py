"""The records of a complaint, typed. A record that cannot be read is listed and does not hide the others."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, Self, cast, get_args

from pydantic import JsonValue, ValidationError

from triage import story as stored
from triage.audit.chain import Item
from triage.contracts import Contract
from triage.stored_story import KINDS, kind_of
from triage.validation import problems

OUTBOX: Final = ("complaint_id", "received_at", "triage_state", "triage_attempts")
"""The attributes of the raw complaint that an account needs. The narrative is not one of them."""

Row = dict[str, JsonValue]
"""A row of the feedback inbox, as its writer put it there."""


class Unreadable(Contract):
    """A record that does not have the form of any known record. problem: which rule it breaks."""

    entry: str
    problem: str


class Records(Contract):
    """All records of a complaint, without its text.

    received_at: when the complaint came in, as operations state it. attempts: how many executions were started.
    refused, waiting: feedback rows as their writers put them, so they may hold anything; nothing has processed the
    waiting ones yet.
    """

    complaint_id: str
    received_at: str | None = None
    triage_state: str | None = None
    attempts: int = 0
    selection: stored.SelectionEntry | None = None
    predictions: tuple[stored.PredictionEntry, ...] = ()
    failed: tuple[stored.FailureEntry, ...] = ()
    allocation: stored.AllocationEntry | None = None
    superseded: tuple[stored.SupersededEntry, ...] = ()
    feedback: tuple[stored.FeedbackEntry, ...] = ()
    refused: tuple[Row, ...] = ()
    waiting: tuple[Row, ...] = ()
    explanations: tuple[stored.ExplanationEntry, ...] = ()
    deliveries: tuple[stored.DeliveryEntry, ...] = ()
    readings: tuple[stored.ReadingEntry, ...] = ()
    holds: tuple[stored.HoldEntry, ...] = ()
    erasures: tuple[stored.ErasureEntry, ...] = ()
    receipts: tuple[stored.ReceiptEntry, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    @classmethod
    def read(cls, complaint_id: str, *, raw: Item | None, story: Iterable[Item], inbox: Iterable[Item]) -> Self:
        """Return the records, sorted by key.

        raw: the attributes OUTBOX of the complaint; None if it does not exist any more. story: the items of
        `complaints_allocation` under its id. inbox: the items that were handed in as feedback about it.
        """
        found: dict[str, Any] = {}
        unreadable = []
        for item in sorted(story, key=lambda item: str(item["entry"])):
            entry = str(item["entry"])
            kind = kind_of(entry)
            if kind is None:
                unreadable.append(Unreadable(entry=entry, problem="is no known record"))
                continue
            name = _fields()[kind]
            try:
                record = kind.model_validate(item)
            except ValidationError as error:
                unreadable.append(Unreadable(entry=entry, problem=problems(error, "record")))
            else:
                found[name] = (*found.get(name, ()), record) if cls.model_fields[name].default == () else record
        rows = sorted((cast("Row", plain(dict(row))) for row in inbox), key=lambda row: str(row.get("entry")))
        selection, outbox = found.get("selection"), raw or {}
        return cls(
            complaint_id=complaint_id,
            received_at=(selection and selection.received_at) or iso_time(outbox.get("received_at")),
            triage_state=outbox.get("triage_state"),
            attempts=int(outbox.get("triage_attempts") or 0),
            refused=tuple(row for row in rows if row.get("outcome") == "refused"),
            waiting=tuple(row for row in rows if row.get("outcome") is None),
            unreadable=tuple(unreadable),
            **found,
        )

    @property
    def keys(self) -> set[str]:
        """The keys of all records in the story."""
        fields = [getattr(self, name) for name in _fields().values()]
        entries = [entry for field in fields for entry in (field if isinstance(field, tuple) else (field,)) if entry]
        return {entry.entry for entry in (*entries, *self.unreadable)}


@cache
def _fields() -> dict[type[stored.Entry], str]:
    """Return the field of `Records` for each kind of entry, read from the types of the fields."""
    kinds = {name: get_args(field.annotation)[:1] for name, field in Records.model_fields.items()}
    return {kind: name for name, of in kinds.items() for kind in of if kind in KINDS.values()}


def instant(at: object) -> datetime | None:
    """Return the time that an ISO 8601 text states, in UTC if it states no zone; None for anything else.

    >>> instant("2026-03-02"), instant("yesterday")
    (datetime.datetime(2026, 3, 2, 0, 0, tzinfo=datetime.timezone.utc), None)
    """
    try:
        found = datetime.fromisoformat(at) if isinstance(at, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def iso_time(value: object) -> str | None:
    """Return valid ISO 8601 text as it is, and None for anything else."""
    return value if isinstance(value, str) and instant(value) else None


def printable(text: object) -> str:
    """Return text from outside without characters that control a terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(text))


def plain(value: Any) -> JsonValue:
    """Return any value that DynamoDB holds as JSON; what JSON cannot express becomes a description."""
    match value:
        case None | bool() | str():
            return value
        case dict():
            return {str(name): plain(element) for name, element in value.items()}
        case list() | tuple():
            return list(map(plain, value))
        case set() | frozenset():
            return list(map(plain, sorted(map(str, value))))
        case Decimal() | int() | float():
            return int(value) if value == int(value) else float(value)
        case _:
            return repr(value)
