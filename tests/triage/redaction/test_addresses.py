import pytest

from triage.redaction.addresses import find_addresses, find_emails
from triage.redaction.entities import merged


def found(finder, text: str) -> list[str]:
    return [text[span.start : span.end] for span in merged(finder(text))]


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
def test_email_addresses_are_found_in_any_spelling(address):
    assert found(find_emails, f"write to {address} soon")[-1].endswith(address)


@pytest.mark.parametrize("text", ["I was at home", "look at the dot on it", "meet @ noon", "wellsfargo.com is down"])
def test_other_uses_of_at_and_dot_stay(text):
    assert not found(find_emails, text)


@pytest.mark.parametrize(
    "address",
    [
        "221B Baker Street, London NW1 6XE",
        "5678 SE 82nd Ave Apt 14, Portland, Oregon 97266",
        "Flat 12B, Riverside Court, 44 Quay Street, Manchester M3 3JE",
        "Rose Cottage, Mill Lane, Ambleside LA22 9BU",
        "P.O. Box 9500, Wilkes-Barre, PA 18773",
        "12 oak lane, leeds ls6 3hn",
        "3327 County Road 12, Ottumwa, IA 52501",
        "55 old mill road, macon ga",
        "SW1A 2AA",
    ],
)
def test_an_address_is_found_from_flat_to_postcode(address):
    assert found(find_addresses, f"it is {address}.") == [address]


def test_a_zip_code_is_found_if_it_is_called_so():
    assert found(find_addresses, "my zip code is 90210, not 90211 dollars") == ["90210"]


@pytest.mark.parametrize(
    "text",
    [
        "I paid 300 on my way to work",
        "a 4 hr drive",
        "5 minutes to drive",
        "the 1 st of May",
        "in Lincoln, Nebraska",
        "15 USC 1681",
        "138 S. Ct. 1612",
        "the branch on Main Street",
        "XXXX XXXX, CA XXXX",
    ],
)
def test_places_numbers_and_laws_stay(text):
    assert not found(find_addresses, text)
