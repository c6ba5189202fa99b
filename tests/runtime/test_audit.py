"""Sealing, erasing, holding, and a narrative handed to a person."""

import json
from datetime import datetime

import pytest

from runtime.erase import build as erasing
from runtime.hold import build as holding
from runtime.keep_held import build as keeping
from runtime.read_narrative import build as reading
from runtime.seal import build as sealing
from tests.factories import NOW, any_allocation, any_item, any_prediction, any_selection
from tests.runtime.conftest import Cloud, before, failing, stream_records
from triage.chain import KEPT_LONGER_DAYS, Link
from triage.errors import ComplaintMissingError, HeldError, HoldRefusedError, StillTriagedError
from triage.feedback import INBOX
from triage.outbox import ALLOCATED, DAY, expiry
from triage.story import ERASURE, HOLD, READING, ErasureEntry, HoldEntry, ReadingEntry
from triage.tables import AUDIT_CHAIN, COMPLAINTS_ALLOCATION, RAW_COMPLAINTS
from triage.verification import verify

ASKED = {"complaint_id": "1", "requester": "ann", "reason": "asked for"}
WORDS = "My kestrel mortgage was sold."


@pytest.fixture
def story(cloud):
    """Of complaint 1: selection, prediction and allocation."""
    table = cloud.table(COMPLAINTS_ALLOCATION)
    for entry in (any_selection, any_prediction, any_allocation):
        table.put(entry(complaint_id="1", expires_at=1_900_000_000))
    item = any_item(complaint_id="1", narrative=WORDS, triage_state=ALLOCATED, expires_at=1_900_000_000)
    cloud.table(RAW_COMPLAINTS).put(item)
    return table


def records(story, *partitions):
    keys = [{"complaint_id": p, "entry": item["entry"]} for p in partitions for item in story.query(p)]
    return stream_records(*keys)


def seal(cloud: Cloud, event, session=None) -> list[Link]:
    sealing(cloud.seal, session or cloud.session())(event, None)
    return chain(cloud)


def chain(cloud: Cloud, complaint_id: str = "1") -> list[Link]:
    return [Link.model_validate(item) for item in cloud.table(AUDIT_CHAIN).query(complaint_id)]


def entries(story, kind):
    return [item for item in story.query("1") if item["entry"].startswith(kind)]


# seal


def test_each_change_is_sealed_once_however_often_it_is_reported(cloud, story):
    event = records(story, "1")
    links = seal(cloud, event)
    assert [link.entry for link in links] == [item["entry"] for item in story.query("1")]
    assert [link.previous_sha256 for link in links] == [None, *(link.sha256 for link in links[:-1])]
    assert seal(cloud, event) == links


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
    *_, changed, removed = seal(cloud, event)
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
    """DynamoDB removes what has expired in no order: without its chain a removal would look like tampering."""
    (link, *_) = seal(cloud, records(story, "1"))
    sealed_at = datetime.fromisoformat(link.sealed_at)
    assert link.expires_at == expiry(sealed_at, cloud.seal.retention_days + KEPT_LONGER_DAYS)


def test_what_cannot_be_sealed_is_raised_so_that_the_stream_waits(cloud, story):
    session = cloud.session()
    failing(session, "dynamodb.PutItem", RuntimeError("down"))
    with pytest.raises(RuntimeError, match="down"):
        seal(cloud, records(story, "1"), session)
    assert [link.number for link in seal(cloud, records(story, "1"))] == [1, 2, 3]


def announced(capsys):
    lines = (json.loads(line) for line in capsys.readouterr().out.splitlines() if "RecordAltered" in line)
    return sum(sum(line["RecordAltered"]) for line in lines)


@pytest.mark.parametrize("removed", [False, True])
def test_a_record_that_is_rewritten_or_removed_by_hand_is_announced_when_it_is_sealed(cloud, story, capsys, removed):
    event = records(story, "1")
    seal(cloud, event)
    assert not announced(capsys)
    (prediction,) = entries(story, "PREDICTION")
    story.delete("1", prediction["entry"]) if removed else story.put({**prediction, "label": "another"})
    seal(cloud, event)
    assert announced(capsys) == 1


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
    (allocation,) = entries(story, "ALLOCATION")
    superseded = {"complaint_id": "1", "entry": "SUPERSEDED#000001", "allocation": allocation}
    story.put(superseded)
    story.put({**allocation, "version": 2})
    hold(cloud)
    (placed,) = entries(story, HOLD)
    seal(cloud, stream_records(*({"complaint_id": "1", "entry": each["entry"]} for each in (superseded, placed))))
    hold(cloud, kind="lift")
    story.put({"complaint_id": f"{INBOX}1", "entry": "f-1", "kind": "confirm", "outcome": "refused"})
    erase(cloud)
    changed = [*event["Records"], *records(story, "1", f"{INBOX}1")["Records"]]
    seal(cloud, {"Records": changed})
    assert len({link.entry for link in chain(cloud) if link.change == "removed"}) == 1
    assert not announced(capsys)


