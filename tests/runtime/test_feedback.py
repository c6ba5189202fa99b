from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.adapters.dynamodb import to_item
from runtime.feedback import build
from tests.factories import any_allocation, any_feedback
from tests.runtime.audit import chain, records, seal
from tests.runtime.conftest import Cloud, before, calls, failing, stream_records
from triage.audit.verification import verify
from triage.feedback import INBOX, Feedback, FeedbackRow
from triage.story import (
    ALLOCATION,
    FEEDBACK,
    RECEIPT,
    SUPERSEDED,
    AllocationEntry,
    FeedbackEntry,
    ReceiptEntry,
)
from triage.tables import COMPLAINTS_ALLOCATION

CARD = {"kind": "reallocate", "product": "Credit card"}
LOAN = {"kind": "reallocate", "product": "Student loan"}


def record(feedback_id: str = "f-1", complaint_id: str = "8123456") -> dict[str, Any]:
    return stream_records({"complaint_id": INBOX + complaint_id, "entry": feedback_id})


def hand_in(cloud: Cloud, feedback: Feedback, *, session=None) -> dict[str, Any]:
    """Put the row, let the stream report it, and return the row with its outcome."""
    cloud.table(COMPLAINTS_ALLOCATION).put(FeedbackRow.of(feedback))
    build(cloud.feedback, session or cloud.session())(record(feedback.feedback_id, feedback.complaint_id), None)
    row = cloud.table(COMPLAINTS_ALLOCATION).get(INBOX + feedback.complaint_id, feedback.feedback_id)
    assert row is not None
    return row


