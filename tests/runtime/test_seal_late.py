"""What the stream has lost is sealed late, and the records then verify again. All complaints are verified in turn."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from runtime.seal import build as sealing
from tests.runtime.audit import announced, chain, entries, erase, records, seal
from triage.audit.chain import KEPT_LONGER_DAYS, Link
from triage.audit.verification import verify
from triage.feedback import INBOX
from triage.outbox import expiry
from triage.tables import AUDIT_CHAIN

DAYS = 1095


@pytest.fixture
def told(story):
    """Write the story of complaint 1 so that it was made long enough ago, and give the table."""
    for item in list(story.query("1")):
        story.put({**item, "expires_at": long_ago()})
    return story


def long_ago(minutes=60):
    return expiry(datetime.now(UTC) - timedelta(minutes=minutes), DAYS)


def search(cloud, context=None, **event):
    sealing(cloud.seal, cloud.session())(event, context)
    return chain(cloud)


def findings(cloud, story):
    found = verify(
        "1",
        links=chain(cloud),
        story=story.query("1"),
        inbox_links=chain(cloud, f"{INBOX}1"),
        inbox=story.query(f"{INBOX}1"),
        now=datetime.now(UTC),
        retention_days=DAYS,
    )
    return [(one.entry, one.problem) for one in found]


def test_records_that_the_stream_lost_are_sealed_late_and_verify_again(cloud, told, capsys):
    told.put({"complaint_id": f"{INBOX}1", "entry": "f-1", "outcome": "refused", "expires_at": long_ago()})
    assert {problem for _, problem in findings(cloud, told)} == {"unsealed"}
    links = search(cloud)
    assert '"SealedLate":[3]' in capsys.readouterr().out.replace(" ", "").replace("3.0", "3")
    assert [link.entry for link in links] == [item["entry"] for item in told.query("1")]
    assert all(link.late and link.is_sound for link in [*links, *chain(cloud, f"{INBOX}1")])
    assert chain(cloud, f"{INBOX}1")
    assert findings(cloud, told) == []
    assert search(cloud) == links


def test_what_the_stream_reports_is_not_called_late(cloud, told):
    assert not any(link.late for link in seal(cloud, records(told, "1")))
    assert search(cloud) == chain(cloud)


def test_what_was_written_a_moment_ago_is_left_to_the_stream(cloud, story):
    for item in list(story.query("1")):
        story.put({**item, "expires_at": long_ago(minutes=1)})
    assert search(cloud) == []


def test_an_entry_that_the_system_did_not_write_stays_a_finding(cloud, told):
    search(cloud)
    told.put({"complaint_id": "1", "entry": "READING#2026"})
    search(cloud)
    assert findings(cloud, told) == [("READING#2026", "unsealed")]


def test_a_change_by_hand_is_announced_although_the_stream_has_lost_it(cloud, told, capsys):
    search(cloud)
    (prediction,) = entries(told, "PREDICTION")
    told.put({**prediction, "label": "another"})
    *_, last = search(cloud)
    assert (last.entry, last.late) == (prediction["entry"], True)
    assert (prediction["entry"], "rewritten") in findings(cloud, told)
    assert announced(capsys) == 1


def test_a_removal_by_hand_is_not_sealed_and_stays_a_finding(cloud, told):
    links = search(cloud)
    (prediction,) = entries(told, "PREDICTION")
    told.delete("1", prediction["entry"])
    assert search(cloud) == links
    assert (prediction["entry"], "missing") in findings(cloud, told)


def test_an_erasure_that_the_stream_lost_is_sealed_late(cloud, told):
    told.put({"complaint_id": "1", "entry": "EXPLANATION#a", "expires_at": long_ago()})
    search(cloud)
    erase(cloud)
    for item in entries(told, "ERASURE"):
        told.put({**item, "expires_at": long_ago()})
    assert ("EXPLANATION#a", "missing") in findings(cloud, told)
    search(cloud)
    assert findings(cloud, told) == []


def test_an_expiry_that_the_stream_lost_is_sealed_as_such(cloud, told):
    then, last = datetime.now(UTC) - timedelta(days=DAYS + 1), None
    stated = {"complaint_id": "1", "sealed_at": then.isoformat(), "code_version": "test"}
    for item in told.query("1"):
        expires_at = expiry(then, DAYS + KEPT_LONGER_DAYS)
        last = Link.after(last, entry=item["entry"], content=item, expires_at=expires_at, **stated)
        cloud.table(AUDIT_CHAIN).put(last)
    (prediction,) = entries(told, "PREDICTION")
    told.delete("1", prediction["entry"])
    *_, link = search(cloud)
    assert (link.entry, link.change, link.late) == (prediction["entry"], "expired", True)
    assert findings(cloud, told) == []


def test_a_search_that_runs_out_of_time_ends_by_itself(cloud, told):
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 1_000)
    assert search(cloud, context) == []
    assert len(search(cloud, SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000))) == 3


def test_each_search_reads_the_slice_of_its_time(cloud, told):
    environment = cloud.seal.model_copy(update={"sweep_slices": 4})
    for minute in range(4):
        sealing(environment, cloud.session())({"at": f"2026-03-02T00:0{minute}:00Z"}, None)
    assert len(chain(cloud)) == 3


@pytest.fixture
def unverified(capsys, caplog):
    """Give what says how many complaints were counted since the last call, and what was logged of them."""

    def since_the_last_call():
        lines = (json.loads(line) for line in capsys.readouterr().out.splitlines() if '"Unverified"' in line)
        logged = [(one.entry, one.problem) for one in caplog.records if one.message == "does not verify"]
        caplog.clear()
        return sum(sum(line["Unverified"]) for line in lines), logged

    return since_the_last_call


@pytest.fixture
def settled(cloud, told):
    """Give the table with the story of complaint 1, sealed so long ago that the stream has nothing to add to it."""
    then, last = datetime.now(UTC) - timedelta(hours=1), None
    stated = {"complaint_id": "1", "sealed_at": then.isoformat(), "code_version": "test"}
    for item in told.query("1"):
        last = Link.after(last, entry=item["entry"], content=item, expires_at=expiry(then, DAYS + 14), **stated)
        cloud.table(AUDIT_CHAIN).put(last)
    return told


def test_a_record_that_is_gone_is_told_by_the_verification_of_all_complaints(cloud, settled, unverified):
    search(cloud)
    assert unverified() == (0, [])
    (prediction,) = entries(settled, "PREDICTION")
    settled.delete("1", prediction["entry"])
    search(cloud)
    contradiction = ("ALLOCATION", "inconsistent")
    assert unverified() == (1, [(prediction["entry"], "missing"), contradiction])


def test_a_complaint_of_which_only_the_chain_is_left_is_told(cloud, settled, unverified):
    for item in list(settled.query("1")):
        settled.delete("1", item["entry"])
    search(cloud)
    count, logged = unverified()
    assert (count, {problem for _, problem in logged}) == (1, {"missing"})
    assert len(logged) == 3


def test_a_removal_that_may_not_be_sealed_yet_is_left_to_the_next_turn(cloud, told, unverified):
    told.put({"complaint_id": "1", "entry": "EXPLANATION#a", "expires_at": long_ago()})
    search(cloud)
    told.delete("1", "EXPLANATION#a")
    search(cloud)
    assert ("EXPLANATION#a", "missing") in findings(cloud, told)
    assert unverified() == (0, [])


def test_each_complaint_is_verified_in_one_of_the_slices(cloud, settled, unverified):
    (prediction,) = entries(settled, "PREDICTION")
    settled.delete("1", prediction["entry"])
    environment = cloud.seal.model_copy(update={"verify_slices": 4})
    for minute in range(4):
        sealing(environment, cloud.session())({"at": f"2026-03-02T00:0{minute}:00Z"}, None)
    assert unverified()[0] == 1


def test_what_was_written_long_ago_is_sealed_in_its_turn_and_not_with_each_search(cloud, told):
    for item in list(told.query("1")):
        told.put({**item, "expires_at": long_ago(minutes=9 * 24 * 60)})
    environment, sealed = cloud.seal.model_copy(update={"verify_slices": 1_000}), list[int]()
    for slot in range(1_000):
        if len(chain(cloud)) == 0:
            at = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=slot)
            sealing(environment, cloud.session())({"at": at.isoformat()}, None)
            sealed.append(len(chain(cloud)))
    assert (sealed[0], sealed[-1]) == (0, 3)
