from datetime import timedelta

import pytest

from runtime.adapters.outbox import Outbox
from tests.factories import NOW, any_item
from triage.outbox import ALLOCATED, PARKED, STARTED
from triage.tables import RAW_COMPLAINTS


@pytest.fixture
def table(cloud):
    return cloud.table(RAW_COMPLAINTS)


@pytest.fixture
def outbox(table):
    table.put(any_item(complaint_id="1"))
    return Outbox(table, retention_days=3)


def started(outbox: Outbox):
    return list(outbox.started_before(NOW + timedelta(days=1)))


def test_a_claim_is_granted_once(outbox, table):
    assert list(outbox.all()) == [{"complaint_id": "1"}]
    assert outbox.claim("1", NOW) == "1"
    assert outbox.claim("1", NOW) is None
    assert [item["triage_state"] for item in outbox.all()] == [STARTED]
    assert table.get("1")["expires_at"] == NOW.timestamp() + 3 * 24 * 3600


def test_what_does_not_exist_cannot_be_claimed(outbox, table):
    assert outbox.claim("2", NOW) is None
    assert table.get("2") is None


def test_a_claim_touches_nothing_that_operations_wrote(outbox, table):
    outbox.claim("1", NOW)
    assert any_item(complaint_id="1").items() <= table.get("1").items()


def test_the_started_are_found_by_their_time(outbox):
    outbox.claim("1", NOW)
    assert list(outbox.started_before(NOW - timedelta(seconds=1))) == []
    (item,) = outbox.started_before(NOW)
    assert item == {
        "complaint_id": "1",
        "triage_state": "started",
        "triage_started_at": "2026-03-02T09:30:00.000Z",
        "triage_execution": "1",
        "triage_attempts": 1,
    }


def test_a_second_reclaim_of_what_was_read_once_is_refused(outbox):
    outbox.claim("1", NOW)
    (item,) = started(outbox)
    name = outbox.reclaim(item, NOW + timedelta(hours=1), attempt=2)
    assert name not in (None, "1")
    assert outbox.reclaim(item, NOW + timedelta(hours=2), attempt=2) is None
    assert not outbox.park(item)
    (again,) = started(outbox)
    assert (again["triage_execution"], again["triage_attempts"]) == (name, 2)


def test_what_is_allocated_is_neither_reclaimed_nor_parked(outbox, table):
    outbox.claim("1", NOW)
    (item,) = started(outbox)
    settled = {**table.get("1"), "triage_state": ALLOCATED}
    table.put(settled)
    assert outbox.reclaim(item, NOW, attempt=2) is None
    assert not outbox.park(item)
    assert table.get("1") == settled
    assert started(outbox) == []


def test_the_parked_are_listed_and_can_be_reclaimed(outbox, table):
    outbox.claim("1", NOW)
    (item,) = started(outbox)
    assert outbox.park(item)
    assert table.get("1")["triage_state"] == PARKED
    assert started(outbox) == []
    (parked,) = outbox.parked()
    assert outbox.reclaim(parked, NOW + timedelta(hours=1), attempt=1)
    assert table.get("1")["triage_state"] == STARTED
    assert list(outbox.parked()) == []
