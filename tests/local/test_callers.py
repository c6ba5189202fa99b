import pytest

from local.callers import foreign

OURS = [("Host", "127.0.0.1:4566"), ("User-Agent", "Boto3/1.43.106")]


def test_a_request_of_a_program_of_this_machine_is_not_foreign():
    assert foreign(OURS, 4566) is None
    assert foreign([("host", "localhost:4566"), ("origin", "http://localhost:4566")], 4566) is None


@pytest.mark.parametrize(
    "headers",
    [
        [("Host", "bank.example:4566")],
        [("Host", "127.0.0.1:80")],
        [("Host", "127.0.0.1.bank.example:4566")],
        [("Host", "s3.localhost:4566")],
        [*OURS, ("host", "bank.example")],
        [],
        [*OURS, ("Origin", "https://bank.example")],
        [*OURS, ("Origin", "null")],
        [*OURS, ("Origin", "http://127.0.0.1:8090")],
        [*OURS, ("Sec-Fetch-Site", "cross-site")],
        [*OURS, ("Sec-Fetch-Site", "same-site")],
    ],
    ids=lambda headers: " ".join(f"{name}={value}" for name, value in headers),
)
def test_what_a_web_page_sends_is_foreign(headers):
    assert foreign(headers, 4566)
