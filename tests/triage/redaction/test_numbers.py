import pytest

from triage.redaction.entities import Entity
from triage.redaction.numbers import find_accounts, find_cards, find_endings, find_phones, is_line_of_a_firm


def found(finder, text: str) -> list[str]:
    return [text[span.start : span.end] for span in finder(text)]


@pytest.mark.parametrize(
    "number", ["4111111111111111", "4111 1111 1111 1111", "3782-822463-10005", "5500-0055-5555-5559"]
)
def test_card_numbers_with_a_right_check_digit_are_found(number):
    assert found(find_cards, f"used {number} there") == [number]


@pytest.mark.parametrize("text", ["4111 1111 1111 1112", "my visa 4111111111111112"])
def test_a_card_number_with_a_mistyped_digit_is_found_by_its_groups_or_the_words_before_it(text):
    assert found(find_cards, text)


@pytest.mark.parametrize("text", ["4111111111111112", "9400111899223197", "$4111111111111111"])
def test_other_long_numbers_are_not_found_as_cards(text):
    assert not found(find_cards, text)


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ("card ending in 4821", Entity.CARD),
        ("visa ****4821", Entity.CARD),
        ("XXXX-XXXX-XXXX-4821", Entity.CARD),
        ("account ending in 4821", Entity.ACCOUNT),
        ("last four of my social are 4821", Entity.SOCIAL_SECURITY),
        ("xxx-xx-4821", Entity.SOCIAL_SECURITY),
        ("my cell ends in 4821", Entity.PHONE),
    ],
)
def test_the_last_digits_of_a_masked_number_are_found_with_the_kind_of_the_number(text, entity):
    assert found(find_endings, text) == ["4821"]
    assert [span.entity for span in find_endings(text)] == [entity]


@pytest.mark.parametrize("text", ["the term ending 2019", "XX/XX/2019", "XXXX 2019", "XXXX2019", "ended 30 days ago"])
def test_years_and_scrubbed_dates_stay(text):
    assert not found(find_endings, text)


def test_a_year_is_found_if_an_account_ends_in_it():
    (ending,) = find_endings("account ending in 2019")
    assert (ending.start, ending.end, ending.entity) == (18, 22, Entity.ACCOUNT)


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
def test_telephone_numbers_are_found_in_their_usual_formats(number):
    assert number in found(find_phones, f"it was {number}.")


def test_bare_digits_are_a_telephone_number_if_they_are_called_so_or_in_use():
    assert found(find_phones, "my cell is 5558675309") == ["5558675309"]
    assert found(find_phones, "it was 2125550148") == ["2125550148"]


@pytest.mark.parametrize("text", ["account number 2125550148", "it was 5558675309", "$212 555 0187", "15 U.S.C. 1681"])
def test_other_digits_are_not_found_as_a_telephone_number(text):
    assert not found(find_phones, text)


@pytest.mark.parametrize("number", ["1-800-869-3557", "888-226-2273", "0345 734 5345", "0800 731 8000"])
def test_lines_of_firms_stay(number):
    assert is_line_of_a_firm(number)
    assert not found(find_phones, f"call {number} now")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Account number: 123456", "123456"),
        ("acct # 4400-2291-77", "4400-2291-77"),
        ("loan 88302", "88302"),
        ("case no. HB4477", "HB4477"),
        ("The reference on your letter is PPI/7730192", "PPI/7730192"),
        ("sort code 12-34-56", "12-34-56"),
        ("IBAN GB82 WEST 1234 5698 7654 32", "GB82 WEST 1234 5698 7654 32"),
        ("it went to 9400111899223", "9400111899223"),
        ("account 517805XXXXXX", "517805XXXXXX"),
    ],
)
def test_numbers_of_records_are_found(text, number):
    assert number in found(find_accounts, text)


@pytest.mark.parametrize(
    "text",
    [
        "account 2019",
        "loan of $12500000",
        "12000000 dollars",
        "20190304",
        "from 2016-2019",
        "15 USC 1681-1692",
        "03-04-2021",
        "in 3 to 5 days",
        "1-800-869-3557",
        "account XXXX",
        "case 12",
    ],
)
def test_amounts_dates_laws_and_lines_of_firms_stay(text):
    assert not found(find_accounts, text)
