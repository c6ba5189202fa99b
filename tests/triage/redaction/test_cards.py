import pytest

from triage.redaction.cards import find_cards


def found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_cards(text)]


@pytest.mark.parametrize(
    "number", ["4111111111111111", "4111 1111 1111 1111", "3782-822463-10005", "5500-0055-5555-5559"]
)
def test_numbers_that_add_up_are_found(number):
    assert found(f"used {number} there") == [number]


@pytest.mark.parametrize("text", ["4111 1111 1111 1112", "my visa 4111111111111112"])
def test_a_digit_may_be_mistyped_where_it_is_plainly_a_card(text):
    assert found(text)


@pytest.mark.parametrize("text", ["4111111111111112", "9400111899223197", "$4111111111111111"])
def test_other_long_numbers_are_no_cards(text):
    assert not found(text)
