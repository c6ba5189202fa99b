"""An erasure removes the customer's words, and keeps what was decided."""

import pytest

from runtime.hold import build as holding
from tests.factories import any_item
from tests.runtime.audit import ASKED, entries, erase, hold
from tests.runtime.conftest import NARRATIVE, before, failing
from triage.errors import HeldError, StillTriagedError
from triage.feedback import INBOX
from triage.story import ERASURE, EXPLANATION, ErasureEntry
from triage.tables import RAW_COMPLAINTS


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
    story.put({"complaint_id": "1", "entry": "EXPLANATION#product#x"})
    failing(session, "dynamodb.DeleteItem", RuntimeError("down"))
    with pytest.raises(RuntimeError, match="down"):
        erase(cloud, session)
    # The record was written together with the removal of the complaint, and names what still has to go.
    (first,) = entries(story, ERASURE)
    assert first["text"] is True and cloud.table(RAW_COMPLAINTS).get("1") is None
    assert erase(cloud)["erasure"]["entries"] == first["entries"] == ["EXPLANATION#product#x"]
    assert not entries(story, EXPLANATION)
    assert erase(cloud)["erasure"] is None


def test_a_complaint_is_removed_with_the_record_of_it_or_not_at_all(cloud, story):
    session = cloud.session()
    failing(session, "dynamodb.TransactWriteItems", RuntimeError("down"))
    with pytest.raises(RuntimeError, match="down"):
        erase(cloud, session)
    assert not entries(story, ERASURE) and cloud.table(RAW_COMPLAINTS).get("1")


def test_a_hold_that_is_placed_in_that_moment_prevents_the_erasure(cloud, story):
    session = cloud.session()
    before(session, "dynamodb.TransactWriteItems", lambda: hold(cloud))
    with pytest.raises(HeldError, match="lift the hold first"):
        erase(cloud, session)
    assert cloud.table(RAW_COMPLAINTS).get("1")["narrative"] == NARRATIVE and not entries(story, ERASURE)


def test_a_complaint_that_is_started_again_in_that_moment_is_not_erased(cloud, story):
    session = cloud.session()
    table = cloud.table(RAW_COMPLAINTS)
    before(
        session, "dynamodb.TransactWriteItems", lambda: table.put(any_item(complaint_id="1", triage_state="started"))
    )
    with pytest.raises(StillTriagedError):
        erase(cloud, session)
    assert table.get("1") and not entries(story, ERASURE)


def test_a_mark_of_a_hold_that_was_left_behind_is_told_and_is_finished_by_lifting_again(cloud, story):
    hold(cloud)
    session = cloud.session()
    failing(session, "dynamodb.UpdateItem", RuntimeError("down"))
    with pytest.raises(RuntimeError, match="down"):
        holding(cloud.hold, session)({**ASKED, "kind": "lift"}, None)
    with pytest.raises(HeldError, match="lift it again"):
        erase(cloud)
    hold(cloud, "lift")
    assert erase(cloud)["erasure"]["text"] is True


def test_what_is_being_triaged_stays(cloud, story):
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", triage_state="started"))
    with pytest.raises(StillTriagedError):
        erase(cloud)
    assert cloud.table(RAW_COMPLAINTS).get("1") and not entries(story, ERASURE)
