"""Stories are read as typed entries; every entry that is added is stamped with its expiry."""

from datetime import UTC, datetime

import pytest

from runtime.adapters.story import Stories, StoryReader
from tests.factories import any_allocation, any_prediction, any_selection
from triage.feedback import INBOX
from triage.outbox import expiry
from triage.story import SELECTION, AllocationEntry, HoldEntry, ReadingEntry, SelectionEntry
from triage.tables import COMPLAINTS_ALLOCATION

HOLD = HoldEntry(
    complaint_id="1",
    entry=HoldEntry.key("2026-03-01"),
    code_version="test",
    held="yes",
    placed_at="2026-03-01",
    placed_by="bob",
    reason="litigation 7",
)


@pytest.fixture
def stories(cloud) -> Stories:
    return Stories(cloud.allocate, cloud.session())


def test_what_was_added_is_read_back_typed(stories):
    allocation = any_allocation(complaint_id="1")
    for entry in (any_selection(complaint_id="1"), any_prediction(complaint_id="1"), allocation):
        assert stories.add(entry)
    story = stories.read("1")
    assert story.selection is not None and story.allocation is not None
    assert story.allocation.announcement() == allocation.announcement()
    assert stories.get(SelectionEntry, "1", SELECTION) == story.selection
    assert stories.has("1", SELECTION) and not stories.has("2", SELECTION)
    assert stories.get(AllocationEntry, "2", "ALLOCATION") is None


def test_every_entry_is_stamped_with_the_time_after_which_it_expires(cloud, stories):
    stories.add(any_selection(complaint_id="1"))
    reading = ReadingEntry(
        complaint_id="1", entry="READING#x", code_version="test", read_at="x", read_by="ann", purpose="test"
    )
    put = stories.record(reading)
    expected = expiry(datetime.now(UTC), cloud.allocate.retention_days)
    stamped = [int(item["expires_at"]) for item in cloud.table(COMPLAINTS_ALLOCATION).query("1")]
    assert stamped == [pytest.approx(expected, abs=60)] * 2
    assert put.expires_at in stamped


def test_a_record_replaces_no_other(stories):
    stories.add(any_selection(complaint_id="1", subject="first"))
    with pytest.raises(RuntimeError, match="nothing was written"):
        stories.record(any_selection(complaint_id="1", subject="second"))
    assert stories.read("1").selection.subject == "first"


def test_an_entry_keeps_the_expiry_that_it_states(stories):
    stories.add(any_selection(complaint_id="1", expires_at=7))
    assert stories.read("1").selection.expires_at == 7


def test_an_entry_is_added_once(stories):
    assert stories.add(any_selection(complaint_id="1", subject="first"))
    assert not stories.add(any_selection(complaint_id="1", subject="second"))
    assert stories.read("1").selection.subject == "first"


def test_a_hold_does_not_expire_and_is_lifted_once(stories):
    stories.add(HOLD)
    assert stories.read("1").hold == HOLD
    assert stories.held() == ["1"]
    lifted = HOLD.model_copy(update={"held": None, "lifted_at": "2026-03-02"})
    assert stories.lift(lifted)
    assert not stories.lift(lifted)
    assert stories.held() == [] and stories.read("1").hold is None


def test_entries_and_feedback_are_removed_by_their_names(cloud, stories):
    stories.add(any_selection(complaint_id="1"))
    table = cloud.table(COMPLAINTS_ALLOCATION)
    for feedback_id in ("f-1", "f-2"):
        table.put({"complaint_id": f"{INBOX}1", "entry": feedback_id})
    stories.remove("1", [SELECTION], feedback=["f-1"])
    assert not stories.read("1").items
    assert [row["entry"] for row in stories.inbox("1")] == ["f-2"]


def test_a_reader_needs_to_know_the_table_alone(cloud, stories):
    stories.add(any_selection(complaint_id="1"))
    assert StoryReader(cloud.find_decision, cloud.session()).read("1").selection is not None
