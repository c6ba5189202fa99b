import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from runtime.adapters.executions import Executions
from runtime.adapters.outbox import Outbox
from runtime.sweep import build
from tests.factories import any_allocation, any_item
from tests.runtime.conftest import Cloud, before, calls, failing
from triage.outbox import ALLOCATED, PARKED, STARTED
from triage.steps import ExecutionInput
from triage.tables import COMPLAINTS_ALLOCATION, RAW_COMPLAINTS

ALL = {"scope": "all"}
UNAVAILABLE = ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "later"}}, "any")


def start(cloud: Cloud, complaint_id: str, *, minutes_ago: int = 60, attempts: int = 1) -> None:
    """Store a complaint with a running execution that was started then."""
    started_at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    table = cloud.table(RAW_COMPLAINTS)
    table.put(any_item(complaint_id=complaint_id))
    name = Outbox(table, retention_days=1).claim(complaint_id, started_at)
    assert name
    executions = Executions(cloud.session().client("stepfunctions"), cloud.state_machine_arn)
    executions.start(ExecutionInput(complaint_id=complaint_id), name)
    table.put({**item(cloud, complaint_id), "triage_attempts": attempts})


def item(cloud: Cloud, complaint_id: str) -> dict[str, object]:
    found = cloud.table(RAW_COMPLAINTS).get(complaint_id)
    assert found is not None
    return found


def test_what_no_intake_saw_is_started(cloud):
    for complaint_id in ("1", "2"):
        cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id=complaint_id))
    assert build(cloud.sweep, cloud.session())(ALL, None)["unseen"] == 2
    assert cloud.executions() == ["1", "2"]
    assert item(cloud, "1")["triage_state"] == STARTED


def test_what_no_intake_saw_is_left_by_the_frequent_sweep(cloud):
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1"))
    assert build(cloud.sweep, cloud.session())({}, None) == {}
    assert cloud.executions() == []


def test_a_stale_complaint_is_started_again_under_a_new_name(cloud):
    start(cloud, "1")
    cloud.end_executions()
    assert build(cloud.sweep, cloud.session())({}, None) == {"restarted": 1}
    first, second = cloud.executions()
    assert (first, item(cloud, "1")["triage_execution"]) == ("1", second)
    assert second.startswith("1-")
    assert item(cloud, "1")["triage_attempts"] == 2


def test_a_complaint_that_was_restarted_is_not_stale_any_more(cloud):
    start(cloud, "1")
    cloud.end_executions()
    sweep = build(cloud.sweep, cloud.session())
    sweep({}, None)
    cloud.end_executions()
    assert sweep({}, None) == {}


def test_a_claim_whose_start_was_lost_is_started(cloud):
    table = cloud.table(RAW_COMPLAINTS)
    table.put(any_item(complaint_id="1"))
    Outbox(table, retention_days=1).claim("1", datetime.now(UTC) - timedelta(hours=1))
    assert build(cloud.sweep, cloud.session())({}, None) == {"restarted": 1}
    assert len(cloud.executions()) == 1


def test_a_running_execution_is_left_alone(cloud):
    start(cloud, "1", attempts=99)
    assert build(cloud.sweep, cloud.session())(ALL, None) == {"running": 1}
    assert cloud.executions() == ["1"]
    assert item(cloud, "1")["triage_state"] == STARTED


def test_a_complaint_that_is_not_stale_yet_is_left_alone(cloud):
    start(cloud, "1", minutes_ago=1)
    cloud.end_executions()
    assert build(cloud.sweep, cloud.session())(ALL, None) == {}


@pytest.mark.parametrize(("attempts", "outcome"), [(2, "restarted"), (3, "parked"), (4, "parked")])
def test_what_failed_again_and_again_is_parked(cloud, attempts, outcome):
    start(cloud, "1", attempts=attempts)
    cloud.end_executions()
    assert build(cloud.sweep, cloud.session())({}, None) == {outcome: 1}


def test_a_parked_complaint_is_reported_once_and_without_its_text(cloud):
    start(cloud, "1", attempts=3)
    cloud.end_executions()
    sweep = build(cloud.sweep, cloud.session())
    sweep(ALL, None)
    sweep(ALL, None)
    (message,) = cloud.messages()
    assert json.loads(message) == {"complaint_id": "1", "attempts": 3}
    assert item(cloud, "1")["triage_state"] == PARKED
    assert item(cloud, "1")["narrative"]


