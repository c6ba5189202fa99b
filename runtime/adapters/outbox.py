"""The outbox attributes of `raw_complaints`, each change conditional so that of two writers one wins."""

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
        """Take an unseen complaint; the name of the execution to start, or None if somebody has it already."""
        name = execution_name(complaint_id)
        condition = Condition(
            "attribute_exists(#id) AND attribute_not_exists(#state)", id="complaint_id", state="triage_state"
        )
        return name if self._start(complaint_id, name, 1, now, condition) else None

    def reclaim(self, item: dict[str, Any], now: datetime, *, attempt: int) -> str | None:
        """Take a complaint whose execution ended without an allocation, under a new name."""
        name = execution_name(item["complaint_id"], again_at=now)
        return name if self._start(item["complaint_id"], name, attempt, now, _unchanged(item)) else None

    def park(self, item: dict[str, Any]) -> bool:
        return self._complaints.update(
            item["complaint_id"], assign={"triage_state": PARKED}, condition=_unchanged(item)
        )

    def unpark(self, item: dict[str, Any]) -> None:
        """Back to the next sweep: nobody could be told."""
        parked = _unchanged({**item, "triage_state": PARKED})
        self._complaints.update(item["complaint_id"], assign={"triage_state": STARTED}, condition=parked)

    def unseen(self) -> Iterator[str]:
        """Ids of complaints that no intake has taken: reads the whole table."""
        for item in self._complaints.scan_without("triage_state", attributes=("complaint_id",)):
            yield item["complaint_id"]

    def started_before(self, moment: datetime) -> Iterator[dict[str, Any]]:
        """Complaints started before `moment` and not allocated since."""
        return self._complaints.query_until(STARTED, timestamp(moment), index="by_triage_state", attributes=_ATTRIBUTES)

    def parked(self) -> Iterator[dict[str, Any]]:
        return self._complaints.query_until(PARKED, "~", index="by_triage_state", attributes=_ATTRIBUTES)

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
    """Nobody has settled, restarted or parked the complaint since the item was read."""
    condition = Condition(
        "#execution = :execution AND #state = :state", execution="triage_execution", state="triage_state"
    )
    return condition.comparing(execution=item["triage_execution"], state=item["triage_state"])
