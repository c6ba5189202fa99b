import pytest

from triage.redaction import redact_text


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("CVV 123", "CVV [SECRET]"),
        ("the security code is 4410", "the security code is [SECRET]"),
        ("my PIN: 4821.", "my PIN: [SECRET]."),
        ("one-time code 883104", "one-time code [SECRET]"),
        ("password: hunter22", "password: [SECRET]"),
        ("four one one one two two nine", "[ACCOUNT]"),
        ("my pin is one two three four", "my pin is [ACCOUNT]"),
        ("double four, one, one, seven, three, nine", "[ACCOUNT]"),
        ("the van AB12 CDE", "the van [VEHICLE]"),
        ("license plate 7ABC123", "license plate [VEHICLE]"),
        ("VIN 1HGCM82633A004352", "VIN [VEHICLE]"),
        ("from 192.168.1.20", "from [DEVICE]"),
        ("from 2001:db8:85a3:0:0:8a2e:370:7334", "from [DEVICE]"),
        ("write to @kev_obrien", "write to [HANDLE]"),
        ("my username is kev_1980", "my username is [HANDLE]"),
        ("sent to $KevOB", "sent to [HANDLE]"),
        ("O'Brien, Kevin wrote", "[NAME] wrote"),
        ("Grace told me so", "[NAME] told me so"),
        ("jane . doe @ gmail . com", "[EMAIL]"),
        ("DOB14021961", "DOB[DATE_OF_BIRTH]"),
        ("at LS63HN", "at [ADDRESS]"),
        ("at ls63hn", "at [ADDRESS]"),
    ],
)
def test_what_identifies_a_person_is_replaced(written, left):
    assert redact_text(written) == left


@pytest.mark.parametrize(
    "written",
    [
        "I paid one or two of four fees, and three or five were wrong.",
        "the pin pad did not work 30 times",
        "they handle this matter",
        "my PayPal account has been limited",
        "a {$XXXX} fee",
        "version 10.2.3.4 of the app",
        "at 5:30:00 in the morning",
        "the security code was never sent",
        "Ally told me, and Chase said no",
        "Leeds, Bradford and York",
    ],
)
def test_ordinary_words_and_numbers_stay(written):
    assert redact_text(written) == written
