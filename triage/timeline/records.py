"""What is recorded of a complaint, read so that nothing in it keeps the rest from being shown."""

from collections.abc import Iterable
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
from triage.timeline.events import as_time, plain

OUTBOX: Final = ("complaint_id", "received_at", "triage_state", "triage_attempts")
"""What an account needs of the raw complaint, and its words are not among it."""

ONE: Final[dict[str, tuple[str, type[Entry]]]] = {
    SELECTION: ("selection", SelectionEntry),
    ALLOCATION: ("allocation", AllocationEntry),
}
MANY: Final[dict[str, tuple[str, type[Entry]]]] = {
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


Row = dict[str, JsonValue]
"""Of an inbox, as it was handed in."""


class Unreadable(Contract):
    """A record that is none of those this program writes, and why."""

    entry: str
    problem: str


class Records(Contract):
    """What is recorded of a complaint, typed. Its words are not among it.

    received_at: as operations state it. attempts: executions that were started. refused, waiting: feedback as it was
    handed in, which may hold anything; nobody has applied or refused the latter yet.
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
        """In whatever order they come. raw: the attributes of OUTBOX; None where the complaint is gone."""
        found: dict[str, Any] = {name: [] for name, _ in MANY.values()} | {"unreadable": []}
        for item in sorted(story, key=lambda item: str(item["entry"])):
            entry = str(item["entry"])
            prefix = next((prefix for prefix in MANY if entry.startswith(prefix)), None)
            name, model = ONE.get(entry) or MANY.get(prefix or "") or ("", None)
            try:
                if model is None:
                    raise LookupError("no such record is known")
                read = model.model_validate(item)
            except (LookupError, ValidationError) as error:
                found["unreadable"].append(Unreadable(entry=entry, problem=_problem(error)))
            else:
                found[name] = read if entry in ONE else [*found[name], read]
        rows = sorted((cast("Row", plain(dict(row))) for row in inbox), key=lambda row: str(row.get("entry")))
        selection, stated = found.get("selection"), raw or {}
        return cls(
            complaint_id=complaint_id,
            received_at=(selection and selection.received_at) or as_time(stated.get("received_at")),
            triage_state=stated.get("triage_state"),
            attempts=int(stated.get("triage_attempts") or 0),
            refused=tuple(row for row in rows if row.get("outcome") == "refused"),
            waiting=tuple(row for row in rows if row.get("outcome") is None),
            **found,
        )

    @property
    def keys(self) -> set[str]:
        """Of all the records of the story that are there."""
        many = (record for name, _ in MANY.values() for record in getattr(self, name))
        ones = (record for name, _ in ONE.values() if (record := getattr(self, name)) is not None)
        return {record.entry for record in (*ones, *many, *self.unreadable)}


def _problem(error: LookupError | ValidationError) -> str:
    """Names what is wrong, and not what is there."""
    if isinstance(error, LookupError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors())
