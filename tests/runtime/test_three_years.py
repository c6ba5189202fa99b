"""What reads tables stays within its time limit when they hold three years of 15,000 complaints a day.

The tables are simulated: pages of one megabyte, which DynamoDB delivers at 8 MB/s, on a clock that nobody waits for.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, cast

from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.commands.environment import LATEST, latest
from runtime.adapters.dynamodb import Table, to_item
from runtime.adapters.experiments import LAST, Experiments
from runtime.sweep import RESERVE, build
from stacks.settings import SETTINGS
from tests.factories import any_feedback, any_model_strategy, any_prediction, any_strategy
from triage.functions import SweepEnvironment
from triage.outbox import ALLOCATED, STARTED, slice_at
from triage.promotion.gates import Gates
from triage.story import FeedbackEntry
from triage.tables import COMPLAINTS_ALLOCATION, RAW_COMPLAINTS

A_DAY = 15_000
THREE_YEARS = 3 * 365 * A_DAY
ROW_BYTES = 1_293
"""The mean size of 14,825 public complaints with their outbox, counted by DynamoDB's rules."""
ALLOCATION_BYTES = 2_000
"""More than an allocation with three decisions takes."""
PAGE_BYTES = 2**20
BYTES_A_SECOND = 8_000_000
REQUEST_SECONDS = 0.01
"""What a request takes beside the bytes that it reads."""
LAMBDA = timedelta(minutes=15)
PROD = SETTINGS["prod"]
EVERY = PROD.sweep_every.to_seconds()
SLICES = round(PROD.sweep_all_every.to_seconds() / EVERY)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.pages = 0

    def read(self, size: float) -> None:
        self.pages += 1
        self.seconds += REQUEST_SECONDS + size / BYTES_A_SECOND

    @property
    def passed(self) -> timedelta:
        return timedelta(seconds=self.seconds)


