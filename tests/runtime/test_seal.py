"""Every change of a story is sealed, and changes that no function makes raise an alarm."""

from datetime import UTC, datetime, timedelta

import pytest

from runtime.feedback import build as feeding
from runtime.seal import build as sealing
from tests.factories import NOW, any_feedback
from tests.runtime.audit import announced, chain, entries, erase, hold, records, seal
from tests.runtime.conftest import ANCHORS, before, failing, stream_records
from triage.audit.anchor import Anchor
from triage.audit.chain import KEPT_LONGER_DAYS, Link
from triage.audit.verification import verify
from triage.feedback import INBOX, FeedbackRow
from triage.outbox import expiry
from triage.story import HOLD
from triage.tables import AUDIT_CHAIN


def test_each_change_is_sealed_once_however_often_it_is_reported(cloud, story):
    event = records(story, "1")
    links = seal(cloud, event)
    assert [link.entry for link in links] == [item["entry"] for item in story.query("1")]
    assert [link.previous_sha256 for link in links] == [None, *(link.sha256 for link in links[:-1])]
    assert seal(cloud, event) == links


def removal(entry, **by):
    return stream_records({"complaint_id": "1", "entry": entry}, removed=True, **by)


def test_a_story_and_an_inbox_have_chains_of_their_own(cloud, story):
    story.put({"complaint_id": f"{INBOX}1", "entry": "f-1"})
    seal(cloud, records(story, "1", f"{INBOX}1"))
    assert len(chain(cloud)) == 3
    assert [link.entry for link in chain(cloud, f"{INBOX}1")] == ["f-1"]


def test_a_change_and_a_removal_are_sealed_as_such(cloud, story):
    event = records(story, "1")
    seal(cloud, event)
    first, second, _ = story.query("1")
    story.put({**first, "more": 1})
    story.delete("1", second["entry"])
    seal(cloud, event)
    *_, changed, removed = seal(cloud, removal(second["entry"]))
    assert (changed.entry, changed.change) == (first["entry"], "written")
    assert (removed.entry, removed.change, removed.content_sha256) == (second["entry"], "removed", None)


def test_two_that_seal_at_once_make_one_chain(cloud, story):
    session = cloud.session()
    event = records(story, "1")
    before(
        session, "dynamodb.PutItem", lambda: seal(cloud, stream_records({"complaint_id": "1", "entry": "ALLOCATION"}))
    )
    links = seal(cloud, event, session)
    assert [link.number for link in links] == [1, 2, 3]
    assert links[0].entry == "ALLOCATION"
    assert all(link.is_sound for link in links)
    assert [link.previous_sha256 for link in links[1:]] == [link.sha256 for link in links[:-1]]


@pytest.mark.parametrize("sequence", ["000003", "000004", "zzz", "999999999999"])
def test_what_somebody_made_of_a_link_breaks_its_chain_and_keeps_nothing_from_being_sealed(cloud, story, sequence):
    seal(cloud, records(story, "1"))
    cloud.table(AUDIT_CHAIN).put({"complaint_id": "1", "sequence": sequence, "entry": "x"})
    story.put({"complaint_id": "1", "entry": "READING#2026"})
    sealing(cloud.seal, cloud.session())(records(story, "1"), None)
    items = [item for item in cloud.table(AUDIT_CHAIN).query("1") if "sha256" in item]
    assert "READING#2026" in {item["entry"] for item in items}
    links = [Link.model_validate(item) for item in items]
    found = verify("1", links=links, story=story.query("1"), inbox_links=(), inbox=(), now=NOW, retention_days=1095)
    # That the forged item is no link is for whoever reads the chain to say.
    assert bool(found) is (sequence in ("000003", "000004"))


def test_the_numbers_that_somebody_took_end_no_chain(cloud, story):
    for sequence in ("000001", "000002", "000004", "999999999999", "1000000000000"):
        cloud.table(AUDIT_CHAIN).put({"complaint_id": "1", "sequence": sequence, "entry": "x"})
    sealing(cloud.seal, cloud.session())(records(story, "1"), None)
    items = [item for item in cloud.table(AUDIT_CHAIN).query("1") if "sha256" in item]
    assert sorted(item["sequence"] for item in items) == ["000003", "000005", "000006"]


def test_what_seals_is_kept_longer_than_what_it_seals(cloud, story):
    """If the chain expired before its records, deleting these later would look like tampering."""
    (link, *_) = seal(cloud, records(story, "1"))
    sealed_at = datetime.fromisoformat(link.sealed_at)
    assert link.expires_at == expiry(sealed_at, cloud.seal.retention_days + KEPT_LONGER_DAYS)


