import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.text import clean

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=())) | st.text(
    "\x00\x85\xa0\u2028\u0301\ufffe\ud800 \tae"
)


@given(ANY_TEXT)
def test_any_text_becomes_text_that_can_be_stored(text):
    assert clean(text).encode("utf-8").decode("utf-8") == clean(text)


@given(ANY_TEXT)
def test_cleaning_twice_changes_nothing(text):
    assert clean(clean(text)) == clean(text)


@given(ANY_TEXT)
def test_no_control_character_survives(text):
    assert not [character for character in clean(text) if unicodedata.category(character) == "Cc"]


@given(ANY_TEXT)
def test_white_space_is_single_spaces_between_words(text):
    assert clean(text) == " ".join(clean(text).split())


@given(ANY_TEXT)
def test_the_result_is_composed(text):
    assert unicodedata.is_normalized("NFC", clean(text))


@given(st.text(st.characters(categories=["L", "N", "P"])).map(lambda text: unicodedata.normalize("NFC", text)))
def test_clean_text_stays_as_it_is(text):
    assert clean(text) == text


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("a\ud800b", "a?b"),
        ("a\x00b", "a b"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u00a0one\u2003two\r\n\tthree ", "one two three"),
        ("XXXX \U0001f600", "XXXX \U0001f600"),
        ("\x7f\x9f\ufffe\uffff", ""),
    ],
)
def test_examples_are_cleaned(dirty, expected):
    assert clean(dirty) == expected
