from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import any_complaint, any_item
from triage.complaint import Complaint, RawComplaint, timestamp
from triage.reason import Reason

SCALARS = st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=20) | st.binary(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        | st.sets(st.text(max_size=5) | st.integers(), max_size=3)
    ),
    max_leaves=6,
)
ITEMS = st.dictionaries(st.sampled_from(sorted(RawComplaint.model_fields)) | st.text(max_size=8), VALUES, max_size=6)


@settings(max_examples=200)
@given(item=ITEMS, complaint_id=VALUES.filter(lambda value: value is not None))
def test_whatever_is_stored_is_readable_or_has_a_reason(item, complaint_id):
    complaint = Complaint.read({**item, "complaint_id": complaint_id})
    assert bool(complaint.narrative) != bool(complaint.unreadable)
    assert complaint.complaint_id == str(complaint_id)
    assert complaint.subject or not complaint.complaint_id


@given(name=st.sampled_from(sorted(RawComplaint.model_fields)), kind=st.sampled_from([list, dict, int, bytes]))
def test_reasons_name_attributes_and_never_values(name, kind):
    marker = {list: ["MARKER", 31337], dict: {"MARKER": 31337}, int: 31337, bytes: b"MARKER"}[kind]
    item: dict[str, Any] = any_item(**{name: marker, "complaint_id": "1"})
    complaint = Complaint.read(item)
    reasons = " ".join([complaint.unreadable or "", *complaint.doubts])
    assert "MARKER" not in reasons
    assert "31337" not in reasons


@pytest.mark.parametrize(
    ("narrative", "reason"),
    [
        (None, "narrative is missing"),
        ("", "narrative is empty"),
        (" \n\t\x00 ", "narrative is empty"),
        ("\u200b\ufeff\u2060", "narrative is empty"),
        ("<p></p>", "narrative is empty"),
        ("<p>&nbsp;</p><br/>", "narrative is empty"),
        ("NaN", "narrative is empty"),
        ("null", "narrative is empty"),
        (7, "narrative is not text"),
        (["text"], "narrative is not text"),
        (b"text", "narrative is not text"),
    ],
)
def test_a_narrative_that_cannot_be_judged_says_why(narrative, reason):
    assert any_complaint(narrative=narrative).unreadable == reason


def test_an_item_without_a_narrative_says_so():
    assert Complaint.read({"complaint_id": "1"}).unreadable == "narrative is missing"


def test_a_well_formed_item_raises_no_doubts():
    complaint = any_complaint(tags=["Older American"], account_vulnerable=True, customer_id="c-1", company="MegaBank")
    assert complaint.doubts == ()
    assert complaint.account_vulnerable


def test_the_subject_is_the_customer_and_else_the_complaint():
    assert any_complaint(customer_id="c-1").subject == "c-1"
    for missing in (None, "", "null", float("nan")):
        assert any_complaint(customer_id=missing, complaint_id="1").subject == "1"
    for number in (30000000, 30000000.0, Decimal(30000000), "30000000.0", "\ufeff30000000"):
        assert any_complaint(customer_id=number).subject == "30000000"


@pytest.mark.parametrize(
    "tags",
    [
        "Older American, Servicemember",
        "Servicemember,Older American,",
        ["Servicemember", "Older American"],
        {"Older American", "Servicemember"},
        ("Older American ", " Servicemember", " "),
    ],
)
def test_tags_are_read_however_they_were_exported(tags):
    assert any_complaint(tags=tags).tags == ("Older American", "Servicemember")


@pytest.mark.parametrize(
    "tags", [7, True, {"Older American": 1}, ["Older American", 7], b"Older American", "['Older American'", "[1]"]
)
def test_ill_formed_tags_are_a_doubt(tags):
    complaint = any_complaint(tags=tags)
    assert complaint.tags == ()
    assert any("tags" in doubt for doubt in complaint.doubts)


@pytest.mark.parametrize("flag", ["maybe", 2, Decimal("0.5"), [], {}, b"true"])
def test_an_account_flag_that_is_no_boolean_is_a_doubt(flag):
    assert "account_vulnerable is not a boolean" in any_complaint(account_vulnerable=flag).doubts


MOMENTS = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9998, 1, 1))


@given(st.lists(MOMENTS, min_size=2, max_size=2))
def test_timestamps_sort_like_their_moments(moments):
    earlier, later = sorted(moment.replace(tzinfo=UTC) for moment in moments)
    assert timestamp(earlier) <= timestamp(later)


@given(MOMENTS, st.integers(-12, 12))
def test_a_timestamp_is_the_same_moment_in_every_zone(moment, hours):
    moment = moment.replace(tzinfo=UTC)
    written = timestamp(moment.astimezone(timezone(timedelta(hours=hours))))
    assert written == timestamp(moment)
    assert timedelta() <= moment - datetime.fromisoformat(written) < timedelta(milliseconds=1)


@pytest.mark.parametrize("tag", ["VIP", "Older Martian", "Veteran?"])
def test_a_tag_that_is_not_known_is_a_doubt_about_vulnerability(tag):
    complaint = any_complaint(tags=["Servicemember", tag])
    assert complaint.doubts == ("tags have one that is not known",)
    assert Reason.read(complaint.doubts[0]).asks == "specialist"
