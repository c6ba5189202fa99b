"""A stored story is read entry by entry, as the models that its keys name."""

import pytest
from pydantic import ValidationError

from tests.factories import any_allocation, any_model_reference, any_prediction, any_selection
from triage.stored_story import KINDS, StoredStory, kind_of
from triage.story import HoldEntry, PredictionEntry
from triage.tables import COMPLAINTS_ALLOCATION

SHADOW = any_model_reference(model_id="acme/next", shadow=True)
PREDICTION = any_prediction()
HOLD = {
    "complaint_id": "1",
    "entry": "HOLD#2026-03-01",
    "code_version": "test",
    "held": "yes",
    "placed_at": "2026-03-01",
    "placed_by": "bob",
    "reason": "litigation 7",
}


def stored(*entries) -> StoredStory:
    return StoredStory(entry if isinstance(entry, dict) else entry.model_dump(mode="json") for entry in entries)


def test_every_entry_that_the_table_holds_has_a_kind():
    entries = {item for item in COMPLAINTS_ALLOCATION.items if "code_version" in item.model_fields}
    assert set(KINDS.values()) == entries


@pytest.mark.parametrize("entry", ["", "NOTE#1", "SELECTION#1", "ALLOCATIONS", "PREDICTION", "prediction#product#x"])
def test_a_key_that_no_code_writes_has_no_kind(entry):
    assert kind_of(entry) is None


def test_selection_predictions_and_allocation_are_read_typed():
    story = stored(any_selection(), PREDICTION, any_allocation())
    assert (story.selection, story.allocation) == (any_selection(), any_allocation())
    assert story.answers == (story.prediction(PREDICTION.model),) == (PREDICTION,)


def test_an_empty_story_has_nothing():
    story = stored()
    assert (story.selection, story.allocation, story.hold, story.answers) == (None, None, None, ())
    assert story.prediction(PREDICTION.model) is None


def test_a_prediction_of_a_shadow_is_no_answer_and_is_not_even_validated():
    shadow = {"entry": PredictionEntry.key(SHADOW), "confidence": "none"}
    story = stored(PREDICTION, shadow)
    assert story.answers == (PREDICTION,)
    assert len(story.keys(PredictionEntry)) == 2
    with pytest.raises(ValidationError):
        story.all(PredictionEntry)


def test_a_bad_entry_hides_no_other():
    story = stored({"entry": "ALLOCATION"}, PREDICTION)
    assert story.answers == (PREDICTION,)
    with pytest.raises(ValidationError):
        assert story.allocation


def test_only_a_hold_that_was_not_lifted_is_in_force():
    lifted = {name: value for name, value in HOLD.items() if name != "held"}
    assert stored(lifted).hold is None
    story = stored({**lifted, "entry": "HOLD#2026-02-01"}, HOLD)
    assert story.hold == HoldEntry.model_validate(HOLD)
    assert len(story.all(HoldEntry)) == 2
