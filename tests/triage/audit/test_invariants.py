"""Records that were forged and then sealed contradict the others of the complaint."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.triage.audit.world import ID, NOW, OUTCOME, World

CARD = {"kind": "reallocate", "product": "Credit card"}
LOAN = {"kind": "reallocate", "product": "Student loan"}
CLEAR = {"kind": "clear_vulnerable"}
SET = {"kind": "set_vulnerable"}
CONFIRM = {"kind": "confirm"}
SAID = st.lists(st.sampled_from([CARD, LOAN, CLEAR, SET, CONFIRM]), max_size=4)


@given(said=SAID)
def test_what_the_functions_write_verifies(said):
    world = World.after(said)
    assert world.findings() == []
    assert world.story["ALLOCATION"]["version"] == len(said) + 1


def test_an_allocation_that_was_superseded_by_nobody_is_found():
    """Somebody keeps the true allocation as superseded, and puts another."""
    world = World.after([SET])
    true = world.story["ALLOCATION"]
    world.write({"complaint_id": ID, "entry": "SUPERSEDED#000002", "code_version": "test", **superseding(true)})
    world.write({**true, "vulnerable": False, "journey": "standard", "reasons": [], "version": 3})
    assert ("ALLOCATION", "inconsistent") in world.problems()


def test_an_allocation_that_was_rolled_back_is_found():
    world = World.after([CARD])
    first = world.story["SUPERSEDED#000001"]["allocation"]
    world.write(
        {
            "complaint_id": ID,
            "entry": "SUPERSEDED#000002",
            "code_version": "test",
            **superseding(world.story["ALLOCATION"]),
        }
    )
    world.write(first)
    assert ("SUPERSEDED#000001", "inconsistent") in world.problems()


def test_feedback_that_nobody_handed_in_is_found():
    honest, forged = World.after([CARD]), World.after([CARD, CLEAR])
    honest.write(*forged.story.values())
    assert honest.problems() == {("FEEDBACK#000003", "inconsistent")}


def test_a_row_that_is_called_applied_and_made_nothing_is_found():
    world = World.after([CARD])
    world.hand_in({**world.inbox["f-1"], "entry": "f-9", "made_version": 3})
    assert world.problems() == {("f-9", "inconsistent")}


def test_a_row_that_says_something_else_than_what_was_applied_is_found():
    world = World.after([CARD])
    world.inbox["f-1"] = {**world.inbox["f-1"], "product": "Student loan"}
    assert ("f-1", "inconsistent") in world.problems()


def test_a_first_allocation_that_no_model_answered_is_found():
    world = World()
    true = World.after([])
    world.write(
        *(
            {**item, "label": "Student loan"} if key.startswith("PREDICTION#product") else item
            for key, item in true.story.items()
        )
    )
    assert world.problems() == {("ALLOCATION", "inconsistent")}


def test_a_prediction_of_a_model_that_was_not_selected_is_found():
    world = World.after([])
    key, prediction = next((key, item) for key, item in world.story.items() if key.startswith("PREDICTION#product"))
    other = prediction["model"] | {"model_id": "eve/model"}
    forged = key.replace("acme/product", "eve/model")
    world.write({**prediction, "entry": forged, "model": other, "model_version": forged.split("#")[2]})
    assert world.problems() == {(forged, "inconsistent")}


def test_a_record_that_no_function_writes_is_found():
    world = World.after([])
    world.write({"complaint_id": ID, "entry": "OVERRIDE", "product_team": "student-loan"})
    assert world.problems() == {("OVERRIDE", "inconsistent")}


def superseding(allocation: dict[str, Any]) -> dict[str, Any]:
    return {"superseded_at": "2026-03-01T05:00:00.000Z", "allocation": allocation}


class Forger:
    """Somebody who may write both tables, and the stream seals it. Draws each act at random."""

    def __init__(self, world: World, draw: Any) -> None:
        self.world, self.draw = world, draw
        self.other = World.after(draw(SAID))

    def act(self) -> None:
        acts = [self.change, self.delete, self.swap, self.roll_back, self.put, self.supersede, self.say]
        self.draw(st.sampled_from(acts))()
        if self.draw(st.booleans()):
            self.world.seal()

    def key(self, records: dict[str, Any]) -> str | None:
        return self.draw(st.sampled_from(sorted(records))) if records else None

    def change(self) -> None:
        """Change an attribute of the allocation, or of any other record."""
        key = "ALLOCATION" if self.draw(st.booleans()) else self.key(self.world.story)
        if key in self.world.story:
            name = self.draw(st.sampled_from([*OUTCOME, *sorted(self.world.story[key])]))
            values: list[Any] = [
                None,
                True,
                2,
                "standard",
                "specialist",
                "auto",
                "manual",
                "person",
                "Student loan",
                "student-loan",
                [],
            ]
            self.world.story[key] = {**self.world.story[key], name: self.draw(st.sampled_from(values))}

    def delete(self) -> None:
        records = self.world.story if self.draw(st.booleans()) else self.world.inbox
        key = self.key(records)
        if key is not None:
            del records[key]

    def swap(self) -> None:
        one, two = self.key(self.world.story), self.key(self.world.story)
        if one and two:
            a, b = self.world.story[one], self.world.story[two]
            self.world.story |= {one: {**b, "entry": one}, two: {**a, "entry": two}}

    def roll_back(self) -> None:
        """Put any record as it was at some time, or as it is in another story."""
        pasts = [*self.world.past, *self.other.past]
        key, item = self.draw(st.sampled_from(pasts))
        self.world.story[key] = dict(item)

    def put(self) -> None:
        """Put all records of another story over these, as a restore does."""
        self.world.story |= self.other.story

    def supersede(self) -> None:
        """Keep the current allocation as superseded, which makes it an earlier form that the chain accepts."""
        current = self.world.story.get("ALLOCATION")
        if current:
            version = self.draw(st.integers(1, 5))
            key = f"SUPERSEDED#{version:06}"
            self.world.story[key] = {"complaint_id": ID, "entry": key, "code_version": "test", **superseding(current)}

    def say(self) -> None:
        """Put rows that call another feedback applied, or the same one as another version."""
        for feedback_id, row in self.other.inbox.items():
            forged = {"made_version": row["made_version"] + 1} if self.draw(st.booleans()) else {"role": "somebody"}
            self.world.inbox.setdefault(feedback_id, {**row, **forged})


@settings(max_examples=400, deadline=None)
@given(said=SAID, data=st.data())
def test_each_forgery_that_changes_the_outcome_is_found(said, data):
    world = World.after(said)
    before = world.outcome
    forger = Forger(world, data.draw)
    for _ in range(data.draw(st.integers(1, 6))):
        forger.act()
    world.seal()
    if world.outcome != before:
        assert world.findings(), world.outcome


@pytest.mark.parametrize("held_back", ["SUPERSEDED#000001", "FEEDBACK#000002"])
def test_what_has_expired_is_not_missed_and_what_is_young_is(held_back):
    world = World.after([CARD])
    del world.story[held_back]
    assert ("ALLOCATION", "inconsistent") in world.problems()
    old = [link.model_copy(update={"began_at": (NOW - timedelta(days=40)).isoformat()}) for link in world.links]
    assert ("ALLOCATION", "inconsistent") not in world.problems(links=old)


def test_whoever_imitates_the_function_of_feedback_wholly_is_not_told_from_it():
    """Whoever may write all records as the function does may do what it does: permissions have to prevent it."""
    world, other = World.after([]), World.after([CARD])
    world.write(*other.story.values())
    world.hand_in(other.inbox["f-1"])
    assert world.findings() == []
