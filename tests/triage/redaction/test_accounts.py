import pytest

from triage.redaction.accounts import find_accounts


def found(text: str) -> set[str]:
    return {text[span.start : span.end] for span in find_accounts(text)}


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
    assert number in found(text)


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
    assert not found(text)
