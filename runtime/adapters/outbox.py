"""The outbox attributes of `raw_complaints`. Every change is conditional, so that one of two writers wins."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from runtime.adapters.dynamodb import Condition, Table
from triage.complaint import timestamp
from triage.outbox import AHEAD, ALLOCATED, ATTRIBUTES, PARKED, STARTED, doubt, execution_name, expiry, is_expired
from triage.story import ALLOCATION

_INDEXED = ("complaint_id", "triage_state", "triage_started_at", "triage_execution", "triage_attempts")
_CLAIMED = ("complaint_id", *ATTRIBUTES)


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

    def claim_again(self, item: dict[str, Any], now: datetime) -> str | None:
        """Claim a complaint whose state is not believed, under a new name, as `claim` does."""
        name = execution_name(item["complaint_id"], again_at=now)
        unchanged = Condition("attribute_exists(#id)", id="complaint_id")
        for attribute in _INDEXED[1:]:
            unchanged = unchanged.unchanged(attribute, item)
        return name if self._start(item["complaint_id"], name, 1, now, unchanged) else None

    def claim_unbelieved(self, complaint_id: str, now: datetime) -> str | None:
        """Claim a complaint whose state none would find, as `claim_again` does, without reading the complaint."""
        believed = (
            "#state = :allocated OR (#state IN (:started, :parked) AND attribute_type(#execution, :text) "
            "AND attribute_type(#attempts, :number) AND #at <= :now)"
        )
        condition = Condition(
            f"attribute_exists(#id) AND NOT ({believed})",
            id="complaint_id",
            state="triage_state",
            execution="triage_execution",
            attempts="triage_attempts",
            at="triage_started_at",
        ).comparing(
            allocated=ALLOCATED, started=STARTED, parked=PARKED, text="S", number="N", now=timestamp(now + AHEAD)
        )
        name = execution_name(complaint_id, again_at=now)
        return name if self._start(complaint_id, name, 1, now, condition) else None

    def claim_unallocated(self, complaint_id: str, now: datetime) -> str | None:
        """Claim a complaint that claims to be allocated, as `claim_again` does. Its story has no allocation."""
        condition = Condition("#state = :allocated", state="triage_state").comparing(allocated=ALLOCATED)
        name = execution_name(complaint_id, again_at=now)
        return name if self._start(complaint_id, name, 1, now, condition) else None

    def all(self, *, of_slice: int = 0, slices: int = 1) -> Iterator[dict[str, Any]]:
        """Yield the outbox of every complaint in one slice of the table, by default in all of it.

        Whoever puts complaints writes nothing that an index could find them by.
        """
        return self._complaints.scan_some(_CLAIMED, segment=(of_slice, slices))

    def started_before(self, moment: datetime) -> Iterator[dict[str, Any]]:
        """Yield the complaints that were started before `moment` and are not allocated."""
        return self._in_state(STARTED, until=timestamp(moment))

    def parked(self) -> Iterator[dict[str, Any]]:
        return self._in_state(PARKED)

    def _in_state(self, state: str, *, until: str | None = None) -> Iterator[dict[str, Any]]:
        return self._complaints.query(state, until=until, index="by_triage_state", attributes=_INDEXED)

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


def doubted(items: Iterable[dict[str, Any]], story: Table, now: datetime) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the complaints whose state is not believed, with the reason. Complaints without a state are left out.

    What has expired is believed: DynamoDB removes the complaint and its story in no order.
    """
    claimed = [item for item in items if "triage_state" in item and not is_expired(item, now)]
    keys = [(item["complaint_id"], ALLOCATION) for item in claimed if item["triage_state"] == ALLOCATED]
    found = story.get_many(keys, consistent=True, attributes=("complaint_id", "entry"))
    allocated = {row["complaint_id"] for row in found}
    for item in claimed:
        reason = doubt(item, has_allocation=item["complaint_id"] in allocated, now=now)
        if reason is not None:
            yield item, reason


def _unchanged(item: dict[str, Any]) -> Condition:
    """Return the condition that the complaint was neither allocated, restarted nor parked since the item was read."""
    condition = Condition(
        "#execution = :execution AND #state = :state", execution="triage_execution", state="triage_state"
    )
    return condition.comparing(execution=item["triage_execution"], state=item["triage_state"])
