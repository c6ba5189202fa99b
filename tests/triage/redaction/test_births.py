import pytest

from triage.redaction.births import find_births


def found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_births(text)]


@pytest.mark.parametrize(
    "date",
    [
        "03/04/1961",
        "3-4-61",
        "1961-04-03",
        "4 March 1961",
        "4th of March 1961",
        "March 4, 1961",
        "Sept 4 1961",
        "04MAR1961",
    ],
)
@pytest.mark.parametrize("words", ["DOB {}", "d.o.b.: {}", "born on {}", "my date of birth is {}", "birthday, {},"])
def test_a_date_that_is_said_to_be_a_birth_is_found(date, words):
    assert found(words.format(date)) == [date]


def test_the_words_may_follow():
    assert found("03/04/1961 (DOB)") == ["03/04/1961"]


def test_a_date_that_stands_against_it_is_found_as_well():
    assert found("DOB 19 Feb 1966 entered as 19 Feb 1996") == ["19 Feb 1966", "19 Feb 1996"]


@pytest.mark.parametrize(
    "text", ["born in 1961", "on 03/04/1961 I paid", "My son was born and I missed a payment on 03/04/2020", "I am 84"]
)
def test_years_ages_and_other_dates_stay(text):
    assert not found(text)


def test_the_next_sentences_date_stays():
    assert found("DOB: 4 March 1961. On 4 May 2022 I called") == ["4 March 1961"]
