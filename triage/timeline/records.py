"""The records of a complaint, typed. A record that cannot be read is listed and does not hide the others."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Self, cast

from pydantic import JsonValue, ValidationError

from triage.audit.chain import Item
from triage.contracts import Contract
from triage.story import (
    ALLOCATION,
    DELIVERY,
    ERASURE,
    EXPLANATION,
    FAILED,
    FEEDBACK,
    HOLD,
    PREDICTION,
    READING,
    SELECTION,
    SUPERSEDED,
    AllocationEntry,
    DeliveryEntry,
    Entry,
    ErasureEntry,
    ExplanationEntry,
    FailureEntry,
    FeedbackEntry,
    HoldEntry,
    PredictionEntry,
    ReadingEntry,
    SelectionEntry,
    SupersededEntry,
)
from triage.validation import problems

OUTBOX: Final = ("complaint_id", "received_at", "triage_state", "triage_attempts")
"""The attributes of the raw complaint that an account needs. The narrative is not one of them."""

SINGLE: Final[dict[str, tuple[str, type[Entry]]]] = {
    SELECTION: ("selection", SelectionEntry),
    ALLOCATION: ("allocation", AllocationEntry),
}
"""Records that exist at most once: by key, the field of `Records` and the model."""

REPEATED: Final[dict[str, tuple[str, type[Entry]]]] = {
    PREDICTION: ("predictions", PredictionEntry),
    FAILED: ("failed", FailureEntry),
    SUPERSEDED: ("superseded", SupersededEntry),
    FEEDBACK: ("feedback", FeedbackEntry),
    EXPLANATION: ("explanations", ExplanationEntry),
    DELIVERY: ("deliveries", DeliveryEntry),
    READING: ("readings", ReadingEntry),
    HOLD: ("holds", HoldEntry),
    ERASURE: ("erasures", ErasureEntry),
}
"""Records that may exist several times: by the prefix of their keys."""

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
    selection: SelectionEntry | None = None
    predictions: tuple[PredictionEntry, ...] = ()
    failed: tuple[FailureEntry, ...] = ()
    allocation: AllocationEntry | None = None
    superseded: tuple[SupersededEntry, ...] = ()
    feedback: tuple[FeedbackEntry, ...] = ()
    refused: tuple[Row, ...] = ()
    waiting: tuple[Row, ...] = ()
    explanations: tuple[ExplanationEntry, ...] = ()
    deliveries: tuple[DeliveryEntry, ...] = ()
    readings: tuple[ReadingEntry, ...] = ()
    holds: tuple[HoldEntry, ...] = ()
    erasures: tuple[ErasureEntry, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    @classmethod
    def read(cls, complaint_id: str, *, raw: Item | None, story: Iterable[Item], inbox: Iterable[Item]) -> Self:
        """Return the records, sorted by key.

        raw: the attributes OUTBOX of the complaint; None if it does not exist any more. story: the items of
        `complaints_allocation` under its id. inbox: the items that were handed in as feedback about it.
        """
        found: dict[str, Any] = {name: [] for name, _ in REPEATED.values()} | {"unreadable": []}
        for item in sorted(story, key=lambda item: str(item["entry"])):
            entry = str(item["entry"])
            prefix = next((prefix for prefix in REPEATED if entry.startswith(prefix)), None)
            name, model = SINGLE.get(entry) or REPEATED.get(prefix or "") or ("unreadable", None)
            try:
                record = model.model_validate(item) if model else Unreadable(entry=entry, problem="is no known record")
            except ValidationError as error:
                name, record = "unreadable", Unreadable(entry=entry, problem=problems(error, "record"))
            found[name] = record if entry in SINGLE and name != "unreadable" else [*found[name], record]
        rows = sorted((cast("Row", plain(dict(row))) for row in inbox), key=lambda row: str(row.get("entry")))
        selection, outbox = found.get("selection"), raw or {}
        return cls(
            complaint_id=complaint_id,
            received_at=(selection and selection.received_at) or iso_time(outbox.get("received_at")),
            triage_state=outbox.get("triage_state"),
            attempts=int(outbox.get("triage_attempts") or 0),
            refused=tuple(row for row in rows if row.get("outcome") == "refused"),
            waiting=tuple(row for row in rows if row.get("outcome") is None),
            **found,
        )

    @property
    def keys(self) -> set[str]:
        """The keys of all records in the story."""
        fields = [getattr(self, name) for name, _ in (*SINGLE.values(), *REPEATED.values())]
        entries = [entry for field in fields for entry in (field if isinstance(field, tuple) else (field,)) if entry]
        return {entry.entry for entry in (*entries, *self.unreadable)}


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
