"""Puts complaints into `raw_complaints`, as operations do, and waits for their allocations."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median, quantiles
from typing import Any

from pydantic import BaseModel

from cli.aws.deployment import Deployment
from runtime.adapters.dynamodb import batched
from training.data.complaint_files import ExportRow
from triage.complaint import MAX_ITEM_BYTES
from triage.complaint_id import mangled
from triage.feedback import INBOX
from triage.story import ALLOCATION, ERASURE, AllocationEntry
from triage.text import clean

WRITERS = 8
POLL_SECONDS = 0.25
MAX_ID_BYTES = 2048
"""DynamoDB's limit for a partition key."""

OUTBOX_BYTES = 1024
"""Bytes of an item that are left for the attributes that the intake adds."""


class Totals(BaseModel):
    """Counts of a submission. Milliseconds run from the put to the allocation; None where no complaint was new.

    rejected: rows that were not put. conflicts: those of them whose id another complaint has.
    duplicates: rows that were there already, the same.
    """

    submitted: int
    allocated: int
    auto: int
    review: int
    specialist: int
    rejected: int
    conflicts: int
    duplicates: int
    seconds: float
    p50_ms: int | None
    p95_ms: int | None


@dataclass
class Rejection:
    """A row that was not put. conflict: whether another complaint has its id."""

    row: int
    reason: str
    item: dict[str, Any]
    conflict: bool = False


@dataclass
class Submission:
    """put_at: when each new complaint was put, in seconds since the epoch.

    duplicates: ids of complaints that were there before, with the same contents.
    """

    put_at: dict[str, float] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    allocations: dict[str, AllocationEntry] = field(default_factory=dict)
    submitted: int = 0

    @property
    def ids(self) -> list[str]:
        return [*self.put_at, *sorted(set(self.duplicates) - self.put_at.keys())]

    def totals(self) -> Totals:
        times = [
            (datetime.fromisoformat(allocation.allocated_at).timestamp() - self.put_at[complaint_id]) * 1000
            for complaint_id, allocation in self.allocations.items()
            if complaint_id in self.put_at
        ]
        routes = [allocation.route for allocation in self.allocations.values()]
        finished = [datetime.fromisoformat(a.allocated_at).timestamp() for a in self.allocations.values()]
        started = min(self.put_at.values(), default=0.0)
        return Totals(
            submitted=self.submitted,
            allocated=len(self.allocations),
            auto=routes.count("auto"),
            review=len(routes) - routes.count("auto"),
            specialist=sum(allocation.journey == "specialist" for allocation in self.allocations.values()),
            rejected=len(self.rejections),
            conflicts=sum(rejection.conflict for rejection in self.rejections),
            duplicates=len(self.duplicates),
            seconds=round(max(0.0, max(finished, default=started) - started), 3) if times else 0.0,
            p50_ms=round(median(times)) if times else None,
            p95_ms=round(percentile_95(times)) if times else None,
        )


