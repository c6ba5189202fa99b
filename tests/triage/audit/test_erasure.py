from datetime import timedelta
from typing import Any

import pytest

from tests.factories import NOW
from triage.audit.erasure import ErasureRequest, plan_erasure
from triage.audit.hold import HoldRequest, expiry_after, lifted, placed
from triage.errors import HeldError, HoldRefusedError, StillTriagedError
from triage.feedback import INBOX
from triage.stored_story import StoredStory

REQUEST = ErasureRequest(complaint_id="1", requester="ann", reason="asked for")
STORY: list[dict[str, Any]] = [
    {"entry": "SELECTION", "selected_at": "2026-03-01T00:00:00.000Z"},
    {"entry": "ALLOCATION"},
    {"entry": "DELIVERY#product#x#2026"},
    {"entry": "EXPLANATION#product#x"},
    {"entry": "PREDICTION#product#a"},
]
INBOX_ROWS = [
    {"complaint_id": f"{INBOX}1", "entry": "f-1", "outcome": "applied"},
    {"complaint_id": f"{INBOX}1", "entry": "f-2", "outcome": "refused"},
    {"complaint_id": f"{INBOX}1", "entry": "f-3"},
    # Of a complaint that is called like the inbox of this one.
    {"complaint_id": f"{INBOX}1", "entry": "ALLOCATION", "code_version": "test"},
]


def plan(request=REQUEST, *, raw=None, story=(), inbox=()):
    return plan_erasure(request, raw=raw, story=StoredStory(story), inbox=inbox, now=NOW, code_version="test")


@pytest.mark.parametrize("state", ["allocated", "parked"])
def test_text_explanations_and_feedback_that_was_not_applied_go_and_nothing_else(state):
    erasure = plan(raw={"complaint_id": "1", "triage_state": state}, story=STORY, inbox=INBOX_ROWS)
    assert erasure is not None
    assert erasure.text
    assert (erasure.entries, erasure.refused_feedback) == (("EXPLANATION#product#x",), ("f-2", "f-3"))
    assert (erasure.erased_by, erasure.reason, erasure.erased_at) == ("ann", "asked for", "2026-03-02T09:30:00.000Z")


@pytest.mark.parametrize("raw", [{"complaint_id": "1"}, {"complaint_id": "1", "triage_state": "started"}])
def test_a_complaint_is_not_erased_while_its_execution_runs(raw):
    with pytest.raises(StillTriagedError, match="allocated or parked"):
        plan(raw=raw, story=STORY)


def test_an_erasure_that_removes_nothing_is_not_recorded():
    assert plan(story=[entry for entry in STORY if not entry["entry"].startswith("EXPLANATION")]) is None


def test_what_was_left_behind_is_found_again():
    erasure = plan(story=STORY)
    assert erasure is not None and not erasure.text and erasure.entries


def test_rows_of_snapshots_are_recorded_though_all_the_rest_is_gone():
    erasure = plan(REQUEST.model_copy(update={"snapshots": {"acme/complaints": 2}}))
    assert erasure is not None and erasure.snapshots == {"acme/complaints": 2}


def test_a_hold_comes_before_erasure_until_it_is_lifted():
    place = HoldRequest(complaint_id="1", kind="place", requester="bob", reason="litigation 7")
    hold = placed(place, now=NOW, code_version="test")
    story = [*STORY, hold.model_dump(exclude_none=True)]
    with pytest.raises(HeldError, match="by bob: litigation 7"):
        plan(raw={"triage_state": "allocated"}, story=story)
    assert StoredStory(story).hold == hold
    lift = place.model_copy(update={"kind": "lift", "requester": "cai", "reason": "settled"})
    after = lifted(StoredStory(story), lift, now=NOW)
    assert (after.placed_by, after.lifted_by, after.lifted_reason, after.held) == ("bob", "cai", "settled", None)
    story = [*STORY, after.model_dump(exclude_none=True)]
    assert StoredStory(story).hold is None
    assert plan(raw={"triage_state": "allocated"}, story=story) is not None


def test_only_a_hold_can_be_lifted():
    with pytest.raises(HoldRefusedError, match="not held"):
        lifted(StoredStory(STORY), HoldRequest(complaint_id="1", kind="lift", requester="ann", reason="any"), now=NOW)


def test_a_hold_that_was_lifted_stays_as_it_was_lifted():
    place = HoldRequest(complaint_id="1", kind="place", requester="bob", reason="litigation 7")
    lift = place.model_copy(update={"kind": "lift"})
    hold = placed(place, now=NOW, code_version="test")
    first = lifted(StoredStory([hold.model_dump(exclude_none=True)]), lift, now=NOW)
    again = placed(place, now=NOW + timedelta(days=1), code_version="test")
    second = lifted(StoredStory([again.model_dump(exclude_none=True)]), lift, now=NOW + timedelta(days=2))
    story = [first.model_dump(exclude_none=True), second.model_dump(exclude_none=True)]
    assert lifted(StoredStory(story), lift, now=NOW + timedelta(days=9)) == second
    third = placed(place, now=NOW + timedelta(days=3), code_version="test")
    assert lifted(StoredStory([*story, third.model_dump(exclude_none=True)]), lift, now=NOW).entry == third.entry


def test_what_is_not_held_any_more_expires_as_if_it_never_had_been_and_not_before_tomorrow():
    selected_at, selected = "2026-03-01T00:00:00.000Z", 1_772_323_200
    assert expiry_after(selected_at, now=NOW, retention_days=30) == selected + 30 * 86_400
    tomorrow = round(NOW.timestamp()) + 86_400
    assert expiry_after(selected_at, now=NOW, retention_days=1) == tomorrow
    assert expiry_after(None, now=NOW, retention_days=30) == tomorrow + 29 * 86_400
