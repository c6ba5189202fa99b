import threading
import time
from typing import Any

import pytest
from botocore.credentials import Credentials

from local.functions import Built, Functions, Invocation
from local.keys import Keys
from local.session import loopback_session

HEADERS = {
    "X-amzn-lambda-function-name": "infer",
    "X-amzn-lambda-function-version": "3",
    "X-amzn-lambda-function-arn": "arn:infer:3",
    "X-amzn-lambda-request-id": "id",
    "X-amzn-lambda-deadline-ms": str(int((time.time() + 3600) * 1000)),
}


def test_an_invocation_is_the_context_that_a_handler_expects():
    invocation = Invocation.of(HEADERS.items())
    assert invocation.function_name == "infer"
    assert invocation.function_version == "3"
    assert invocation.invoked_function_arn == "arn:infer:3"
    assert invocation.aws_request_id == "id"
    assert 0 < invocation.get_remaining_time_in_millis() <= 3_600_000


def test_no_time_is_left_after_the_deadline():
    late = HEADERS | {"X-amzn-lambda-deadline-ms": "1000"}
    assert Invocation.of(late.items()).get_remaining_time_in_millis() == 0


@pytest.mark.parametrize("name", HEADERS)
def test_a_missing_header_is_named(name):
    with pytest.raises(KeyError, match=name.lower().removeprefix("x-amzn-lambda-")):
        Invocation.of([item for item in HEADERS.items() if item[0] != name])


def test_a_function_that_is_being_built_holds_up_no_other(monkeypatch):
    """Building one loads libraries and may take seconds."""
    begun, go_on = threading.Event(), threading.Event()

    def check(functions: Functions, name: str, version: str) -> None:
        if name == "slow":
            begun.set()
            assert go_on.wait(10)
        session: Any = None
        functions._built[name, version] = Built(lambda event, context: name, (), session)

    monkeypatch.setattr(Functions, "_check", check)
    endpoint = "http://127.0.0.1:9"
    functions = Functions(endpoint, loopback_session(endpoint, Keys.draw().credentials))

    def invocation(name: str) -> Invocation:
        return Invocation.of((HEADERS | {"X-amzn-lambda-function-name": name}).items())

    slow = threading.Thread(target=functions.handler, args=[invocation("slow")])
    slow.start()
    try:
        assert begun.wait(10)
        found: list[Any] = []
        quick = threading.Thread(target=lambda: found.append(functions.handler(invocation("quick"))({}, None)))
        quick.start()
        quick.join(5)
        assert found == ["quick"]
    finally:
        go_on.set()
        slow.join()
