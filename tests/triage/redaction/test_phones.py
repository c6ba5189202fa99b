import pytest

from triage.redaction.phones import find_phones, is_line_of_a_firm


def found(text: str) -> set[str]:
    return {text[span.start : span.end] for span in find_phones(text)}


@pytest.mark.parametrize(
    "number",
    [
        "(212) 555-0187",
        "212.555.0187",
        "+1-303-555-0110",
        "(212) 555-0187 ext. 22",
        "07700 900123",
        "020 7946 0958",
        "+44 (0)20 7946 0018",
        "+91 98765 43210",
    ],
)
def test_numbers_are_found_in_their_usual_writings(number):
    assert number in found(f"it was {number}.")


def test_bare_digits_are_a_phones_where_they_are_called_so_or_in_use():
    assert found("my cell is 5558675309") == {"5558675309"}
    assert found("it was 2125550148") == {"2125550148"}


@pytest.mark.parametrize("text", ["account number 2125550148", "it was 5558675309", "$212 555 0187", "15 U.S.C. 1681"])
def test_other_digits_are_not_a_phones(text):
    assert not found(text)


@pytest.mark.parametrize("number", ["1-800-869-3557", "888-226-2273", "0345 734 5345", "0800 731 8000"])
def test_lines_of_firms_stay(number):
    assert is_line_of_a_firm(number)
    assert not found(f"call {number} now")