def test_feedback_that_is_put_again_is_judged_by_the_outcome_it_gets(cloud, story, capsys):
    row = {"complaint_id": f"{INBOX}1", "entry": "f-1", "kind": "confirm"}
    done = {**row, "outcome": "applied", "made_version": 2}
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


# erase


def erase(cloud: Cloud, session=None, **changed):
    return erasing(cloud.erase, session or cloud.session())({**ASKED, **changed}, None)


def test_the_words_go_and_what_was_decided_stays(cloud, story):
    story.put({"complaint_id": "1", "entry": "EXPLANATION#product#x"})
    story.put({"complaint_id": f"{INBOX}1", "entry": "f-1", "outcome": "refused"})
    story.put({"complaint_id": f"{INBOX}1", "entry": "f-2", "outcome": "applied"})
    kept = {item["entry"] for item in story.query("1")} - {"EXPLANATION#product#x"}
    erased = erase(cloud, snapshots={"acme/complaints": 1})["erasure"]
    assert cloud.table(RAW_COMPLAINTS).get("1") is None
    (entry,) = entries(story, ERASURE)
    assert ErasureEntry.model_validate(entry) == ErasureEntry.model_validate(erased)
    assert erased["snapshots"] == {"acme/complaints": 1}
    assert {item["entry"] for item in story.query("1")} == {*kept, entry["entry"]}
    assert [item["entry"] for item in story.query(f"{INBOX}1")] == ["f-2"]


def test_an_erasure_that_was_interrupted_is_finished_by_another(cloud, story):
    session = cloud.session()
    failing(session, "dynamodb.DeleteItem", RuntimeError("down"))
    with pytest.raises(RuntimeError, match="down"):
        erase(cloud, session)
    # What may go was written down before anything went.
    assert entries(story, ERASURE) and cloud.table(RAW_COMPLAINTS).get("1")
    assert erase(cloud)["erasure"]["text"] is True
    assert cloud.table(RAW_COMPLAINTS).get("1") is None
    assert erase(cloud)["erasure"] is None


def test_what_is_being_triaged_stays(cloud, story):
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", triage_state="started"))
    with pytest.raises(StillTriagedError):
        erase(cloud)
    assert cloud.table(RAW_COMPLAINTS).get("1") and not entries(story, ERASURE)


# hold


def hold(cloud: Cloud, kind="place", **changed):
    return holding(cloud.hold, cloud.session())({**ASKED, "kind": kind, **changed}, None)


def expiring(cloud: Cloud, story) -> list[int]:
    raw = cloud.table(RAW_COMPLAINTS).get("1") or {}
    items = [raw, *story.query("1"), *story.query(f"{INBOX}1"), *cloud.table(AUDIT_CHAIN).query("1")]
    return [int(item["expires_at"]) for item in items if "expires_at" in item]


def test_what_is_held_does_not_expire_and_cannot_be_erased(cloud, story):
    seal(cloud, records(story, "1"))
    assert hold(cloud)["kept"] == 7
    assert expiring(cloud, story) == []
    with pytest.raises(HeldError, match="asked for"):
        erase(cloud)
    assert cloud.table(RAW_COMPLAINTS).get("1")["narrative"] == WORDS


def test_a_second_hold_is_the_first(cloud, story):
    first = hold(cloud)["hold"]
    assert hold(cloud, reason="another")["hold"] == first
    assert len(entries(story, HOLD)) == 1


def test_what_is_written_while_it_is_held_is_kept_by_the_next_schedule(cloud, story):
    hold(cloud)
    story.put({"complaint_id": "1", "entry": "FEEDBACK#000002", "expires_at": 5})
    story.put({"complaint_id": "2", "entry": "ALLOCATION", "expires_at": 5})
    keeping(cloud.keep_held, cloud.session())({}, None)
    assert expiring(cloud, story) == []
    assert story.get("2", "ALLOCATION")["expires_at"] == 5


def test_a_hold_that_is_lifted_leaves_all_to_expire_at_once(cloud, story):
    hold(cloud)
    lifted = HoldEntry.model_validate(hold(cloud, "lift", reason="settled")["hold"])
    assert (lifted.held, lifted.lifted_reason) == (None, "settled")
    (stored,) = (HoldEntry.model_validate(item) for item in entries(story, HOLD))
    assert stored.held is None
    times = expiring(cloud, story)
    assert len(times) == 5 and len(set(times)) == 1
    keeping(cloud.keep_held, cloud.session())({}, None)
    assert expiring(cloud, story) == times


