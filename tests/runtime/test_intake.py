import pytest
from botocore.exceptions import ClientError

from runtime.intake import build
from tests.factories import any_allocation, any_item
from tests.runtime.conftest import Cloud, before, calls, failing, stream_records
from triage.outbox import STARTED
from triage.tables import COMPLAINTS_ALLOCATION, RAW_COMPLAINTS

THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "StartExecution")


def put(cloud: Cloud, *ids: str) -> None:
    for complaint_id in ids:
        assert cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id=complaint_id))


def inserted(*ids: str):
    return stream_records(*({"complaint_id": complaint_id} for complaint_id in ids))


def test_a_new_complaint_is_claimed_and_started(cloud):
    put(cloud, "1")
    build(cloud.intake, cloud.session())(inserted("1"), None)
    assert cloud.executions() == ["1"]
    item = cloud.table(RAW_COMPLAINTS).get("1")
    assert item is not None
    assert (item["triage_state"], item["triage_execution"], item["triage_attempts"]) == (STARTED, "1", 1)
    assert item["narrative"] == any_item()["narrative"]
    assert item["expires_at"] > 0


def test_the_execution_is_told_the_id_and_nothing_else(cloud):
    put(cloud, "1")
    session = cloud.session()
    started = calls(session, "sfn.StartExecution")
    build(cloud.intake, session)(inserted("1"), None)
    assert [call["input"] for call in started] == ['{"complaint_id":"1"}']


def test_repeated_records_start_one_execution(cloud):
    put(cloud, "1", "2")
    session = cloud.session()
    started = calls(session, "sfn.StartExecution")
    intake = build(cloud.intake, session)
    intake(inserted("1", "1", "2"), None)
    intake(inserted("2", "1"), None)
    assert sorted(call["name"] for call in started) == ["1", "2"]


@pytest.mark.parametrize("complaint_id", ["a b", "c" * 200, "\u00e9", "x/y", "\U0001f600"])
def test_an_id_that_step_functions_refuses_starts_too(cloud, complaint_id):
    put(cloud, complaint_id)
    build(cloud.intake, cloud.session())(inserted(complaint_id), None)
    assert len(cloud.executions()) == 1


def test_a_complaint_that_is_gone_starts_nothing(cloud):
    build(cloud.intake, cloud.session())(inserted("1"), None)
    assert cloud.executions() == []
    assert cloud.table(RAW_COMPLAINTS).get("1") is None


def test_a_start_that_fails_is_left_to_the_sweeper_and_blocks_nobody(cloud):
    put(cloud, "1", "2")
    session = cloud.session()
    failing(session, "sfn.StartExecution", THROTTLED)
    build(cloud.intake, session)(inserted("1", "2"), None)
    assert cloud.executions() == []
    for complaint_id in ("1", "2"):
        item = cloud.table(RAW_COMPLAINTS).get(complaint_id)
        assert item is not None
        assert item["triage_state"] == STARTED, "by this the sweeper finds it"


def test_a_claim_that_fails_leaves_the_complaint_unseen_and_blocks_nobody(cloud):
    put(cloud, "1")
    session = cloud.session()
    failing(session, "dynamodb.UpdateItem", THROTTLED)
    build(cloud.intake, session)(inserted("1"), None)
    item = cloud.table(RAW_COMPLAINTS).get("1")
    assert item is not None
    assert "triage_state" not in item


def test_of_two_intakes_at_once_one_starts(cloud):
    put(cloud, "1")
    ours, theirs = cloud.session(), cloud.session()
    started = [calls(session, "sfn.StartExecution") for session in (ours, theirs)]
    other = build(cloud.intake, theirs)
    before(ours, "dynamodb.UpdateItem", lambda: other(inserted("1"), None))
    build(cloud.intake, ours)(inserted("1"), None)
    assert [len(made) for made in started] == [0, 1]


@pytest.mark.parametrize("state", ["started", "allocated", "parked"])
def test_a_complaint_that_was_seen_is_not_started_again(cloud, state):
    put(cloud, "1")
    session = cloud.session()
    started = calls(session, "sfn.StartExecution")
    build(cloud.intake, session)(inserted("1"), None)
    table = cloud.table(RAW_COMPLAINTS)
    table.put({**(table.get("1") or {}), "triage_state": state})
    cloud.table(COMPLAINTS_ALLOCATION).put(any_allocation(complaint_id="1"))
    build(cloud.intake, session)(inserted("1"), None)
    assert len(started) == 1


@pytest.mark.parametrize("state", ["started", "allocated", "parked", "closed"])
def test_a_new_complaint_that_claims_a_state_without_its_record_is_started(cloud, state):
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", triage_state=state))
    build(cloud.intake, cloud.session())(inserted("1"), None)
    assert len(cloud.executions()) == 1
    assert (cloud.table(RAW_COMPLAINTS).get("1") or {})["triage_state"] == STARTED


def test_no_records_are_no_work(cloud):
    build(cloud.intake, cloud.session())({"Records": []}, None)
    assert cloud.executions() == []