def percentile_95(values: list[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


def raw_item(row: ExportRow) -> dict[str, Any]:
    """Return the item that operations would put: without product and issue, which a bank does not know on arrival."""
    item = {
        "complaint_id": row.complaint_id,
        "narrative": row.narrative,
        "received_at": row.received_at,
        "customer_id": row.customer_id,
        "tags": list(row.tags) if row.tags else None,
        "account_vulnerable": row.account_vulnerable,
        "company": row.company,
        "state": row.state,
        "submitted_via": row.submitted_via,
    }
    # What could not be read goes on as it is, so that reading the complaint raises a doubt.
    return {name: value for name, value in {**item, **row.unknown}.items() if value is not None}


@dataclass(frozen=True)
class Put:
    """What became of one row: it was put at a time, it was there already, or it was refused."""

    row: int
    item: dict[str, Any]
    at: float | None = None
    refused: str | None = None
    conflict: bool = False


def put_all(
    deployment: Deployment,
    items: Iterable[tuple[int, dict[str, Any]]],
    *,
    on_put: Callable[[], None],
    again: bool = False,
) -> Submission:
    """Put numbered items; those that are there already stay as they are.

    Refused are items that DynamoDB would refuse, ids that another complaint has or that a spreadsheet has changed, and
    complaints that were erased. again: put erased complaints all the same.
    """
    submission = Submission()
    with ThreadPoolExecutor(WRITERS) as writers:
        # An export may be larger than memory, so it is read in chunks.
        for chunk in batched(items, 1000):
            for put in writers.map(lambda pair: _put(deployment, *pair, again=again), chunk):
                submission.submitted += 1
                if put.refused is not None:
                    submission.rejections.append(Rejection(put.row, put.refused, put.item, put.conflict))
                elif put.at is None:
                    submission.duplicates.append(put.item["complaint_id"])
                else:
                    submission.put_at[put.item["complaint_id"]] = put.at
                on_put()
    return submission


def _put(deployment: Deployment, row: int, item: dict[str, Any], *, again: bool) -> Put:
    problem = _refusal(item)
    if problem is not None:
        return Put(row, item, refused=problem)
    complaint_id = item["complaint_id"]
    erased = None if again else _erased_at(deployment, complaint_id)
    if erased is not None and deployment.complaints.get(complaint_id, attributes=("complaint_id",)) is None:
        return Put(row, item, refused=f"{complaint_id} was erased at {erased}; use --again to bring its text back")
    put_at = time.time()
    if deployment.complaints.put_if_absent(item):
        return Put(row, item, at=put_at)
    stored = deployment.complaints.get(complaint_id, attributes=tuple(item))
    differing = _differing(item, stored) if stored is not None else ()
    if differing:
        problem = f"another complaint has the id {complaint_id}: it differs in {', '.join(differing)}"
        return Put(row, item, refused=problem, conflict=True)
    return Put(row, item)


def _erased_at(deployment: Deployment, complaint_id: str) -> str | None:
    """Return when a complaint was last erased; None if it never was."""
    last = deployment.story.latest(complaint_id, f"{ERASURE}~")
    return str(last["erased_at"]) if last is not None and str(last["entry"]).startswith(ERASURE) else None


def _differing(item: dict[str, Any], stored: dict[str, Any]) -> tuple[str, ...]:
    """Return the attributes that a row states otherwise than the stored complaint. White space makes no difference."""
    return tuple(name for name, value in item.items() if _comparable(value) != _comparable(stored.get(name)))


def _comparable(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    return sorted(map(str, value)) if isinstance(value, list | tuple | set) else value


def _refusal(item: dict[str, Any]) -> str | None:
    complaint_id = item.get("complaint_id")
    if not isinstance(complaint_id, str) or not complaint_id:
        return "it has no complaint_id"
    try:
        size = _size(item)
    except UnicodeEncodeError:
        return "it has characters that are not valid Unicode"
    if complaint_id.startswith(INBOX):
        return f"its complaint_id begins with {INBOX}, which is reserved for feedback"
    if made := mangled(complaint_id):
        return (
            f"its complaint_id {complaint_id[:40]!r} is {made}, as spreadsheets write it; export the ids as text from "
            "where the complaints are kept"
        )
    if len(complaint_id.encode()) > MAX_ID_BYTES:
        return f"its complaint_id is longer than {MAX_ID_BYTES:,} bytes"
    return f"it is larger than {MAX_ITEM_BYTES // 1024} KB" if size > MAX_ITEM_BYTES - OUTBOX_BYTES else None


def _size(value: Any) -> int:
    """Return bytes as DynamoDB counts them: of names and values, and a few for each list or map and its elements."""
    if isinstance(value, dict):
        return sum(_size(name) + _size(part) for name, part in value.items()) + 3
    if isinstance(value, list):
        return sum(_size(part) + 1 for part in value) + 3
    return len(value.encode()) if isinstance(value, str) else 21


def wait_for(
    deployment: Deployment, submission: Submission, *, timeout_seconds: float, on_allocated: Callable[[int], None]
) -> set[str]:
    """Collect the allocations of a submission. Return the ids that have none when the time is up."""
    open_ids = set(submission.ids)
    deadline = time.monotonic() + timeout_seconds
    while open_ids and time.monotonic() < deadline:
        found = allocations(deployment, open_ids)
        submission.allocations |= found
        open_ids -= found.keys()
        on_allocated(len(found))
        if open_ids:
            time.sleep(POLL_SECONDS)
    return open_ids


def allocations(deployment: Deployment, ids: Iterable[str]) -> dict[str, AllocationEntry]:
    """Return the current allocation of each of these complaints that has one."""
    items = deployment.story.get_many((complaint_id, ALLOCATION) for complaint_id in ids)
    return {item["complaint_id"]: AllocationEntry.model_validate(item) for item in items}


def numbered(rows: Iterable[ExportRow]) -> Iterator[tuple[int, dict[str, Any]]]:
    for row in rows:
        yield row.row, raw_item(row)