def story(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """Return the records of the complaint without receipts, of which each taken row leaves one."""
    found = cloud.table(COMPLAINTS_ALLOCATION).query("8123456")
    return {item["entry"]: item for item in found if not item["entry"].startswith(RECEIPT)}


def of_team(cloud: Cloud, team: str) -> list[AllocationEntry]:
    found = cloud.table(COMPLAINTS_ALLOCATION).query(team, index="by_team")
    return [AllocationEntry.model_validate(item) for item in found]


@pytest.fixture(autouse=True)
def allocation(cloud):
    """Return an allocation as it was written before allocations had a version."""
    item = any_allocation(expires_at=1_900_000_000).model_dump(exclude={"version", "decided_by", "feedback_id"})
    cloud.table(COMPLAINTS_ALLOCATION).put(item)


def test_a_reallocation_moves_the_complaint_and_keeps_what_it_replaced(cloud):
    row = hand_in(cloud, any_feedback(**CARD))
    assert (row["outcome"], row["made_version"]) == ("applied", 2)
    assert row["expires_at"]
    (current,) = of_team(cloud, "credit-card")
    assert (current.version, current.decided_by, current.feedback_id) == (2, "person", "f-1")
    assert not of_team(cloud, "mortgage")
    entries = story(cloud)
    assert entries[f"{SUPERSEDED}000001"]["allocation"]["product_team"] == "mortgage"
    assert entries[f"{FEEDBACK}000002"]["feedback"]["by"] == "ann"
    assert entries[f"{FEEDBACK}000002"]["labels"] == {"product": "Credit card"}
    assert all(entry["expires_at"] == 1_900_000_000 for entry in entries.values())


def test_labels_of_a_day_are_found_without_a_scan(cloud):
    hand_in(cloud, any_feedback(**CARD, mode="blind", stratum="random", inclusion=0.05))
    hand_in(cloud, any_feedback(kind="set_vulnerable", feedback_id="f-2", version=2))
    applied_at = story(cloud)[f"{FEEDBACK}000002"]["applied_at"]
    found = cloud.table(COMPLAINTS_ALLOCATION).query(applied_at[:10], index="by_labelled_day")
    entries = [FeedbackEntry.model_validate(item) for item in found]
    assert [entry.labels for entry in entries] == [{"product": "Credit card"}, {"vulnerable": "vulnerable"}]
    assert [entry.feedback.inclusion for entry in entries] == [0.05, None]


def test_a_reallocation_is_announced_on_the_bus(cloud):
    session = cloud.session()
    made = calls(session, "events.PutEvents")
    hand_in(cloud, any_feedback(**CARD), session=session)
    ((entry,),) = (call["Entries"] for call in made)
    assert (entry["Source"], entry["DetailType"]) == ("complaints-triage.test", "ComplaintAllocated")
    assert '"product_team":"credit-card"' in entry["Detail"]


def test_the_same_feedback_counts_once_even_where_its_row_was_overwritten(cloud):
    hand_in(cloud, any_feedback(**CARD))
    recorded = story(cloud)
    row = hand_in(cloud, any_feedback(**CARD))
    assert (row["outcome"], row["made_version"]) == ("applied", 2)
    assert story(cloud) == recorded


def test_of_two_people_at_once_one_wins_and_what_the_other_said_is_kept(cloud):
    ours = cloud.session()
    theirs = any_feedback(**CARD, feedback_id="theirs")
    before(ours, "dynamodb.TransactWriteItems", lambda: hand_in(cloud, theirs))
    row = hand_in(cloud, any_feedback(**LOAN, feedback_id="ours"), session=ours)
    assert row["outcome"] == "refused"
    assert "it is about version 1, but the allocation is at version 2" in row["reason"]
    assert (row["product"], row["by"]) == ("Student loan", "ann")
    assert story(cloud)[ALLOCATION]["feedback_id"] == "theirs"


@pytest.mark.parametrize("written", ["feedback", "other"])
def test_a_row_with_nulls_has_an_outcome_and_verifies(cloud, written):
    """The writer of a row may spell what is absent as DynamoDB's NULL."""
    row = to_item(FeedbackRow.of(any_feedback(**CARD))) | {"tasks": {"NULL": True}}
    if written == "other":
        row["by"] = {"NULL": True}
    client = cloud.session().client("dynamodb")
    client.put_item(TableName=COMPLAINTS_ALLOCATION.name, Item=row)
    build(cloud.feedback, cloud.session())(record(), None)
    stored = cloud.table(COMPLAINTS_ALLOCATION).get(f"{INBOX}8123456", "f-1")
    assert stored["outcome"] == {"feedback": "applied", "other": "refused"}[written]
    assert verified(cloud) == set()


def test_a_version_that_somebody_put_by_hand_is_refused_and_does_not_stop_the_stream(cloud):
    forged = {"complaint_id": "8123456", "entry": f"{SUPERSEDED}000001"}
    cloud.table(COMPLAINTS_ALLOCATION).put(forged)
    row = hand_in(cloud, any_feedback(**CARD))
    assert (row["outcome"], "`triage verify`" in row["reason"]) == ("refused", True)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (
            {"kind": "reallocate", "product": "Mortgages"},
            "taxonomy 2023-08-24 has no product 'Mortgages'; did you mean 'Mortgage'?",
        ),
        (
            {"complaint_id": "unknown"},
            "the complaint has no allocation yet; hand it in later, under a new id",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_applied_is_refused_with_the_reason_in_its_row(cloud, values, reason):
    row = hand_in(cloud, any_feedback(**values))
    assert (row["outcome"], row["reason"]) == ("refused", reason)
    assert story(cloud).keys() == {ALLOCATION}


def test_no_log_repeats_what_a_person_wrote(cloud, caplog):
    row = hand_in(cloud, any_feedback(kind="reallocate", product="My kestrel mortgage"))
    assert "kestrel" in row["reason"]
    (said,) = (vars(record) for record in caplog.records if record.message == "taken")
    assert said["outcome"] == "refused"
    assert "kestrel" not in str(said)


def test_a_malformed_row_is_marked_told_to_people_and_stops_nothing(cloud):
    table = cloud.table(COMPLAINTS_ALLOCATION)
    table.put({"complaint_id": f"{INBOX}8123456", "entry": "bad", "kind": "secret words"})
    table.put(FeedbackRow.of(any_feedback(**CARD)))
    event = {"Records": [*record("bad")["Records"], *record()["Records"]]}
    assert build(cloud.feedback, cloud.session())(event, None) is None
    row = table.get(f"{INBOX}8123456", "bad")
    assert row is not None
    assert row["reason"].startswith("malformed: kind")
    assert "secret" not in row["reason"]
    assert cloud.messages() == ['{"complaint_id": "8123456", "feedback_id": "bad"}']
    assert story(cloud)[ALLOCATION]["version"] == 2


def test_a_corrupt_entry_of_the_story_is_not_blamed_on_the_feedback(cloud, capsys):
    cloud.table(COMPLAINTS_ALLOCATION).put({"complaint_id": "8123456", "entry": f"{FEEDBACK}000002", "labels": 3})
    assert "outcome" not in hand_in(cloud, any_feedback(**CARD))
    assert '"FeedbackFailed":[1.0]' in capsys.readouterr().out and not cloud.messages()


def test_what_fails_is_left_without_an_outcome_and_applied_once_it_is_put_again(cloud, capsys):
    session = cloud.session()
    failing(session, "events.PutEvents", ClientError({"Error": {"Code": "Throttling"}}, "PutEvents"))
    assert "outcome" not in hand_in(cloud, any_feedback(**CARD), session=session)
    assert '"FeedbackFailed":[1.0]' in capsys.readouterr().out
    assert hand_in(cloud, any_feedback(**CARD))["made_version"] == 2
    assert story(cloud)[ALLOCATION]["version"] == 2


def test_feedback_that_is_erased_while_it_is_applied_does_not_come_back(cloud):
    table = cloud.table(COMPLAINTS_ALLOCATION)
    table.put(FeedbackRow.of(any_feedback(**CARD)))
    session = cloud.session()
    before(session, "events.PutEvents", lambda: table.delete(f"{INBOX}8123456", "f-1"))
    build(cloud.feedback, session)(record(), None)
    assert table.get(f"{INBOX}8123456", "f-1") is None


def test_entries_of_a_story_are_none_of_its_business(cloud):
    session = cloud.session()
    asked = calls(session, "dynamodb.GetItem")
    build(cloud.feedback, session)(stream_records({"complaint_id": "8123456", "entry": ALLOCATION}), None)
    assert not asked


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(st.tuples(st.sampled_from([CARD, LOAN, {"kind": "confirm"}]), st.integers(0, 3)), max_size=5))
def test_any_feedback_leaves_one_current_allocation_and_one_version_more_for_each_applied(cloud, said):
    cloud.table(COMPLAINTS_ALLOCATION).put(any_allocation(complaint_id=(complaint_id := f"c-{uuid4().hex}")))
    applied = set()
    for number, (values, name) in enumerate(said, start=1):
        current = cloud.table(COMPLAINTS_ALLOCATION).get(complaint_id, ALLOCATION)
        assert current is not None
        feedback = any_feedback(
            **values, complaint_id=complaint_id, feedback_id=f"f-{name}", version=int(current["version"])
        )
        outcome = hand_in(cloud, feedback)["outcome"]
        assert outcome == ("refused" if name in applied else "applied"), number
        applied.add(name)
    entries = [item["entry"] for item in cloud.table(COMPLAINTS_ALLOCATION).query(complaint_id)]
    assert entries.count(ALLOCATION) == 1
    assert sum(entry.startswith(FEEDBACK) for entry in entries) == len(applied)
    current = cloud.table(COMPLAINTS_ALLOCATION).get(complaint_id, ALLOCATION)
    assert current is not None
    assert current["version"] == len(applied) + 1


def receipts(cloud: Cloud, complaint_id: str = "8123456") -> list[ReceiptEntry]:
    found = cloud.table(COMPLAINTS_ALLOCATION).query(complaint_id)
    return [ReceiptEntry.model_validate(item) for item in found if item["entry"].startswith(RECEIPT)]


def verified(cloud: Cloud) -> set[tuple[str, str]]:
    """Seal every change of complaint 8123456, and return what does not verify about its feedback."""
    table = cloud.table(COMPLAINTS_ALLOCATION)
    partitions = ("8123456", f"{INBOX}8123456")
    seal(cloud, records(table, *partitions))
    story, inbox = (list(table.query(partition)) for partition in partitions)
    links, inbox_links = (chain(cloud, partition) for partition in partitions)
    found = verify(
        "8123456",
        links=links,
        story=story,
        inbox_links=inbox_links,
        inbox=inbox,
        now=datetime.now(UTC),
        retention_days=1095,
    )
    # The first allocation of these tests rests on no model's answer.
    return {(one.entry, one.problem) for one in found if one.entry not in (ALLOCATION, f"{SUPERSEDED}000001")}


def test_other_words_under_an_applied_id_are_refused_told_and_change_nothing(cloud):
    hand_in(cloud, any_feedback(**CARD))
    assert verified(cloud) == set()
    recorded = story(cloud)
    for words in (LOAN, {"kind": "set_vulnerable"}):
        row = hand_in(cloud, any_feedback(**words, version=2))
        assert row["outcome"] == "refused"
        assert row["reason"] == (
            "its id was used before for another statement, which was applied; hand this one in under a new id"
        )
        assert len(cloud.messages()) == 1
        assert verified(cloud) == set()
    assert hand_in(cloud, any_feedback(**CARD))["outcome"] == "applied"
    assert hand_in(cloud, any_feedback(**LOAN, version=2))["outcome"] == "refused"
    assert story(cloud) == recorded
    assert verified(cloud) == set()
    assert [receipt.repeated for receipt in receipts(cloud)] == [False, True, True, True]


def test_other_words_under_a_refused_id_are_refused_too_and_everything_verifies(cloud):
    hand_in(cloud, any_feedback(**CARD, version=7))
    assert verified(cloud) == set()
    row = hand_in(cloud, any_feedback(**CARD))
    assert row["outcome"] == "refused" and "which was refused" in row["reason"]
    assert story(cloud)[ALLOCATION]["product_team"] == "mortgage"
    assert verified(cloud) == set()


def test_a_large_row_gets_an_outcome(cloud):
    table = cloud.table(COMPLAINTS_ALLOCATION)
    for feedback_id, values in (
        ("long", {"product": "x" * 390_000}),
        ("wide", {f"field-{number}": "x" * 3_000 for number in range(130)}),
        ("deep", {"product": {"a": ["x" * 390_000]}}),
    ):
        row = {**dict(FeedbackRow.of(any_feedback(feedback_id=feedback_id))), **values}
        table.put({**row, "at": "2026-03-02T10:00:00Z"})
        build(cloud.feedback, cloud.session())(record(feedback_id), None)
        row = table.get(f"{INBOX}8123456", feedback_id) or {}
        assert (row["outcome"], row["reason"]) == ("refused", "it is larger than 16 KB; hand in less")
        assert len(str(row)) < 1_000
        assert verified(cloud) == set()


@pytest.mark.parametrize("product", ["x" * 15_000, "\U0001f600" * 3_000])
def test_a_reason_that_quotes_a_long_name_is_shortened(cloud, product):
    row = hand_in(cloud, any_feedback(kind="reallocate", product=product))
    assert row["outcome"] == "refused" and len(row["reason"]) == 500


def test_a_row_that_is_put_again_while_it_is_taken_is_not_lost(cloud):
    table = cloud.table(COMPLAINTS_ALLOCATION)
    session = cloud.session()
    again = FeedbackRow.of(any_feedback(**LOAN))
    before(session, "events.PutEvents", lambda: table.put(again))
    row = hand_in(cloud, any_feedback(**CARD), session=session)
    assert (row["product"], row["outcome"]) == ("Student loan", "refused")
    assert story(cloud)[ALLOCATION]["product_team"] == "credit-card"
    assert verified(cloud) == set()
