from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.dynamodb import Condition, Table, batched, from_item, to_item, valid_rows
from tests.factories import (
    any_item,
    any_model_info,
    any_model_strategy,
    any_prediction,
    any_revision,
    any_selection,
    any_strategy,
)
from tests.runtime.conftest import calls
from triage.story import PredictionEntry, SelectionEntry
from triage.strategies.registry import ModelInfo, ModelStrategy
from triage.tables import COMPLAINTS_ALLOCATION, MODEL_INFO, RAW_COMPLAINTS

PLAIN = st.recursive(
    st.booleans() | st.integers(-(10**30), 10**30) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), PLAIN, max_size=5))
def test_plain_values_come_back_as_they_were(item):
    assert from_item(to_item(item)) == item


@given(st.floats(1e-100, 1) | st.floats(-1e100, -1e-100) | st.just(0.0))
def test_a_float_comes_back_to_its_last_digit(value):
    assert float(from_item(to_item({"value": value}))["value"]) == value


@given(st.lists(st.floats(0, 1).filter(lambda value: value == 0 or value > 1e-100), min_size=1, max_size=5))
def test_a_prediction_comes_back_as_it_was(probabilities):
    entry = any_prediction(
        confidence=probabilities[0],
        top=[{"label": str(n), "probability": probability} for n, probability in enumerate(probabilities)],
        thresholds={"auto": probabilities[-1]},
        milliseconds=probabilities[0] * 1000,
    )
    assert PredictionEntry.model_validate(from_item(to_item(entry))) == entry


@pytest.mark.parametrize(
    "row",
    [
        any_selection(),
        any_selection(unreadable="narrative is empty", doubts=("tags are not a list of texts",)),
        any_model_info(),
        any_model_info(bundle=None, activated_at=None, state="registered"),
        any_model_strategy(any_strategy({"champion": 9_000, "challenger": 1_000})),
        any_prediction(positive_label="Mortgage", taxonomy_version="2023-08-24", thresholds={}),
    ],
    ids=lambda row: type(row).__name__,
)
def test_every_kind_of_row_comes_back_as_it_was(row):
    assert type(row).model_validate(from_item(to_item(row))) == row


def test_what_is_none_is_absent():
    assert "unreadable" not in to_item(any_selection())
    assert to_item({"a": None, "b": 1}) == {"b": {"N": "1"}}


def test_a_set_and_bytes_keep_their_types():
    found = from_item(to_item({"tags": {"a", "b"}, "raw": b"x", "many": [{"raws": {b"y"}}]}))
    assert found == {"tags": {"a", "b"}, "raw": b"x", "many": [{"raws": {b"y"}}]}
    # The class of boto3 is equal to bytes, and cannot be made into text.
    assert (type(found["raw"]), {type(raw) for raw in found["many"][0]["raws"]}) == (bytes, {bytes})


@pytest.fixture
def models(cloud):
    return cloud.table(MODEL_INFO)


@pytest.fixture
def story(cloud):
    return cloud.table(COMPLAINTS_ALLOCATION)


def test_an_item_is_written_once(story):
    first, second = any_selection(selected_at="first"), any_selection(selected_at="second")
    assert story.put_if_absent(first)
    assert not story.put_if_absent(second)
    assert SelectionEntry.model_validate(story.get("8123456", "SELECTION")) == first


def test_absence_is_that_of_the_whole_key(story):
    assert story.put_if_absent(any_selection())
    assert story.put_if_absent(any_prediction())
    assert story.put_if_absent(any_selection(complaint_id="2"))


def test_what_does_not_exist_is_none(story):
    assert story.get("8123456", "SELECTION") is None


def test_a_key_of_another_shape_is_refused(story, cloud):
    with pytest.raises(ValueError, match="zip"):
        story.get("8123456")
    with pytest.raises(ValueError, match="zip"):
        cloud.table(RAW_COMPLAINTS).get("8123456", "SELECTION")


