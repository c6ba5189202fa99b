import pytest

from triage.redaction.names import find_names


def found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_names(text)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("my name is maria gonzalez and", "maria gonzalez"),
        ("spoke with Maria in customer service", "Maria"),
        ("Mr. O'Brien said", "O'Brien"),
        ("Sincerely,\n\nXiomara R. Zzyzx-Quell", "Xiomara R. Zzyzx-Quell"),
        ("MY NAME IS MICHAEL BROWN. I", "MICHAEL BROWN"),
        ("Kevin's manager", "Kevin"),
        ("signed by T. Whitmore", "T. Whitmore"),
        ("Then Daniel Watson called", "Daniel Watson"),
        ("the lady at the desk, yolanda, said", "yolanda"),
        ("my son Wim van der Berg is", "Wim van der Berg"),
        ("Dear Ms. Stone", "Stone"),
    ],
)
def test_names_are_found_where_they_are_introduced_or_known(text, name):
    assert found(text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        "I spoke with Customer Service and then with Navient",
        "Morgan Stanley, Charles Schwab and Fannie Mae",
        "Peter Roberts & Associates",
        "I called LoanStar and told LoanStar's supervisor",
        "Dave and Albert took $75",
        "I flew to San Antonio after Hurricane Maria",
        "a company named Tower",
        "Sincerely, A Concerned Customer",
        "My name is XXXX XXXX",
        "I may sue them in May; will Chase mark it paid?",
        "my I.R.A. and the I.R.S.",
        "Please Help Me",
    ],
)
def test_firms_places_months_and_words_stay(text):
    assert not found(text)
