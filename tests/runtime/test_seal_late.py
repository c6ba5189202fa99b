"""What the stream has lost is sealed late, and the records then verify again."""

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