def test_lifting_that_was_interrupted_is_finished_by_another(cloud, story):
    hold(cloud)
    session = cloud.session()
    failing(session, "dynamodb.UpdateItem", RuntimeError("down"), after=1)
    with pytest.raises(RuntimeError, match="down"):
        holding(cloud.hold, session)({**ASKED, "kind": "lift"}, None)
    (first,) = entries(story, HOLD)
    assert len(expiring(cloud, story)) == 1
    assert hold(cloud, "lift", reason="another")["hold"]["lifted_at"] == first["lifted_at"]
    assert len(expiring(cloud, story)) == 5


def test_of_two_that_lift_at_once_one_is_told_so(cloud, story):
    hold(cloud)
    session = cloud.session()
    before(session, "dynamodb.PutItem", lambda: hold(cloud, "lift", requester="bob"))
    with pytest.raises(HoldRefusedError, match="meanwhile"):
        holding(cloud.hold, session)({**ASKED, "kind": "lift"}, None)
    (stored,) = entries(story, HOLD)
    assert stored["lifted_by"] == "bob"


def test_a_hold_that_is_lifted_while_holds_are_kept_stays_lifted(cloud, story):
    hold(cloud)
    session = cloud.session()
    before(session, "dynamodb.UpdateItem", lambda: hold(cloud, "lift"))
    keeping(cloud.keep_held, session)({}, None)
    assert len(expiring(cloud, story)) == 5


def test_a_complaint_that_cannot_be_kept_leaves_no_other_unkept(cloud, story, caplog):
    for complaint_id in ("0", "1"):
        story.put(any_selection(complaint_id=complaint_id))
        hold(cloud, complaint_id=complaint_id)
        story.put({"complaint_id": complaint_id, "entry": "FEEDBACK#000002", "expires_at": 5})
    session = cloud.session()
    before(session, "dynamodb.UpdateItem", lambda: (_ for _ in ()).throw(RuntimeError("down")))
    with pytest.raises(RuntimeError, match="1 of 2 complaints are not kept"):
        keeping(cloud.keep_held, session)({}, None)
    left = {each: story.get(each, "FEEDBACK#000002").get("expires_at") for each in ("0", "1")}
    assert left == {"0": 5, "1": None}
    assert [vars(record)["complaint_id"] for record in caplog.records if record.message == "not kept"] == ["0"]


def test_feedback_that_came_late_expires_no_earlier_than_its_own_chain_says(cloud, story):
    """Else its removal would look as if somebody had taken it away."""
    story.put({"complaint_id": f"{INBOX}1", "entry": "f-1", "outcome": "applied"})
    seal(cloud, records(story, "1", f"{INBOX}1"))
    hold(cloud)
    hold(cloud, "lift")
    (link,) = chain(cloud, f"{INBOX}1")
    days = cloud.hold.retention_days
    expected = expiry(datetime.fromisoformat(link.began_at), days)
    assert story.get(f"{INBOX}1", "f-1")["expires_at"] == expected
    assert link.expires_at == expected + KEPT_LONGER_DAYS * DAY
    (selection,) = entries(story, "SELECTION")
    # Of the story here, whose selection is older than its chain, the same holds.
    assert selection["expires_at"] == expiry(datetime.fromisoformat(chain(cloud)[0].began_at), days)


def test_only_what_has_a_story_is_held_and_only_what_is_held_is_lifted(cloud, story):
    with pytest.raises(HoldRefusedError, match="no story"):
        hold(cloud, complaint_id="9")
    with pytest.raises(HoldRefusedError, match="not held"):
        hold(cloud, "lift")


# read_narrative


def test_a_narrative_is_handed_out_once_it_is_recorded_who_has_it(cloud, story, caplog):
    request = {"complaint_id": "1", "requester": "ann", "purpose": "replay"}
    given = reading(cloud.read_narrative, cloud.session())(request, None)
    assert given["words"] == WORDS
    (entry,) = (ReadingEntry.model_validate(item) for item in entries(story, READING))
    assert (entry.read_by, entry.purpose, entry.read_at) == ("ann", "replay", given["read_at"])
    (said,) = (vars(record) for record in caplog.records if record.message == "narrative read")
    assert (said["complaint_id"], said["requester"], said["purpose"]) == ("1", "ann", "a person's reading")
    assert "kestrel" not in caplog.text


def test_a_narrative_that_cannot_be_recorded_is_not_handed_out(cloud, story):
    session = cloud.session()
    failing(session, "dynamodb.PutItem", RuntimeError("down"))
    with pytest.raises(RuntimeError, match="down"):
        reading(cloud.read_narrative, session)({"complaint_id": "1", "requester": "ann", "purpose": "replay"}, None)


def test_a_complaint_that_is_gone_is_not_read(cloud, story):
    with pytest.raises(ComplaintMissingError):
        reading(cloud.read_narrative, cloud.session())(
            {"complaint_id": "9", "requester": "ann", "purpose": "replay"}, None
        )
    assert not entries(story, READING)
