"""The parts that all handlers share: the entry point of a function, and the frame of a step."""

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
E = TypeVar("E", bound=Environment)
Handler = Callable[[dict[str, Any], object], Any]


def entry_point(environment_type: type[E], build: Callable[[E, boto3.Session], Handler]) -> Handler:
    """Return the Lambda handler. It reads its environment and builds its clients on the first call, never at import."""

    @cache
    def built() -> Handler:
        return build(environment_type.read(), boto3.Session())

    def handler(event: dict[str, Any], context: object) -> Any:
        return built()(event, context)

    return handler


def step_handler(step: Step, function: Callable[[Takes], Gives], logger: Logger) -> Handler:
    """Return a handler that parses the event into `step.takes`, calls the function and returns its result as JSON.

    It logs one line without contents, and raises TypeError where the result is no `step.gives`.
    """

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
