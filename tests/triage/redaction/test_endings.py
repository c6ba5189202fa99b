import pytest

from triage.redaction.endings import find_endings
from triage.redaction.entities import Entity


def found(text: str) -> list[tuple[str, Entity]]:
    return [(text[span.start : span.end], span.entity) for span in find_endings(text)]


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
def test_the_rest_of_a_masked_number_is_found_as_what_it_is_of(text, entity):
    assert found(text) == [("4821", entity)]


@pytest.mark.parametrize("text", ["the term ending 2019", "XX/XX/2019", "XXXX 2019", "XXXX2019", "ended 30 days ago"])
def test_years_and_scrubbed_dates_stay(text):
    assert not found(text)


def test_a_year_is_taken_where_an_account_ends_in_it():
    assert found("account ending in 2019") == [("2019", Entity.ACCOUNT)]
