"""Every change of records or their chain that no function made is found, and nothing else is."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.triage.audit.world import World
from triage.audit.chain import Link, content_sha256
from triage.audit.verification import Finding, verify
from triage.feedback import INBOX

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RETENTION_DAYS = 30
SELECTION = {"complaint_id": "1", "entry": "SELECTION", "subject": "c-1"}
PREDICTION = {"complaint_id": "1", "entry": "PREDICTION#product#a", "label": "Mortgage"}
ALLOCATION = {"complaint_id": "1", "entry": "ALLOCATION", "product_team": "mortgage"}
ITEMS = (SELECTION, PREDICTION, ALLOCATION)

Item = dict[str, Any]


def sealed(*changes: tuple[str, Item | None], days_ago: float = 1, complaint_id: str = "1") -> list[Link]:
    """Return a chain of these changes, a second apart."""
    chain: list[Link] = []
    for number, (entry, item) in enumerate(changes):
        moment = NOW - timedelta(days=days_ago) + timedelta(seconds=number)
        last = chain[-1] if chain else None
        stated = {"complaint_id": complaint_id, "sealed_at": moment.isoformat(), "code_version": "test"}
        chain.append(Link.after(last, entry=entry, content=item, **stated))
    return chain


def written(*items: Item, **values: Any) -> list[Link]:
    return sealed(*((item["entry"], item) for item in items), **values)


def found(
    links: Iterable[Link], story: Iterable[Item], *, inbox_links: Iterable[Link] = (), inbox: Iterable[Item] = ()
) -> list[Finding]:
    return verify(
        "1",
        links=links,
        story=story,
        inbox_links=inbox_links,
        inbox=inbox,
        now=NOW,
        retention_days=RETENTION_DAYS,
    )


def problems(*args: Any, **values: Any) -> set[tuple[str, str]]:
    return {(one.entry, one.problem) for one in found(*args, **values)}


def test_unchanged_records_have_no_findings():
    assert found(written(*ITEMS), ITEMS) == []
    assert found(written(*ITEMS), [{**item, "expires_at": 5} for item in ITEMS]) == []


@given(index=st.integers(0, 2), field=st.sampled_from(["subject", "label", "product_team", "added"]), value=st.text())
def test_a_changed_entry_is_found(index, field, value):
    items = [dict(item) for item in ITEMS]
    if items[index].get(field) == value:
        return
    items[index][field] = value
    assert problems(written(*ITEMS), items) == {(ITEMS[index]["entry"], "changed")}


def test_an_entry_that_was_changed_and_sealed_again_is_found():
    other = {**PREDICTION, "label": "Student loan"}
    assert problems(written(*ITEMS, other), [SELECTION, other, ALLOCATION]) == {(PREDICTION["entry"], "rewritten")}


def test_an_entry_that_was_removed_and_put_back_is_found():
    chain = sealed(*((i["entry"], i) for i in ITEMS), (PREDICTION["entry"], None), (PREDICTION["entry"], PREDICTION))
    assert problems(chain, ITEMS) == {(PREDICTION["entry"], "rewritten")}


@pytest.mark.parametrize("known", [True, False])
def test_one_that_is_gone_is_found_whether_its_removal_was_sealed_or_not(known):
    removal = [(PREDICTION["entry"], None)] if known else []
    chain = sealed(*((item["entry"], item) for item in ITEMS), *removal)
    expected = {(PREDICTION["entry"], "removed" if known else "missing")}
    assert problems(chain, [SELECTION, ALLOCATION]) == expected


def test_one_that_was_slipped_in_past_the_stream_is_found():
    assert problems(written(SELECTION), [SELECTION, ALLOCATION]) == {("ALLOCATION", "unsealed")}


def test_a_record_may_expire_once_it_is_old_and_not_before_and_is_never_removed_by_hand():
    def gone(days: float, *, expired: bool = True) -> set[tuple[str, str]]:
        chain = written(*ITEMS, days_ago=days)
        removal = Link.after(
            chain[-1],
            None,
            expired,
            entry="ALLOCATION",
            content=None,
            complaint_id="1",
            sealed_at=NOW.isoformat(),
            code_version="test",
        )
        return problems([*chain, removal], [SELECTION, PREDICTION])

    assert gone(RETENTION_DAYS) == set()
    assert gone(RETENTION_DAYS - 2) == {("ALLOCATION", "removed")}
    assert gone(RETENTION_DAYS, expired=False) == {("ALLOCATION", "removed")}


def test_links_that_have_expired_say_nothing_of_those_that_are_left():
    """DynamoDB removes expired items in no order: the second link of three may go first."""
    first, second, third = written(*ITEMS, days_ago=RETENTION_DAYS + 20)
    expired = NOW.timestamp() - 1
    old = [link.model_copy(update={"expires_at": int(expired)}) for link in (first, second)]
    for left in (old, [old[0]], [old[1]]):
        assert found([*left, third], [ALLOCATION]) == []
    assert problems([first, third], [ALLOCATION]) == {("SELECTION", "missing"), ("ALLOCATION", "broken")}


def test_what_was_written_late_expires_with_the_complaint():
    chain = written(*ITEMS, days_ago=RETENTION_DAYS)
    for content in ({"complaint_id": "1", "entry": "FEEDBACK#000002"}, None):
        moment = (NOW - timedelta(days=5 if content else 0)).isoformat()
        stated = {"complaint_id": "1", "sealed_at": moment, "code_version": "test"}
        link = Link.after(chain[-1], None, content is None, entry="FEEDBACK#000002", content=content, **stated)
        chain.append(link)
    assert found(chain, ITEMS) == []


def test_what_an_erasure_names_may_go_and_nothing_beside_it():
    explanation: Item = {"complaint_id": "1", "entry": "EXPLANATION#product#x"}
    erasure: Item = {"complaint_id": "1", "entry": "ERASURE#2026", "entries": [explanation["entry"]]}
    gone = [("EXPLANATION#product#x", None), (PREDICTION["entry"], None)]
    chain = sealed(*((i["entry"], i) for i in (*ITEMS, explanation, erasure)), *gone)
    assert problems(chain, [SELECTION, ALLOCATION, erasure]) == {(PREDICTION["entry"], "removed")}


def test_an_erasure_that_names_what_was_decided_covers_nothing():
    forged: Item = {"complaint_id": "1", "entry": "ERASURE#2026", "entries": [PREDICTION["entry"]]}
    chain = sealed(*((i["entry"], i) for i in (*ITEMS, forged)), (PREDICTION["entry"], None))
    assert problems(chain, [SELECTION, ALLOCATION, forged]) == {(PREDICTION["entry"], "removed")}


ROW: Item = {"complaint_id": f"{INBOX}1", "entry": "f-1", "kind": "confirm", "at": "2026-03-01"}
DONE: Item = {**ROW, "outcome": "refused", "reason": "a good one"}


def inbox_problems(*forms: Item, now: Item) -> set[tuple[str, str]]:
    chain = sealed(*((ROW["entry"], form) for form in forms), complaint_id=f"{INBOX}1")
    return problems(written(*ITEMS), ITEMS, inbox_links=chain, inbox=[now])


def test_feedback_may_be_put_again_until_it_has_an_outcome():
    later = {**ROW, "at": "2026-03-02"}
    assert inbox_problems(ROW, later, {**later, "outcome": "refused"}, now={**later, "outcome": "refused"}) == set()


def test_feedback_that_was_put_again_after_its_outcome_has_the_same_one_again():
    assert inbox_problems(ROW, DONE, ROW, DONE, now=DONE) == set()


@pytest.mark.parametrize("between", [(), (ROW,), ({**ROW, "kind": "reallocate"},)])
def test_an_outcome_that_was_rewritten_is_found(between):
    other = {**DONE, "kind": "reallocate"}
    assert inbox_problems(ROW, DONE, *between, other, now=other) == {("f-1", "rewritten")}


def test_pending_feedback_that_is_taken_away_is_found():
    chain = sealed(("f-1", ROW), complaint_id=f"{INBOX}1")
    assert problems(written(*ITEMS), ITEMS, inbox_links=chain) == {("f-1", "missing")}


def test_no_entry_of_a_story_is_pending_whatever_its_complaint_is_called():
    first = {"complaint_id": f"{INBOX}1", "entry": "ALLOCATION", "code_version": "test", "product_team": "mortgage"}
    link = Link.after(None, entry="ALLOCATION", content=first, complaint_id=f"{INBOX}1", sealed_at="", code_version="")
    assert link.change == "written"


def test_refused_feedback_may_be_erased():
    row = {"complaint_id": f"{INBOX}1", "entry": "f-1", "outcome": "refused"}
    erasure = {"complaint_id": "1", "entry": "ERASURE#2026", "refused_feedback": ["f-1"]}
    chain = written(*ITEMS, erasure)
    inbox = sealed(("f-1", row), ("f-1", None), complaint_id=f"{INBOX}1")
    assert found(chain, [*ITEMS, erasure], inbox_links=inbox) == []
    assert problems(written(*ITEMS), ITEMS, inbox_links=inbox) == {("f-1", "removed")}


def test_an_allocation_may_become_what_feedback_made_of_it():
    world = World.after([{"kind": "reallocate", "product": "Credit card"}])
    chain = list(world.links)
    assert world.findings() == []
    # And not what nobody has superseded.
    forged = {**world.story["ALLOCATION"], "product_team": "student-loan"}
    links = written(*([item for item in World.after([]).story.values()]), forged, *world.story.values())
    assert ("ALLOCATION", "rewritten") in world.problems(links=links)
    assert chain == world.links


def test_feedback_that_was_sealed_before_links_said_pending_may_be_given_its_outcome_and_nothing_else():
    def problems_of(now: Item) -> set[tuple[str, str]]:
        stated = {"complaint_id": f"{INBOX}1", "sealed_at": NOW.isoformat(), "code_version": "test"}
        first = Link.after(None, entry="f-1", content={**ROW, "code_version": "any"}, **stated)
        first = first.model_copy(update={"content_sha256": content_sha256(ROW)})
        first = first.model_copy(
            update={"sha256": content_sha256(first.model_dump(exclude={"sha256"}, exclude_none=True))}
        )
        chain = [first, Link.after(first, entry="f-1", content=now, **stated)]
        return problems(written(*ITEMS), ITEMS, inbox_links=chain, inbox=[now])

    assert problems_of(DONE) == set()
    assert problems_of({**DONE, "kind": "clear_vulnerable"}) == {("f-1", "rewritten")}


def test_a_hold_may_be_lifted():
    hold = {"complaint_id": "1", "entry": "HOLD#2026", "held": "yes", "placed_by": "ann"}
    lifted = {**hold, "lifted_at": "2026", "lifted_by": "bob", "lifted_reason": "settled"}
    del lifted["held"]
    assert found(written(*ITEMS, hold, lifted), [*ITEMS, lifted]) == []
    forged = {**lifted, "placed_by": "eve"}
    assert problems(written(*ITEMS, hold, forged), [*ITEMS, forged]) == {("HOLD#2026", "rewritten")}


@given(data=st.data())
def test_whatever_is_done_to_a_chain_is_found(data):
    chain = written(*ITEMS)
    index = data.draw(st.integers(0, len(chain) - 1))
    act = data.draw(st.sampled_from(["drop", "alter", "swap"]))
    forged = list(chain)
    if act == "drop":
        del forged[index]
    elif act == "alter":
        forged[index] = chain[index].model_copy(update={"content_sha256": "0" * 64})
    else:
        other = data.draw(st.integers(0, len(chain) - 1).filter(lambda place: place != index))
        forged[index] = chain[index].model_copy(update={"sequence": chain[other].sequence})
        forged[other] = chain[other].model_copy(update={"sequence": chain[index].sequence})
    assert found(forged, ITEMS)


def test_a_link_that_was_forged_with_its_hash_breaks_the_next():
    chain = written(*ITEMS)
    stated = {"complaint_id": "1", "sealed_at": chain[0].sealed_at, "code_version": "test"}
    forged = Link.after(None, entry="SELECTION", content={**SELECTION, "subject": "c-2"}, **stated)
    story = [{**SELECTION, "subject": "c-2"}, PREDICTION, ALLOCATION]
    assert problems([forged, *chain[1:]], story) == {(PREDICTION["entry"], "broken")}


def test_the_oldest_links_may_expire_before_the_others():
    old = written(SELECTION, PREDICTION, days_ago=RETENTION_DAYS)
    stated = {"complaint_id": "1", "sealed_at": NOW.isoformat(), "code_version": "test"}
    last = Link.after(old[-1], entry="ALLOCATION", content=ALLOCATION, **stated)
    assert found([last], [ALLOCATION]) == []
    young = written(SELECTION, PREDICTION)
    last = Link.after(young[-1], entry="ALLOCATION", content=ALLOCATION, **stated)
    assert problems([last], [ALLOCATION]) == {("ALLOCATION", "broken")}


@pytest.mark.parametrize("name", ["sealed_at", "began_at"])
def test_a_link_that_states_no_time_is_broken_and_hides_nothing(name):
    first, second = sealed(("PREDICTION#a", {"entry": "PREDICTION#a", "complaint_id": "1"}), ("PREDICTION#a", None))
    altered = second.model_copy(update={name: "yesterday"})
    assert problems([first, altered], []) == {("PREDICTION#a", "broken"), ("PREDICTION#a", "removed")}


@pytest.mark.parametrize("allocation", [None, "none", 5])
def test_what_was_slipped_in_is_no_earlier_form_of_an_allocation(allocation):
    after = {**ALLOCATION, "more": 1}
    slipped_in = {"complaint_id": "1", "entry": "SUPERSEDED#000001", "allocation": allocation}
    links = sealed(("ALLOCATION", ALLOCATION), ("ALLOCATION", after), ("SUPERSEDED#000001", slipped_in))
    assert ("ALLOCATION", "rewritten") in problems(links, [after, slipped_in])