def test_what_cannot_be_sealed_is_raised_so_that_the_stream_waits(cloud, story):
    session = cloud.session()
    failing(session, "dynamodb.PutItem", RuntimeError("down"))
    with pytest.raises(RuntimeError, match="down"):
        seal(cloud, records(story, "1"), session)
    assert [link.number for link in seal(cloud, records(story, "1"))] == [1, 2, 3]


@pytest.mark.parametrize("removed", [False, True])
def test_a_record_that_is_rewritten_or_removed_by_hand_is_announced_when_it_is_sealed(cloud, story, capsys, removed):
    event = records(story, "1")
    seal(cloud, event)
    assert not announced(capsys)
    (prediction,) = entries(story, "PREDICTION")
    story.delete("1", prediction["entry"]) if removed else story.put({**prediction, "label": "another"})
    seal(cloud, removal(prediction["entry"]) if removed else event)
    assert announced(capsys) == 1


def test_a_record_that_was_removed_by_hand_is_announced_however_old_it_is_and_even_if_it_was_never_sealed(
    cloud, story, capsys
):
    grown_old(cloud, story)
    (allocation,) = entries(story, "ALLOCATION")
    story.delete("1", allocation["entry"])
    seal(cloud, removal(allocation["entry"]))
    seal(cloud, removal("EXPLANATION#never#sealed"))
    assert announced(capsys) == 2


def grown_old(cloud, story, *, days=1095):
    """Write the chain of the story as it was sealed that many days ago."""
    then, last = datetime.now(UTC) - timedelta(days=days), None
    stated = {"complaint_id": "1", "sealed_at": then.isoformat(), "code_version": "test"}
    expires_at = expiry(then, cloud.seal.retention_days + KEPT_LONGER_DAYS)
    for item in story.query("1"):
        last = Link.after(last, entry=item["entry"], content=item, expires_at=expires_at, **stated)
        cloud.table(AUDIT_CHAIN).put(last)


def test_a_record_that_has_expired_is_sealed_as_such_and_announced_to_nobody(cloud, story, capsys):
    grown_old(cloud, story)
    before = {link.expires_at or 0 for link in chain(cloud)}
    for item in list(story.query("1")):
        story.delete("1", item["entry"])
        seal(cloud, removal(item["entry"], expired=True))
    links = chain(cloud)
    assert [link.change for link in links] == ["written"] * 3 + ["expired"] * 3
    assert not announced(capsys)
    # The ids are kept no longer than the chain they belong to, and not for another retention.
    now = datetime.now(UTC)
    assert max(link.expires_at or 0 for link in links) <= max(*before, expiry(now, KEPT_LONGER_DAYS))
    assert max(before) < expiry(now, 30)


def test_a_record_that_expires_before_its_age_was_tampered_with(cloud, story, capsys):
    seal(cloud, records(story, "1"))
    (prediction,) = entries(story, "PREDICTION")
    story.delete("1", prediction["entry"])
    seal(cloud, removal(prediction["entry"], expired=True))
    assert announced(capsys) == 1


def test_a_record_that_expires_after_its_chain_begins_no_other(cloud, story):
    (prediction,) = entries(story, "PREDICTION")
    story.delete("1", prediction["entry"])
    assert seal(cloud, removal(prediction["entry"], expired=True)) == []


def test_a_record_that_is_gone_before_it_was_sealed_is_sealed_with_who_removed_it(cloud, story):
    seal(cloud, records(story, "1"))
    story.put({"complaint_id": "1", "entry": "READING#2026"})
    event = stream_records({"complaint_id": "1", "entry": "READING#2026"})
    story.delete("1", "READING#2026")
    assert len(seal(cloud, event)) == 3
    assert seal(cloud, removal("READING#2026"))[-1].change == "removed"


def test_an_announcement_that_failed_is_made_with_the_next_attempt(cloud, story, capsys):
    event = records(story, "1")
    seal(cloud, event)
    (prediction,) = entries(story, "PREDICTION")
    story.put({**prediction, "label": "another"})
    session = cloud.session()
    failing(session, "dynamodb.Query", RuntimeError("down"), after=1)
    with pytest.raises(RuntimeError, match="down"):
        seal(cloud, event, session)
    assert not announced(capsys)
    seal(cloud, event)
    assert announced(capsys) == 1


SLIPPED_IN = [
    {"entry": "SUPERSEDED#000001"},
    {"entry": "SUPERSEDED#000001", "allocation": "none"},
    {"entry": "ERASURE#1", "entries": 5},
]


