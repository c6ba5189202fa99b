"""An erasure removes the customer's words, and keeps what was decided."""

import pytest

from tests.factories import any_item
from tests.runtime.audit import entries, erase
from tests.runtime.conftest import failing
from triage.errors import StillTriagedError
from triage.feedback import INBOX
from triage.story import ERASURE, ErasureEntry
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