def test_a_condition_that_does_not_hold_writes_nothing(models):
    models.put(any_model_info(state="champion"))
    key = ("acme/model", any_revision())
    retired = Condition("#state = :seen", state="state").comparing(seen="retired")
    assert not models.update(*key, assign={"state": "registered"}, condition=retired)
    assert not models.put(any_model_info(state="registered"), condition=retired)
    assert models.get(*key)["state"] == "champion"
    active = Condition("#state = :seen", state="state").comparing(seen="champion")
    assert models.update(*key, assign={"state": "retired"}, condition=active)
    assert ModelInfo.model_validate(models.get(*key)) == any_model_info(state="retired")


def test_an_update_that_finds_nothing_makes_nothing(models):
    condition = Condition("attribute_exists(#id)", id="model_id")
    assert not models.update("acme/model", any_revision(), assign={"failure": "x"}, condition=condition)
    assert models.get("acme/model", any_revision()) is None


def test_an_update_sets_and_removes_together(models):
    models.put(any_model_info(failure="old", activated_at=None))
    assert models.update(
        "acme/model",
        any_revision(),
        assign={"bundle": any_model_info().bundle, "activated_at": "now"},
        remove=("failure",),
        condition=Condition("attribute_exists(#failure)", failure="failure"),
    )
    assert ModelInfo.model_validate(models.get("acme/model", any_revision())) == any_model_info(activated_at="now")


def test_words_that_dynamodb_reserves_are_names_like_others(cloud):
    table = cloud.table(RAW_COMPLAINTS)
    table.put(any_item(complaint_id="1"))
    reserved: dict[str, Any] = {"state": "CA", "status": 1, "name": "x", "size": 2, "year": 3}
    assert table.update("1", assign=reserved, condition=Condition("attribute_not_exists(#state)", state="state"))
    assert table.get("1") == any_item(complaint_id="1") | reserved


def test_a_query_reads_every_page_in_order(story):
    letters = "x" * 60_000
    for number in range(40):
        story.put(any_prediction(task=f"task-{number:02}", label=letters))
    story.put(any_prediction(complaint_id="2"))
    entries = [item["entry"] for item in story.query("8123456")]
    assert entries == sorted(entries)
    assert len(entries) == 40


def test_a_query_of_an_index_finds_by_its_key(story):
    for letter in "ab":
        model = {"revision": letter * 40, "task": "product", "model_id": "acme/model", "engine": "onnx"}
        for number in range(3):
            story.put(
                any_prediction(
                    complaint_id=f"{letter}{number}",
                    model=any_prediction().model.model_copy(update=model),
                    predicted_at=f"2026-03-0{3 - number}",
                )
            )
    found = list(story.query("acme/model@" + "a" * 40, index="by_model"))
    assert [item["complaint_id"] for item in found] == ["a2", "a1", "a0"]
    newest = list(story.query("acme/model@" + "a" * 40, index="by_model", newest=2))
    assert [item["complaint_id"] for item in newest] == ["a0", "a1"]
    assert [item["complaint_id"] for item in story.query("acme/model@" + "a" * 40, index="by_model", newest=9)] == [
        "a0",
        "a1",
        "a2",
    ]


def test_an_index_shows_nothing_but_what_it_was_given(cloud):
    table = cloud.table(RAW_COMPLAINTS)
    for number, started in enumerate(["2026-01-01", "2026-01-02", "2026-01-03"]):
        table.put(
            any_item(
                complaint_id=str(number), triage_state="started", triage_started_at=started, triage_attempts=number
            )
        )
    attributes = ("complaint_id", "triage_attempts")
    found = list(table.query("started", until="2026-01-02", index="by_triage_state", attributes=attributes))
    assert found == [{"complaint_id": "0", "triage_attempts": 0}, {"complaint_id": "1", "triage_attempts": 1}]


