from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.clock import Rules, load_clocks
from triage.taxonomy import load_taxonomy

CLOCKS = load_clocks()
DAYS = st.dates(date(2002, 1, 1), date(2045, 1, 1))
PRODUCTS = st.sampled_from([None, *(product.name for product in load_taxonomy().products)])


def test_every_product_of_the_taxonomy_has_one_clock_and_no_other_has():
    named = [product for rule in CLOCKS.rules for product in rule.products]
    assert sorted(named) == sorted(product.name for product in load_taxonomy().products)


@pytest.mark.parametrize(
    ("received_on", "summary", "fifteenth"),
    [
        # An ordinary Monday.
        ("2026-03-02", "2026-03-05T23:59:59.000Z", "2026-03-23T23:59:59.000Z"),
        # A Saturday: the first business day is Monday.
        ("2026-02-28", "2026-03-04T23:59:59.000Z", "2026-03-20T23:59:59.000Z"),
        # Good Friday is 3 April 2026 and Easter Monday 6 April. Summer time began on 29 March.
        ("2026-04-01", "2026-04-08T22:59:59.000Z", "2026-04-24T22:59:59.000Z"),
        # Boxing Day is a Saturday, so that Monday 28 December is a holiday instead; New Year's Day is a Friday.
        ("2026-12-23", "2026-12-30T23:59:59.000Z", "2027-01-18T23:59:59.000Z"),
    ],
)
def test_business_days_leave_out_weekends_and_bank_holidays(received_on, summary, fifteenth):
    clock = CLOCKS.clock("Prepaid card", date.fromisoformat(received_on))
    assert (clock.kind, clock.summary_at, clock.due_at) == ("payment-services", summary, fifteenth)


def test_other_complaints_have_eight_weeks_of_any_days():
    clock = CLOCKS.clock("Mortgage", date(2026, 3, 2))
    assert (clock.kind, clock.due_at, clock.extended_at) == ("standard", "2026-04-27T22:59:59.000Z", None)


def test_payment_services_have_35_business_days_in_exceptional_circumstances():
    assert CLOCKS.clock("Credit card", date(2026, 3, 2)).extended_at == "2026-04-22T22:59:59.000Z"


@given(PRODUCTS, DAYS)
def test_a_clock_ends_in_order_and_states_its_rules(product, received_on):
    clock = CLOCKS.clock(product, received_on)
    ends = [clock.summary_at, clock.due_at, *([clock.extended_at] if clock.extended_at else [])]
    assert ends == sorted(set(ends))
    assert ends[0] > received_on.isoformat()
    assert (clock.received_on, clock.version) == (received_on.isoformat(), CLOCKS.version)


@given(PRODUCTS, DAYS)
def test_what_is_received_later_is_due_no_earlier(product, received_on):
    before, after = (CLOCKS.clock(product, received_on + timedelta(days=days)) for days in (0, 1))
    assert before.summary_at <= after.summary_at
    assert before.due_at <= after.due_at


@given(DAYS)
def test_without_a_product_that_has_a_clock_the_shortest_runs(received_on):
    clocks = [CLOCKS.clock(rule.products[0], received_on) for rule in CLOCKS.rules]
    for product in (None, "Pets"):
        assert CLOCKS.clock(product, received_on) == min(clocks, key=lambda clock: clock.due_at)


@pytest.mark.parametrize(
    ("stated", "day"),
    [
        (None, "2026-03-02"),
        ("2026-02-20", "2026-02-20"),
        ("2026-02-20T10:00:00", "2026-02-20"),
        ("2026-02-20T23:30:00+00:00", "2026-02-20"),
        ("2026-02-20T23:30:00-05:00", "2026-02-21"),
        # Operations' clock is fast, or somebody wrote another year.
        ("2026-03-03T00:00:00Z", "2026-03-02"),
        ("9999-12-31T23:59:59-12:00", "2026-03-02"),
        # Nobody's complaint is as old.
        ("2001-11-30", "2026-03-02"),
        ("0001-01-01T00:00:00+14:00", "2026-03-02"),
        ("yesterday", "2026-03-02"),
    ],
)
def test_the_day_of_receipt_is_what_operations_state_unless_that_cannot_be(stated, day):
    put_at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    assert CLOCKS.day_of_receipt(stated, put_at=put_at) == date.fromisoformat(day)


def test_days_end_where_the_bank_answers():
    late = datetime(2026, 7, 1, 23, 30, tzinfo=UTC)
    assert CLOCKS.day_of_receipt(None, put_at=late) == date(2026, 7, 2)


RULE = '\n[[clock]]\nkind = "standard"\nweeks = 8\nproducts = ["Mortgage"]\n'
HEAD = 'version = "1"\ntime_zone = "Europe/London"\npart = "ENG"\nsummary_business_days = 3\n'


def test_a_product_that_two_rules_name_is_refused():
    assert Rules.read(HEAD + RULE).rules
    with pytest.raises(ValueError, match="a product has several clocks"):
        Rules.read(HEAD + RULE + RULE)


def test_a_rule_without_an_end_is_refused():
    with pytest.raises(ValueError, match="the clock standard names neither business days nor weeks"):
        Rules.read(HEAD + RULE.replace("weeks = 8\n", ""))