def test_each_sweep_counts_what_is_parked_for_the_alarm_until_nothing_is(cloud, capsys):
    start(cloud, "1", attempts=3)
    cloud.end_executions()
    sweep = build(cloud.sweep, cloud.session())
    sweep({}, None)
    sweep({}, None)
    cloud.table(RAW_COMPLAINTS).delete("1")
    sweep({}, None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "StillParked" in line]
    assert [line["StillParked"] for line in lines] == [[1], [1], [0]]
    assert {line["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in lines} == {"ComplaintsTriage/test"}


@pytest.mark.parametrize("state", [ALLOCATED, PARKED])
def test_what_is_settled_is_left_alone(cloud, state):
    start(cloud, "1")
    cloud.end_executions()
    cloud.table(RAW_COMPLAINTS).put({**item(cloud, "1"), "triage_state": state})
    cloud.table(COMPLAINTS_ALLOCATION).put(any_allocation(complaint_id="1"))
    assert build(cloud.sweep, cloud.session())(ALL, None) == {}


WRITTEN_BY_OTHERS = {
    "allocated, without an allocation": {"triage_state": ALLOCATED, "triage_execution": "1", "triage_attempts": 1},
    "an unknown state": {"triage_state": "closed"},
    "parked, where nobody sees it": {"triage_state": PARKED},
    "parked, without attempts": {
        "triage_state": PARKED,
        "triage_started_at": "2026-03-02T09:30:00.000Z",
        "triage_execution": "1",
    },
    "started, where no sweep sees it": {"triage_state": STARTED, "triage_execution": "1", "triage_attempts": 1},
    "started in the future": {
        "triage_state": STARTED,
        "triage_started_at": "2999-03-02T09:30:00.000Z",
        "triage_execution": "1",
        "triage_attempts": 1,
    },
    "started at no time": {
        "triage_state": STARTED,
        "triage_started_at": "yesterday",
        "triage_execution": "1",
        "triage_attempts": 1,
    },
    "started, with attempts that are no number": {
        "triage_state": STARTED,
        "triage_started_at": "2026-03-02T09:30:00.000Z",
        "triage_execution": "1",
        "triage_attempts": "many",
    },
    "started, by no execution that may exist": {
        "triage_state": STARTED,
        "triage_started_at": "2026-03-02T09:30:00.000Z",
        "triage_execution": "a b",
        "triage_attempts": 1,
    },
}


@pytest.mark.parametrize("claim", WRITTEN_BY_OTHERS.values(), ids=WRITTEN_BY_OTHERS.keys())
def test_a_state_without_its_record_is_not_believed(cloud, claim):
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", **claim))
    outcomes = build(cloud.sweep, cloud.session())(ALL, None)
    assert outcomes == {"disbelieved": 1}
    assert item(cloud, "1")["triage_state"] == STARTED and item(cloud, "1")["triage_attempts"] == 1
    assert cloud.executions() == [item(cloud, "1")["triage_execution"]]
    assert "disbelieved" not in build(cloud.sweep, cloud.session())(ALL, None)


def test_a_state_whose_story_has_expired_is_believed(cloud):
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", triage_state=ALLOCATED, expires_at=1_700_000_000))
    assert build(cloud.sweep, cloud.session())(ALL, None) == {}


def test_a_complaint_that_settles_while_it_is_not_believed_is_left_alone(cloud):
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", triage_state="closed"))
    session = cloud.session()
    settled = {**item(cloud, "1"), "triage_state": ALLOCATED}
    before(session, "dynamodb.UpdateItem", lambda: cloud.table(RAW_COMPLAINTS).put(settled))
    assert build(cloud.sweep, session)(ALL, None) == {"taken": 1}
    assert item(cloud, "1") == settled and cloud.executions() == []


def test_of_two_sweepers_at_once_one_restarts(cloud):
    start(cloud, "1")
    cloud.end_executions()
    ours, theirs = cloud.session(), cloud.session()
    started = [calls(session, "sfn.StartExecution") for session in (ours, theirs)]
    other = build(cloud.sweep, theirs)
    before(ours, "dynamodb.UpdateItem", lambda: other({}, None))
    assert not build(cloud.sweep, ours)({}, None).get("restarted")
    assert [len(made) for made in started] == [0, 1]


def test_of_two_sweepers_at_once_one_parks(cloud):
    start(cloud, "1", attempts=3)
    cloud.end_executions()
    ours = cloud.session()
    other = build(cloud.sweep, cloud.session())
    before(ours, "dynamodb.UpdateItem", lambda: other({}, None))
    build(cloud.sweep, ours)({}, None)
    assert len(cloud.messages()) == 1


def test_of_two_sweepers_one_takes_an_unseen_complaint(cloud):
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1"))
    ours, theirs = cloud.session(), cloud.session()
    started = [calls(session, "sfn.StartExecution") for session in (ours, theirs)]
    other = build(cloud.sweep, theirs)
    before(ours, "dynamodb.UpdateItem", lambda: other(ALL, None))
    assert not build(cloud.sweep, ours)(ALL, None).get("unseen")
    assert [len(made) for made in started] == [0, 1]


def test_a_complaint_that_settles_while_it_is_swept_is_left_alone(cloud):
    start(cloud, "1")
    cloud.end_executions()
    session = cloud.session()
    settled = {**item(cloud, "1"), "triage_state": ALLOCATED}
    before(session, "dynamodb.UpdateItem", lambda: cloud.table(RAW_COMPLAINTS).put(settled))
    assert not build(cloud.sweep, session)({}, None).get("restarted")
    assert item(cloud, "1") == settled


def test_a_complaint_that_is_erased_while_it_is_swept_stays_erased(cloud):
    start(cloud, "1")
    cloud.end_executions()
    session = cloud.session()
    client = cloud.session().client("dynamodb")
    key = {"complaint_id": {"S": "1"}}
    before(session, "dynamodb.UpdateItem", lambda: client.delete_item(TableName=RAW_COMPLAINTS.name, Key=key))
    build(cloud.sweep, session)({}, None)
    assert cloud.table(RAW_COMPLAINTS).get("1") is None
    assert cloud.executions() == ["1"]


def test_many_complaints_are_swept_at_once(cloud):
    for number in range(25):
        start(cloud, str(number))
    cloud.end_executions()
    assert build(cloud.sweep, cloud.session())(ALL, None) == {"restarted": 25}


@pytest.mark.parametrize("event", [{"scope": "some"}, {"surprise": 1}])
def test_an_unknown_scope_is_refused(cloud, event):
    with pytest.raises(ValidationError):
        build(cloud.sweep, cloud.session())(event, None)


@pytest.mark.parametrize("missing", ["triage_execution", "triage_attempts"])
def test_a_row_that_was_edited_by_hand_stops_nobody_else(cloud, missing):
    for complaint_id in ("1", "2"):
        start(cloud, complaint_id)
    cloud.end_executions()
    cloud.table(RAW_COMPLAINTS).put(
        {k: v for k, v in item(cloud, "1").items() if k != missing} | {"triage_started_at": "2020-01-01T00:00:00.000Z"}
    )
    build(cloud.sweep, cloud.session())({}, None)
    assert item(cloud, "2")["triage_attempts"] == 2


def test_a_start_that_fails_stops_nobody_else(cloud, capsys):
    for complaint_id in ("1", "2"):
        start(cloud, complaint_id)
    cloud.end_executions()
    session = cloud.session()
    before(session, "sfn.StartExecution", lambda: (_ for _ in ()).throw(UNAVAILABLE))
    build(cloud.sweep, session)({}, None)
    assert {item(cloud, complaint_id)["triage_attempts"] for complaint_id in ("1", "2")} == {2}
    assert '"SweepFailed":[1.0]' in capsys.readouterr().out
    build(cloud.sweep, cloud.session())({}, None)
    assert "SweepFailed" not in capsys.readouterr().out


def test_a_parked_complaint_is_reported_although_the_queue_was_away(cloud):
    start(cloud, "1", attempts=3)
    cloud.end_executions()
    away = cloud.session()
    failing(away, "sqs.SendMessage", UNAVAILABLE)
    build(cloud.sweep, away)({}, None)
    build(cloud.sweep, cloud.session())(ALL, None)
    assert cloud.messages()
