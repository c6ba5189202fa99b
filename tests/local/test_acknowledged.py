import json

import pytest

from local.acknowledged import Acknowledged, Write, _writes


def put(key: str, table: str = "complaints") -> Write:
    return Write(table, {"complaint_id": {"S": key}}, is_put=True)


def deletion(key: str) -> Write:
    return put(key)._replace(is_put=False)


@pytest.fixture
def restarted(tmp_path):
    """Return what a later process finds, after a kill of the one that kept these writes."""

    def left(*writes: Write) -> list[Write]:
        first = Acknowledged(tmp_path)
        first.open()
        first.keep(writes)
        second = Acknowledged(tmp_path)
        second.open()
        return second.left()

    return left


def test_what_was_put_before_a_kill_is_left(restarted):
    assert restarted(put("1"), put("2")) == [put("1"), put("2")]


def test_what_was_deleted_later_is_not_left(restarted):
    assert restarted(put("1"), put("2"), deletion("1")) == [put("2")]
    assert restarted(deletion("2"), put("2")) == [put("2")]


def test_two_kills_leave_the_puts_of_both(restarted):
    restarted(put("1"))
    assert restarted(put("2")) == [put("1"), put("2")]


def test_a_checkpoint_covers_what_was_put_before_it_began(tmp_path):
    kept = Acknowledged(tmp_path)
    kept.open()
    kept.keep([put("1")])
    covered = kept.begin()
    kept.keep([put("2")])
    for keys in covered:
        keys.unlink()
    later = Acknowledged(tmp_path)
    later.open()
    assert later.left() == [put("2")]


def test_half_a_line_is_no_put(tmp_path):
    kept = Acknowledged(tmp_path)
    kept.open()
    kept.keep([put("1")])
    (file,) = tmp_path.glob("0*.jsonl")
    file.write_text(file.read_text() + '{"table": "comp')
    later = Acknowledged(tmp_path)
    later.open()
    assert later.left() == [put("1")]


def test_what_was_told_is_not_told_again(tmp_path, restarted):
    restarted(put("1"))
    Acknowledged(tmp_path).forget()
    assert Acknowledged(tmp_path).left() == []


def test_the_keys_are_for_the_owner_alone(tmp_path, restarted):
    restarted(put("1"))
    assert not [path for path in tmp_path.iterdir() if path.stat().st_mode & 0o077]


ITEM = {"complaint_id": {"S": "1"}, "narrative": {"S": "what the customer wrote"}}
KEY = {"complaint_id": {"S": "1"}}


@pytest.mark.parametrize(
    ("request_", "writes"),
    [
        ({"TableName": "complaints", "Item": ITEM}, [put("1")]),
        ({"TableName": "arn:aws:dynamodb:us-east-1:000000000000:table/complaints", "Item": ITEM}, [put("1")]),
        ({"TableName": "complaints", "Key": KEY}, [deletion("1")]),
        ({"RequestItems": {"complaints": [{"PutRequest": {"Item": ITEM}}]}}, [put("1")]),
        ({"RequestItems": {"complaints": [{"DeleteRequest": {"Key": KEY}}]}}, [deletion("1")]),
        ({"TransactItems": [{"Put": {"TableName": "complaints", "Item": ITEM}}]}, [put("1")]),
        ({"TransactItems": [{"Delete": {"TableName": "complaints", "Key": KEY}}]}, [deletion("1")]),
        ({"TransactItems": [{"ConditionCheck": {"TableName": "complaints", "Key": KEY}}]}, []),
    ],
)
def test_every_kind_of_put_and_deletion_is_read_without_what_was_written(monkeypatch, request_, writes):
    monkeypatch.setattr("ministack.services.dynamodb._tables", {"complaints": {"pk_name": "complaint_id"}})
    assert list(_writes(json.dumps(request_).encode())) == writes
