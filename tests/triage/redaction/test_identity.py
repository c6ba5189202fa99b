import pytest

from triage.redaction.identity import find_national_insurance, find_social_security


def found(finder, text: str) -> list[str]:
    return [text[span.start : span.end] for span in finder(text)]


@pytest.mark.parametrize("number", ["AB123456C", "ab 12 34 56 c", "QQ-12-34-56-D"])
def test_national_insurance_numbers_are_found_in_any_writing(number):
    assert found(find_national_insurance, f"it is {number}.") == [number]


@pytest.mark.parametrize("text", ["AB123456E", "XAB123456C", "form AB 12 34"])
def test_what_only_resembles_one_stays(text):
    assert not found(find_national_insurance, text)


@pytest.mark.parametrize(
    "text", ["it is 078-05-1120", "my 078 05 1120", "SSN: 078051120", "ss# 078051120", "social, 078051120"]
)
def test_social_security_numbers_are_found(text):
    assert [number.replace("-", "").replace(" ", "") for number in set(found(find_social_security, text))] == [
        "078051120"
    ]


@pytest.mark.parametrize("text", ["paid 078051120", "$078-05-1120", "1078-05-1120"])
def test_nine_digits_that_nobody_calls_so_stay(text):
    assert not found(find_social_security, text)