@pytest.mark.parametrize("slipped_in", SLIPPED_IN, ids=["empty", "text", "number"])
def test_what_is_slipped_in_hides_nothing_that_was_rewritten(cloud, story, capsys, slipped_in):
    seal(cloud, records(story, "1"))
    (allocation,) = entries(story, "ALLOCATION")
    story.put({**allocation, "version": 2})
    story.put({"complaint_id": "1", **slipped_in})
    links = seal(cloud, records(story, "1"))
    assert [link.entry for link in links][-2:] == ["ALLOCATION", slipped_in["entry"]]
    assert announced(capsys) == 1


def test_what_cannot_be_verified_is_announced_and_keeps_nothing_from_being_sealed(cloud, story, capsys, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise TypeError

    event = records(story, "1")
    seal(cloud, event)
    (prediction,) = entries(story, "PREDICTION")
    story.put({**prediction, "label": "another"})
    monkeypatch.setattr("runtime.seal.verify", fail)
    assert len(seal(cloud, event)) == 4
    assert announced(capsys) == 1


def test_what_triage_people_and_erasure_change_is_not_announced(cloud, story, capsys):
    story.put({"complaint_id": "1", "entry": "EXPLANATION#product#x"})
    story.put({"complaint_id": f"{INBOX}1", "entry": "f-1", "kind": "confirm"})
    event = records(story, "1", f"{INBOX}1")
    seal(cloud, event)
    said = any_feedback(complaint_id="1", feedback_id="f-2", kind="set_vulnerable")
    story.put(FeedbackRow.of(said))
    feeding(cloud.feedback, cloud.session())(stream_records({"complaint_id": f"{INBOX}1", "entry": "f-2"}), None)
    hold(cloud)
    (placed,) = entries(story, HOLD)
    keys = ({"complaint_id": "1", "entry": entry} for entry in ("SUPERSEDED#000001", placed["entry"]))
    seal(cloud, stream_records(*keys))
    hold(cloud, kind="lift")
    story.put({"complaint_id": f"{INBOX}1", "entry": "f-1", "kind": "confirm", "outcome": "refused"})
    erase(cloud)
    gone = ({"complaint_id": "1", "entry": "EXPLANATION#product#x"}, {"complaint_id": f"{INBOX}1", "entry": "f-1"})
    changed = [*records(story, "1", f"{INBOX}1")["Records"], *stream_records(*gone, removed=True)["Records"]]
    seal(cloud, {"Records": changed})
    assert len({link.entry for link in chain(cloud) if link.change == "removed"}) == 1
    assert not announced(capsys)


def test_feedback_that_is_put_again_is_judged_by_the_outcome_it_gets(cloud, story, capsys):
    row = {"complaint_id": f"{INBOX}1", "entry": "f-1", "kind": "confirm"}
    done = {**row, "outcome": "refused", "reason": "a good one"}
    for form in (row, done, row, done):
        story.put(form)
        seal(cloud, records(story, f"{INBOX}1"))
        assert not announced(capsys)
    for form in ({**row, "kind": "reallocate"}, {**done, "kind": "reallocate"}):
        story.put(form)
        seal(cloud, records(story, f"{INBOX}1"))
    assert announced(capsys)


def test_the_log_says_what_the_chain_ends_with(cloud, story, caplog):
    links = seal(cloud, records(story, "1"))
    (said,) = (vars(record) for record in caplog.records if record.message == "sealed")
    assert (said["complaint_id"], said["link"], said["sha256"]) == ("1", 3, links[-1].sha256)


def anchored(cloud) -> set[str]:
    found = cloud.session().client("s3").list_objects_v2(Bucket=ANCHORS).get("Contents", [])
    return {item["Key"] for item in found}


def test_the_end_of_each_chain_is_anchored_with_each_sealing(cloud, story):
    first = seal(cloud, records(story, "1"))[-1]
    story.put({"complaint_id": "1", "entry": "READING#2026"})
    second = seal(cloud, records(story, "1"))[-1]
    assert anchored(cloud) == {Anchor.of(link).key for link in (first, second)}


def test_an_anchor_that_failed_is_made_with_the_next_attempt(cloud, story):
    session = cloud.session()
    failing(session, "s3.PutObject", RuntimeError("down"))
    with pytest.raises(RuntimeError, match="down"):
        seal(cloud, records(story, "1"), session)
    assert not anchored(cloud)
    end = seal(cloud, records(story, "1"))[-1]
    assert anchored(cloud) == {Anchor.of(end).key}
