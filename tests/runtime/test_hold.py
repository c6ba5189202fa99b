"""A held complaint does not expire and cannot be erased, until its hold is lifted."""

from datetime import datetime

import pytest

from runtime.hold import build as holding
from runtime.keep_held import build as keeping
from tests.factories import any_item, any_selection
from tests.runtime.audit import ASKED, chain, entries, erase, hold, records, seal
from tests.runtime.conftest import NARRATIVE, Cloud, before, failing
from triage.audit.chain import KEPT_LONGER_DAYS
from triage.errors import HeldError, HoldRefusedError
from triage.feedback import INBOX
from triage.outbox import DAY, expiry
from triage.story import HOLD, HoldEntry
from triage.tables import AUDIT_CHAIN, RAW_COMPLAINTS


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
    assert cloud.table(RAW_COMPLAINTS).get("1")["narrative"] == NARRATIVE


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


def test_a_hold_that_is_lifted_while_it_is_placed_again_stays_lifted(cloud, story):
    hold(cloud)
    story.put({"complaint_id": "1", "entry": "FEEDBACK#000002", "expires_at": 5})
    session = cloud.session()
    before(session, "dynamodb.UpdateItem", lambda: hold(cloud, "lift"))
    with pytest.raises(HoldRefusedError, match="meanwhile"):
        holding(cloud.hold, session)({**ASKED, "kind": "place"}, None)
    assert len(expiring(cloud, story)) == 6


def test_a_complaint_that_cannot_be_kept_leaves_no_other_unkept(cloud, story, caplog):
    for complaint_id in ("0", "1"):
        story.put(any_selection(complaint_id=complaint_id))
        cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id=complaint_id))
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
    """Otherwise its removal would look like tampering."""
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


def test_an_erased_complaint_cannot_be_held(cloud, story):
    erased_at = erase(cloud)["erasure"]["erased_at"]
    with pytest.raises(HoldRefusedError, match=f"was erased at {erased_at}"):
        hold(cloud)
    assert not entries(story, HOLD)


def test_a_complaint_that_is_erased_in_that_moment_is_not_held(cloud, story):
    session = cloud.session()
    before(session, "dynamodb.TransactWriteItems", lambda: erase(cloud))
    with pytest.raises(HoldRefusedError, match="was erased at"):
        holding(cloud.hold, session)({**ASKED, "kind": "place"}, None)
    assert not entries(story, HOLD)


def test_of_two_that_hold_at_once_both_get_the_same_hold(cloud, story):
    session = cloud.session()
    before(session, "dynamodb.TransactWriteItems", lambda: hold(cloud, requester="bob"))
    held = holding(cloud.hold, session)({**ASKED, "kind": "place"}, None)
    (stored,) = entries(story, HOLD)
    assert held["hold"]["placed_by"] == stored["placed_by"] == "bob"


def test_a_held_complaint_that_was_put_again_is_marked_by_the_next_schedule(cloud, story):
    hold(cloud)
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", triage_state="allocated"))
    keeping(cloud.keep_held, cloud.session())({}, None)
    assert cloud.table(RAW_COMPLAINTS).get("1")["triage_held"] == "yes"
    hold(cloud, "lift")
    assert "triage_held" not in cloud.table(RAW_COMPLAINTS).get("1")
