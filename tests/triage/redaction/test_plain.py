import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.redaction import Entity, find, redact
from triage.redaction.entities import Span
from triage.redaction.numbers import find_cards
from triage.redaction.plain import joined, plain

INVISIBLE = ["\u00ad", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u200e"]
SPACES = [" ", "\u00a0", "\u2007", "\u2009", "\u202f", "\u3000"]
DASHES = ["-", "\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212", "\uff0d"]
OTHERS = [".", "/", " / ", " - ", " . ", "_", "\u2022", "\u2215"]
SEPARATORS = [*INVISIBLE, *SPACES, *DASHES, *OTHERS]
DIGITS = [
    "0123456789",
    "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19",
    "".join(map(chr, range(0x660, 0x66A))),
]
NUMBERS = {
    Entity.CARD: ("my card", ["4111", "1111", "1111", "1111"]),
    Entity.PHONE: ("call me on", ["212", "555", "0187"]),
    Entity.ACCOUNT: ("sort code", ["12", "34", "56"]),
    Entity.SOCIAL_SECURITY: ("SSN", ["078", "05", "1120"]),
    Entity.NATIONAL_INSURANCE: ("NI", ["AB", "12", "34", "56", "C"]),
}


@pytest.mark.parametrize("entity", NUMBERS)
@given(separator=st.sampled_from(SEPARATORS), digits=st.sampled_from(DIGITS))
def test_no_way_to_separate_the_groups_of_a_number_keeps_it(entity, separator, digits):
    words, groups = NUMBERS[entity]
    number = separator.join(groups).translate(str.maketrans(DIGITS[0], digits))
    redacted = redact(f"{words} {number} today")
    assert not any(group in redacted.text for group in number.split(separator) if len(group) > 1)
    assert redacted.text.endswith("] today")
    assert sum(redacted.counts.values()) == 1


@pytest.mark.parametrize("entity", [Entity.CARD, Entity.PHONE, Entity.SOCIAL_SECURITY])
@settings(max_examples=200)
@given(data=st.data())
def test_separators_may_differ_and_invisible_characters_stand_anywhere(entity, data):
    words, groups = NUMBERS[entity]
    if entity is Entity.CARD:
        marks = [data.draw(st.sampled_from([*DASHES, *SPACES, ".", "/"])) for _ in groups]
    else:
        marks = [data.draw(st.sampled_from(DASHES))] * len(groups)
    number = groups[0] + "".join(mark + group for mark, group in zip(marks, groups[1:], strict=False))
    unseen = data.draw(st.lists(st.tuples(st.integers(1, len(number) - 1), st.sampled_from(INVISIBLE)), max_size=4))
    for place, character in sorted(unseen, reverse=True):
        number = number[:place] + character + number[place:]
    redacted = redact(f"{words} {number} today").text
    assert not re.search(r"\d", redacted)


def test_no_test_of_separators_passes_because_nothing_is_found_at_all():
    """Without the plain text the number stays."""
    written = "4111\u20111111\u20111111\u20111111"
    assert not list(find_cards(written))
    assert list(find_cards(plain(written).text))


@pytest.mark.parametrize("written", ["12.50 and 03/04/2021", "2019-2020", "$1,200.00", "v1.2.3", "15 USC 1681"])
def test_amounts_dates_and_sections_stay_although_separators_are_joined(written):
    assert redact(written).text == written


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=200))
def test_a_span_of_the_plain_text_is_mapped_to_the_characters_that_were_written(written):
    for read in (plain(written), joined(plain(written))):
        assert len(read.text) == len(read.origins)
        assert list(read.origins) == sorted(set(read.origins))
        if read.text:
            (span,) = read.back([Span(0, len(read.text), Entity.NAME)])
            assert 0 <= span.start < span.end <= len(written)


def test_the_placeholder_replaces_the_invisible_characters_inside_too():
    written = "card 4111\u00ad1111\u200b1111\u20601111, paid"
    (span,) = find(written)
    assert written[span.start : span.end] == "4111\u00ad1111\u200b1111\u20601111"
    assert redact(written).text == "card [CARD], paid"
