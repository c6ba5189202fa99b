"""The outbox attributes of `raw_complaints`. Every change is conditional, so that one of two writers wins."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from runtime.adapters.dynamodb import Condition, Table
from triage.complaint import timestamp
from triage.outbox import PARKED, STARTED, execution_name, expiry

_ATTRIBUTES = ("complaint_id", "triage_state", "triage_execution", "triage_attempts")


class Outbox:
    def __init__(self, complaints: Table, *, retention_days: int) -> None:
        self._complaints = complaints
        self._retention_days = retention_days

    def claim(self, complaint_id: str, now: datetime) -> str | None:
        """Claim an unseen complaint. Return the name of the execution to start, or None where another claimed it."""
        name = execution_name(complaint_id)
        condition = Condition(
            "attribute_exists(#id) AND attribute_not_exists(#state)", id="complaint_id", state="triage_state"
        )
        return name if self._start(complaint_id, name, 1, now, condition) else None

    def reclaim(self, item: dict[str, Any], now: datetime, *, attempt: int) -> str | None:
        """Claim a complaint whose execution ended without an allocation, under a new name, as `claim` does."""
        name = execution_name(item["complaint_id"], again_at=now)
        return name if self._start(item["complaint_id"], name, attempt, now, _unchanged(item)) else None

    def park(self, item: dict[str, Any]) -> bool:
        return self._complaints.update(
            item["complaint_id"], assign={"triage_state": PARKED}, condition=_unchanged(item)
        )

    def unpark(self, item: dict[str, Any]) -> None:
        """Undo parking, because the message about it could not be sent. The next sweep parks the complaint again."""
        parked = _unchanged({**item, "triage_state": PARKED})
        self._complaints.update(item["complaint_id"], assign={"triage_state": STARTED}, condition=parked)

    def unseen(self, *, of_slice: int = 0, slices: int = 1) -> Iterator[str]:
        """Yield the ids of complaints that no intake has claimed. Reads one slice of the table, by default all of it.

        Whoever puts complaints writes nothing that an index could find them by.
        """
        segment = (of_slice, slices)
        for item in self._complaints.scan_without("triage_state", attributes=("complaint_id",), segment=segment):
            yield item["complaint_id"]

    def started_before(self, moment: datetime) -> Iterator[dict[str, Any]]:
        """Yield the complaints that were started before `moment` and are not allocated."""
        return self._in_state(STARTED, until=timestamp(moment))

    def parked(self) -> Iterator[dict[str, Any]]:
        return self._in_state(PARKED)

    def _in_state(self, state: str, *, until: str | None = None) -> Iterator[dict[str, Any]]:
        return self._complaints.query(state, until=until, index="by_triage_state", attributes=_ATTRIBUTES)

    def _start(self, complaint_id: str, name: str, attempt: int, now: datetime, condition: Condition) -> bool:
        return self._complaints.update(
            complaint_id,
            assign={
                "triage_state": STARTED,
                "triage_started_at": timestamp(now),
                "triage_execution": name,
                "triage_attempts": attempt,
                "expires_at": expiry(now, self._retention_days),
            },
            condition=condition,
        )


def _unchanged(item: dict[str, Any]) -> Condition:
    """Return the condition that the complaint was neither allocated, restarted nor parked since the item was read."""
    condition = Condition(
        "#execution = :execution AND #state = :state", execution="triage_execution", state="triage_state"
    )
    return condition.comparing(execution=item["triage_execution"], state=item["triage_state"])
