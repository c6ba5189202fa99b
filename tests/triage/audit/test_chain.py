from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from boto3.dynamodb.types import Binary
from hypothesis import given
from hypothesis import strategies as st

from triage.audit.chain import Link, content_sha256, kept_until, unsealed
from triage.outbox import expiry

STATED = {"complaint_id": "1", "sealed_at": "2026-03-02T09:30:00.000Z", "code_version": "test", "expires_at": 7}

plain = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.decimals(allow_nan=False, allow_infinity=False, places=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_links_count_and_name_the_one_before():
    first = Link.after(None, entry="SELECTION", content={"entry": "SELECTION"}, **STATED)
    second = Link.after(first, entry="SELECTION", content=None, **STATED)
    assert (first.sequence, second.sequence) == ("000001", "000002")
    assert (first.change, second.change) == ("written", "removed")
    assert second.previous_sha256 == first.sha256
    assert (first.previous_sha256, second.content_sha256) == (None, None)


@pytest.mark.parametrize("field", sorted(Link.model_fields.keys() - {"sha256", "expires_at"}))
def test_whatever_is_altered_in_a_link_shows(field):
    first = Link.after(None, entry="SELECTION", content={"entry": "SELECTION"}, **STATED)
    link = Link.after(first, entry="ALLOCATION", content={"entry": "ALLOCATION"}, **STATED)
    assert link.is_sound
    changed = {"change": "removed", "late": True}
    other = changed[field] if field in changed else getattr(link, field) + "0"
    assert not link.model_copy(update={field: other}).is_sound


def test_when_a_link_or_an_entry_expires_is_not_sealed():
    link = Link.after(None, entry="SELECTION", content={"entry": "SELECTION", "expires_at": 1}, **STATED)
    assert link.model_copy(update={"expires_at": None}).is_sound
    assert link.content_sha256 == content_sha256({"entry": "SELECTION"})


@given(one=st.dictionaries(st.text(max_size=5), plain), other=st.dictionaries(st.text(max_size=5), plain))
def test_two_contents_have_one_hash_only_if_they_are_equal(one, other):
    one.pop("expires_at", None)
    other.pop("expires_at", None)
    same = content_sha256(one) == content_sha256(other)
    assert same if _as_text(one) == _as_text(other) else not same


def _as_text(value):
    """Tell True from 1, as DynamoDB does and Python does not. Both take 1.0 for 1."""
    if isinstance(value, dict):
        return sorted((name, _as_text(element)) for name, element in value.items())
    if isinstance(value, list):
        return [_as_text(element) for element in value]
    return (type(value).__name__, format(value.normalize(), "f") if isinstance(value, Decimal) else str(value))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("1.50"), Decimal("1.5")),
        (Decimal("1E+3"), Decimal(1000)),
        ({"b", "a"}, {"a", "b"}),
        (Binary(b"x"), Binary(b"x")),
        ({"x": 1, "y": 2}, {"y": Decimal(2), "x": Decimal("1.0")}),
    ],
)
def test_a_value_has_one_hash_however_it_is_spelled(one, other):
    assert content_sha256({"value": one}) == content_sha256({"value": other})


@pytest.mark.parametrize(
    ("one", "other"), [("1", Decimal(1)), (True, "true"), (None, "null"), ({"a"}, ["a"]), (Binary(b"x"), "eA==")]
)
def test_what_looks_alike_and_is_of_another_type_has_another_hash(one, other):
    assert content_sha256({"value": one}) != content_sha256({"value": other})


SEALED = {"complaint_id": "1", "sealed_at": "2026-03-02T09:30:00.000Z", "code_version": "test"}
BEGAN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("content", [None, {"entry": "HOLD#1"}, {"entry": "A", "expires_at": "soon"}])
def test_a_link_that_seals_no_expiry_is_kept_by_the_beginning_of_its_chain(content):
    first = Link.after(None, entry="A", content={"entry": "A"}, **SEALED)
    at_the_end = BEGAN + timedelta(days=30)
    assert kept_until(first, content, now=at_the_end, retention_days=30) == expiry(BEGAN, 44)
    assert kept_until(None, content, now=BEGAN, retention_days=30) == expiry(BEGAN, 44)


def test_a_link_is_kept_longer_than_what_it_seals_and_no_longer_than_anything_is():
    def until(expires_at):
        return kept_until(None, {"expires_at": Decimal(expires_at)}, now=BEGAN, retention_days=30)

    assert until(expiry(BEGAN, 20)) == expiry(BEGAN, 34)
    assert until(expiry(BEGAN, 9_999)) == expiry(BEGAN, 44)
    # And long enough to be there when its removal is sealed, whatever somebody wrote.
    assert until(0) == expiry(BEGAN, 14)


def test_no_link_expires_before_one_that_it_follows():
    last = Link.after(None, entry="A", content={"entry": "A"}, **SEALED, expires_at=expiry(BEGAN, 400))
    assert kept_until(last, None, now=BEGAN, retention_days=30) == expiry(BEGAN, 400)


def test_only_what_the_chain_does_not_know_is_sealed():
    known = Link.after(None, entry="A", content={"entry": "A"}, **STATED)
    gone = Link.after(known, entry="B", content=None, **STATED)
    entries = {"A": {"entry": "A"}, "B": None, "C": None, "D": {"entry": "D"}}
    assert dict(unsealed([known, gone], entries)) == {"C": None, "D": {"entry": "D"}}
    assert dict(unsealed([known, gone], {"A": {"entry": "A", "more": 1}})) == {"A": {"entry": "A", "more": 1}}
