"""What every function shares: built on its first call from its typed environment, and silent about its input."""

import time
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar, cast

import boto3
from aws_lambda_powertools import Logger

from triage.contracts import Contract
from triage.functions import Environment, Step

Takes = TypeVar("Takes", bound=Contract)
Gives = TypeVar("Gives", bound=Contract)
Told = TypeVar("Told", bound=Environment)
Handler = Callable[[dict[str, Any], object], Any]


def entry_point(told: type[Told], build: Callable[[Told, boto3.Session], Handler]) -> Handler:
    """The Lambda handler: reads the environment and builds its clients on the first call, never at import."""

    @cache
    def built() -> Handler:
        return build(told.read(), boto3.Session())

    def handler(event: dict[str, Any], context: object) -> Any:
        return built()(event, context)

    return handler


def keeps(step: Step, function: Callable[[Takes], Gives], logger: Logger) -> Handler:
    """Parse the event into `step.takes`, refuse a result that is not a `step.gives`, and log one line without text."""

    @wraps(function)
    def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
        started = time.perf_counter()
        request = cast(Takes, step.takes.model_validate(event))
        result = function(request)
        if not isinstance(result, step.gives):
            raise TypeError(f"{step.name} gave {type(result).__name__}, not {step.gives.__name__}")
        milliseconds = round((time.perf_counter() - started) * 1000, 1)
        logger.info(
            "done", extra={"complaint_id": getattr(request, "complaint_id", None), "milliseconds": milliseconds}
        )
        return result.model_dump(mode="json")

    return handler
