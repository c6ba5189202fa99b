import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.redaction import REDACTION_VERSION, Entity, find, redact, redact_text
from triage.text import clean

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)
PIECES = """John|Smith|Maria |my name is |Mr. |spoke with |Sincerely, |van |O'Brien|Bank |& |12 Oak Street|, |XXXX
|Leeds LS6 3HN|Springfield, IL 62704|Flat 2, |PO Box 12|a@b.com|me at mail dot com|07700 900123|(212) 555-0187|number |
|1-800-869-3557|4111 1111 1111 1111|account |ending in 4821|****4821|XX/XX/2019|sort code 12-34-56|AB 12 34 56 C|ssn
|078-05-1120|born on |DOB |03/04/1961|4 March 1961|not |as |$1,200.00|12345678| |. |-|1|[NAME]|[PHONE]|[|]|@|#|:|is """
FRAGMENTS = st.lists(st.sampled_from(PIECES.split("|")), max_size=16).map("".join)


@given(ANY_TEXT | FRAGMENTS)
def test_redacting_twice_changes_nothing(text):
    once = redact(text)
    assert redact(once.text).text == once.text
    assert not redact(once.text).counts


@given(FRAGMENTS)
def test_a_redacted_text_stays_clean(text):
    """Therefore the order of cleaning and redacting does not matter."""
    redacted = redact_text(clean(text))
    assert clean(redacted) == redacted


@given(ANY_TEXT | FRAGMENTS)
def test_spans_are_in_order_apart_and_within_the_text(text):
    ends = [0]
    for span in find(text):
        assert ends[-1] <= span.start < span.end <= len(text)
        ends.append(span.end)


@given(ANY_TEXT | FRAGMENTS)
def test_a_text_in_which_nothing_is_found_stays_as_it_is(text):
    if not find(text):
        assert redact(text).text == text
        assert redact(text).counts == {}


@given(FRAGMENTS)
def test_every_span_that_is_found_is_counted(text):
    """A later pass may find spans that the first pass revealed, so counts may be higher."""
    counts = redact(text).counts
    assert sum(counts.values()) >= len(find(text))
    assert all(count > 0 for count in counts.values())


@pytest.mark.parametrize(
    ("secret", "entity"),
    [
        ("john.smith@example.com", Entity.EMAIL),
        ("AB 12 34 56 C", Entity.NATIONAL_INSURANCE),
        ("078-05-1120", Entity.SOCIAL_SECURITY),
        ("4111 1111 1111 1111", Entity.CARD),
        ("14 Maple Street, Springfield, IL 62704", Entity.ADDRESS),
        ("07700 900123", Entity.PHONE),
        ("GB82 WEST 1234 5698 7654 32", Entity.ACCOUNT),
        ("John Smith", Entity.NAME),
    ],
)
@given(before=st.text("abc .,\n", max_size=20), after=st.text("abc .,\n", max_size=20))
def test_personal_data_that_are_found_are_not_in_the_output(secret, entity, before, after):
    redacted = redact(f"{before} it was {secret}, {after}")
    assert secret not in redacted.text
    assert redacted.counts[entity] == 1


def test_a_date_of_birth_is_found_and_another_date_stays():
    redacted = redact("Born 4 March 1961, I complained on 4 March 2021.")
    assert redacted.text == "Born [DATE_OF_BIRTH], I complained on 4 March 2021."


def test_overlapping_finds_become_one_placeholder():
    assert redact_text("write to 12 John Street, Leeds LS6 3HN") == "write to [ADDRESS]"


def test_text_that_cfpb_scrubbed_stays():
    text = "On XX/XX/2019 XXXX XXXX of XXXX closed my account XXXX. Sincerely, XXXX XXXX"
    assert redact_text(text) == text


def test_firms_products_amounts_and_dates_stay():
    text = "Wells Fargo charged my Platinum card {$350.00} on 03/04/2021, against 15 USC 1681 and Section 609."
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "A ",
        "Aa, ",
        "1-",
        "1234 ",
        "a@",
        "a.",
        "dot ",
        "John ",
        "J. ",
        "12 Aa ",
        "is ",
        "account ",
        "born on ",
        "(0",
        " ",
    ],
)
def test_time_grows_with_the_length_alone(pattern):
    """Four times the length may take eight times as long on a slow machine; quadratic time would take sixteen times."""

    def seconds(length: int) -> float:
        text = (pattern * length)[:length]
        times = []
        for _ in range(3):
            start = time.process_time()
            redact(text)
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(8_000) < 8 * seconds(2_000) + 0.02


def test_the_version_is_stated():
    assert REDACTION_VERSION
