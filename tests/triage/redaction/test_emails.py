import pytest

from triage.redaction.emails import find_emails


def found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_emails(text)]


@pytest.mark.parametrize(
    "address",
    [
        "a.b+c@mail.example.co.uk",
        "BOB @ YAHOO.COM",
        "sam dot jones at outlook dot com",
        "x(at)y(dot)com",
        "l [at] y [dot] org",
    ],
)
def test_addresses_are_found_however_they_are_spelled(address):
    assert found(f"write to {address} soon")[-1].endswith(address)


@pytest.mark.parametrize("text", ["I was at home", "look at the dot on it", "meet @ noon", "wellsfargo.com is down"])
def test_other_uses_of_at_and_dot_stay(text):
    assert not found(text)
