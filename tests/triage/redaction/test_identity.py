import pytest

from triage.redaction.identity import find_births, find_national_insurance, find_social_security


def found(finder, text: str) -> list[str]:
    return [text[span.start : span.end] for span in finder(text)]


@pytest.mark.parametrize("number", ["AB123456C", "ab 12 34 56 c", "QQ-12-34-56-D"])
def test_national_insurance_numbers_are_found_in_any_format(number):
    assert found(find_national_insurance, f"it is {number}.") == [number]


@pytest.mark.parametrize("text", ["AB123456E", "XAB123456C", "form AB 12 34"])
def test_text_that_only_resembles_a_national_insurance_number_stays(text):
    assert not found(find_national_insurance, text)


@pytest.mark.parametrize(
    "text", ["it is 078-05-1120", "my 078 05 1120", "SSN: 078051120", "ss# 078051120", "social, 078051120"]
)
def test_social_security_numbers_are_found(text):
    assert [number.replace("-", "").replace(" ", "") for number in set(found(find_social_security, text))] == [
        "078051120"
    ]


@pytest.mark.parametrize("text", ["paid 078051120", "$078-05-1120", "1078-05-1120"])
def test_nine_digits_that_are_not_called_a_social_security_number_stay(text):
    assert not found(find_social_security, text)


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
    assert found(find_births, words.format(date)) == [date]


def test_the_words_for_birth_may_follow_the_date():
    assert found(find_births, "03/04/1961 (DOB)") == ["03/04/1961"]


def test_a_date_that_replaces_a_date_of_birth_is_found_too():
    assert found(find_births, "DOB 19 Feb 1966 entered as 19 Feb 1996") == ["19 Feb 1966", "19 Feb 1996"]


@pytest.mark.parametrize(
    "text", ["born in 1961", "on 03/04/1961 I paid", "My son was born and I missed a payment on 03/04/2020", "I am 84"]
)
def test_years_ages_and_other_dates_stay(text):
    assert not found(find_births, text)


def test_a_date_in_the_next_sentence_stays():
    assert found(find_births, "DOB: 4 March 1961. On 4 May 2022 I called") == ["4 March 1961"]