def test_a_scan_of_rows_sees_what_was_written_a_moment_ago(cloud):
    """Two models that are activated one after the other must not both find their task without a champion."""
    session = cloud.session()
    asked = calls(session, "dynamodb.Scan")
    list(Table(session.client("dynamodb"), MODEL_INFO, MODEL_INFO.name).scan())
    assert [call["ConsistentRead"] for call in asked] == [True]


def test_scans_read_every_page(cloud):
    table = cloud.table(RAW_COMPLAINTS)
    for number in range(30):
        seen = {"triage_state": "started", "triage_started_at": "2026-01-01"} if number % 3 == 0 else {}
        table.put(any_item(complaint_id=str(number), narrative="x" * 90_000, **seen))
    assert {item["complaint_id"] for item in table.scan()} == {str(number) for number in range(30)}
    some = list(table.scan_some(("complaint_id", "triage_state"), segment=(0, 1)))
    assert sorted(int(item.pop("complaint_id")) for item in some) == list(range(30))
    assert [item for item in some if item] == [{"triage_state": "started"}] * 10


def test_many_items_are_got_by_their_keys(cloud):
    session = cloud.session()
    asked = calls(session, "dynamodb.BatchGetItem")
    table = Table(session.client("dynamodb"), RAW_COMPLAINTS, RAW_COMPLAINTS.name)
    for number in range(0, 230, 2):
        table.put(any_item(complaint_id=str(number)))
    found = table.get_many((str(number),) for number in range(230))
    assert sorted(int(item["complaint_id"]) for item in found) == list(range(0, 230, 2))
    assert len(asked) > 1


def test_no_keys_are_no_call(cloud):
    assert list(cloud.table(RAW_COMPLAINTS).get_many([])) == []


@given(st.lists(st.integers(), max_size=30), st.integers(1, 9))
def test_batches_hold_everything_in_order(elements, size):
    batches = list(batched(elements, size))
    assert [element for batch in batches for element in batch] == elements
    assert all(0 < len(batch) <= size for batch in batches)


def test_a_decimal_is_a_number_again_where_a_model_reads_it():
    strategy = any_model_strategy(any_strategy({"champion": 10_000}), version=3)
    item = from_item(to_item(strategy))
    assert isinstance(item["version"], Decimal)
    assert ModelStrategy.model_validate(item) == strategy


def test_rows_that_are_no_model_are_skipped_and_reported():
    good, bad = any_model_info().model_dump(mode="json"), {"model_id": "acme/bad", "revision": "main"}
    reported: list[tuple[Any, int]] = []
    read = valid_rows([bad, good], ModelInfo, on_bad=lambda row, error: reported.append((row, error.error_count())))
    assert list(read) == [any_model_info()]
    assert reported == [(bad, 2)]


def test_rows_that_are_no_model_may_be_skipped_in_silence():
    assert list(valid_rows([{}], ModelInfo)) == []


STORED = {"absent": None, "null": {"NULL": True}, "text": {"S": "a"}, "number": {"N": "0.10"}, "no": {"BOOL": False}}
OTHERS = {**STORED, "set": {"SS": ["a", "b"]}, "list": {"L": [{"NULL": True}]}, "bytes": {"B": b"\xff"}}


@pytest.mark.parametrize("stored", OTHERS)
def test_a_condition_on_what_was_read_holds_until_it_changes(cloud, stored):
    """None is a value of DynamoDB's, and it is not absence."""
    session, table = cloud.session(), cloud.table(RAW_COMPLAINTS)
    name, key = RAW_COMPLAINTS.name, {"complaint_id": {"S": "1"}}

    def put(value):
        item = key if value is None else {**key, "tags": value}
        session.client("dynamodb").put_item(TableName=name, Item=item)

    put(OTHERS[stored])
    read = table.get("1")
    unchanged = Condition("attribute_exists(#id)", id="complaint_id").unchanged("tags", read)
    assert table.update("1", assign={"state": "seen"}, condition=unchanged)
    for other in OTHERS.keys() - {stored}:
        put(OTHERS[other])
        assert not table.update("1", assign={"state": "seen"}, condition=unchanged), other