class Pages:
    """DynamoDB, as far as a `Table` reads it. Rows that no test looks at are counted and not built.

    rows: of the table. unseen: ids of complaints without a state, by the segment of 288 that holds them.
    allocated: whether the rows of a scan are built, as those of allocated complaints.
    found: the items of a query, by its partition.
    """

    class exceptions:  # noqa: N801  # the name is boto3's
        ConditionalCheckFailedException = type("ConditionalCheckFailedException", (ClientError,), {})

    def __init__(
        self,
        clock: Clock,
        *,
        rows: int = 0,
        unseen: dict[int, str] | None = None,
        found: Any = None,
        allocated: bool = False,
    ) -> None:
        self.clock, self.rows, self.unseen, self.allocated = clock, rows, unseen or {}, allocated
        self.found = found or (lambda partition: ())
        self.limits: list[int | None] = []
        self.updated: list[str] = []

    def get_paginator(self, operation: str) -> Any:
        pages = {"scan": self._scan, "query": self._query}[operation]
        return type("Paginator", (), {"paginate": staticmethod(pages)})

    def _scan(self, *, Segment: int = 0, TotalSegments: int = 1, **_: Any) -> Iterator[dict[str, Any]]:  # noqa: N803
        left = self.rows * ROW_BYTES / TotalSegments
        here = [i for segment, i in self.unseen.items() if TotalSegments == 1 or segment == Segment]
        while left > 0:
            self.clock.read(min(left, PAGE_BYTES))
            left -= PAGE_BYTES
            settled = [
                {"complaint_id": {"S": f"{left}-{number}"}, "triage_state": {"S": ALLOCATED}}
                for number in range(PAGE_BYTES // ROW_BYTES if self.allocated else 0)
            ]
            yield {"Items": [*([{"complaint_id": {"S": here.pop()}}] if here else []), *settled]}

    def _query(self, *, ExpressionAttributeValues: Any, Limit: int | None = None, **rest: Any) -> Iterator[Any]:  # noqa: N803
        self.limits.append(Limit)
        failed = {"error": {"S": "ModelFailedError"}} if rest.get("IndexName") == "by_failed_version" else {}
        page, size, read = [], 0, 0
        for item in self.found(ExpressionAttributeValues[":key"]["S"]):
            page.append(item | failed)
            size, read = size + len(json.dumps(item)), read + 1
            if size >= PAGE_BYTES or read == Limit:
                self.clock.read(size)
                yield {"Items": page}
                page, size = [], 0
                if read == Limit:
                    return
        self.clock.read(size)
        yield {"Items": page}

    def update_item(self, **written: Any) -> None:
        self.clock.read(0)
        self.updated.append(written["Key"]["complaint_id"]["S"])

    def batch_get_item(self, *, RequestItems: Any) -> Any:  # noqa: N803
        ((name, wanted),) = RequestItems.items()
        items = [self.found_item or key for key in wanted["Keys"]]
        # DynamoDB reads whole items, also where it returns keys alone.
        self.clock.read(sum(max(len(json.dumps(item)), ALLOCATION_BYTES) for item in items))
        return {"Responses": {name: items}, "UnprocessedKeys": {}}

    found_item: Any = None


class Machines:
    """Step Functions: every execution has ended, and another can be started."""

    class exceptions:  # noqa: N801  # the name is boto3's
        ExecutionAlreadyExists = type("ExecutionAlreadyExists", (ClientError,), {})
        ExecutionDoesNotExist = type("ExecutionDoesNotExist", (ClientError,), {})

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def describe_execution(self, **_: Any) -> dict[str, str]:
        self.clock.seconds += 0.03
        return {"status": "FAILED"}

    def start_execution(self, **_: Any) -> None:
        self.clock.seconds += 0.05


class Context:
    """Lambda's context on the simulated clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._began = clock, clock.seconds

    def get_remaining_time_in_millis(self) -> float:
        return (LAMBDA.total_seconds() - (self._clock.seconds - self._began)) * 1000


def sweep(pages: Pages, event: dict[str, Any]) -> dict[str, int]:
    environment = SweepEnvironment(
        code_version="test",
        metrics_namespace=PROD.metrics_namespace,
        retention_days=PROD.retention_days,
        raw_complaints_table=RAW_COMPLAINTS.name,
        complaints_allocation_table=COMPLAINTS_ALLOCATION.name,
        state_machine_arn="arn:aws:states:eu-west-2:123456789012:stateMachine:triage",
        parked_queue_url="",
        stale_after_seconds=600,
        max_attempts=PROD.max_attempts,
        sweep_every_seconds=round(EVERY),
        sweep_slices=SLICES,
    )
    clients = {"dynamodb": pages, "stepfunctions": Machines(pages.clock), "sqs": None}
    session = type("Session", (), {"client": staticmethod(clients.__getitem__)})
    found: dict[str, int] = build(environment, cast(Any, session))(event, Context(pages.clock))
    return found


def scheduled(run: int, *, late: float = 0) -> dict[str, str]:
    return {"scope": "slice", "at": (NOON + timedelta(seconds=run * EVERY + late)).isoformat()}


def test_the_whole_table_cannot_be_read_in_one_run():
    """The simulation finds the fault for which the table is read in slices."""
    clock = Clock()
    for _ in Pages(clock, rows=THREE_YEARS)._scan():
        pass
    assert clock.passed > 2 * LAMBDA
    assert sweep(Pages(Clock(), rows=THREE_YEARS, unseen={0: "1"}), {"scope": "all"})["unseen"] == 1


def test_a_slice_of_three_years_is_read_long_before_the_next_one_is_due():
    clock = Clock()
    assert "disbelieved" not in sweep(Pages(clock, rows=THREE_YEARS, allocated=True), scheduled(0))
    assert clock.pages > 500
    assert clock.passed < timedelta(seconds=EVERY / 4) < LAMBDA


@settings(max_examples=10, deadline=None)
@given(segment=st.integers(0, SLICES - 1), first=st.integers(0, 10_000), data=st.data())
def test_a_complaint_that_no_intake_saw_is_found_within_a_round_whoever_put_it(segment, first, data):
    """It carries nothing of ours. Runs come up to a minute late, which must leave no slice out."""
    pages = Pages(Clock(), rows=SLICES, unseen={segment: "1"})
    late = data.draw(st.lists(st.floats(0, 60), min_size=SLICES, max_size=SLICES))
    found = [sweep(pages, scheduled(first + run, late=late[run])).get("unseen", 0) for run in range(SLICES)]
    assert sum(found) == 1
    assert pages.updated == ["1"]


@given(first=st.integers(0, 10**6), period=st.sampled_from([60, 300, 600]), slices=st.integers(1, 500))
def test_consecutive_runs_read_every_slice_once(first, period, slices):
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=first * period)
    times = (begin + timedelta(seconds=run * period) for run in range(slices))
    assert {slice_at(at, every_seconds=period, slices=slices) for at in times} == set(range(slices))


def test_a_backlog_of_a_whole_day_is_worked_off_by_sweeps_that_end_in_time():
    began = datetime.now(UTC) - timedelta(hours=1)
    stale = [
        to_item(
            {
                "complaint_id": str(number),
                "triage_state": STARTED,
                "triage_started_at": began.isoformat(),
                "triage_execution": str(number),
                "triage_attempts": 1,
            }
        )
        for number in range(A_DAY)
    ]
    clock = Clock()
    pages = Pages(clock, found=lambda partition: iter([i for i in stale if i["complaint_id"]["S"] not in done]))
    done: set[str] = set()
    runs = 0
    while True:
        runs += 1
        before = clock.passed
        found = sweep(pages, {})
        assert clock.passed - before < LAMBDA - RESERVE / 2
        done.update(pages.updated)
        if "interrupted" not in found:
            break
    assert len(done) == A_DAY
    assert runs > 1, "or the backlog was no test"


def story(clock: Clock, found: Any) -> tuple[Pages, Table]:
    pages = Pages(clock, found=found)
    return pages, Table(cast(Any, pages), COMPLAINTS_ALLOCATION, "story")


def test_the_status_reads_a_few_rows_of_each_team_however_many_there_are():
    clock = Clock()
    allocation = {"complaint_id": {"S": "1"}, "allocated_at": {"S": NOON.isoformat()}, "filler": {"S": "x" * 1_471}}
    pages, table = story(clock, lambda partition: (allocation for _ in range(THREE_YEARS)))
    assert len(latest(cast(Any, type("Deployment", (), {"story": table})), LATEST)) == LATEST
    assert set(pages.limits) == {LATEST}
    assert clock.passed < timedelta(seconds=5)


LABELS_A_DAY = round(0.05 * A_DAY)
"""One complaint of twenty is drawn for a blind review."""


def any_label() -> dict[str, Any]:
    said = any_feedback(kind="set_vulnerable", mode="blind", inclusion=0.05)
    entry = FeedbackEntry(
        complaint_id="1",
        entry=FeedbackEntry.key(2),
        code_version="test",
        feedback=said,
        labels={"product": "Mortgage"},
        applied_at="2026-03-02T11:00:00.000Z",
        labelled_on="2026-03-02",
        made_version=2,
    )
    return to_item(entry)


def test_promotion_reads_an_experiment_of_the_most_labels_in_half_of_its_time():
    """It reads days of labels, the stories of the labelled, and the last answers of each version."""
    clock = Clock()
    prediction, label = to_item(any_prediction()), any_label()
    numbers = count()

    def found(partition: str) -> Iterator[Any]:
        if partition[:4].isdigit():
            return (label | {"complaint_id": {"S": str(next(numbers))}} for _ in range(LABELS_A_DAY))
        return (prediction for _ in range(A_DAY))

    pages, table = story(clock, found)
    pages.found_item = prediction
    days = Gates().max_labels // LABELS_A_DAY
    began = NOON - timedelta(days=days)
    strategy = any_strategy(shadows={"challenger": 10_000})
    row = any_model_strategy(strategy, experiment_since=began.isoformat(), stage_since=began.isoformat())
    observed = Experiments(table).observe(row, NOON)
    assert len(observed.statements) == LABELS_A_DAY * (days + 1) >= Gates().max_labels
    assert {limit for limit in pages.limits if limit} <= {1, LAST}
    assert clock.passed < timedelta(minutes=5) / 2
