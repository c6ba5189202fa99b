"""Has a mirrored model tried on letters, by the function of its engine."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from triage.bundle import Engine
from triage.errors import KILLED, BundleUnavailableError, BundleUnfitError, TransientError
from triage.steps import ModelReference, Trial

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

ANSWERS_WITHIN: Final = 180
"""Seconds: the time of the function, and that of a cold start with its image."""

_ALL: tuple[type[TransientError], ...] = (TransientError, *TransientError.__subclasses__())
_TRANSIENT: Final = {error.__name__ for error in _ALL}


class Trials:
    """functions: the name of the function that runs each engine. client: one that waits for ANSWERS_WITHIN."""

    def __init__(self, client: "LambdaClient", functions: Mapping[Engine, str]) -> None:
        self._client = client
        self._functions = functions

    def try_out(self, model: ModelReference) -> None:
        """Wait until the model was tried.

        Raises:
            BundleUnfitError: it does not read letters, or does not answer as its labels say.
            BundleUnavailableError: it could not be tried; another try may succeed.
        """
        payload = Trial(model=model).model_dump_json().encode()
        try:
            answer = self._client.invoke(FunctionName=self._functions[model.engine], Payload=payload)
            document = json.loads(answer["Payload"].read())
        except (BotoCoreError, ClientError) as error:
            raise BundleUnavailableError(
                f"the model could not be tried: {type(error).__name__}; register the model again for another try"
            ) from error
        if "FunctionError" in answer:
            _refuse(document if isinstance(document, dict) else {})


def _refuse(failure: Mapping[str, object]) -> None:
    name, message = str(failure.get("errorType")), str(failure.get("errorMessage"))
    if name in _TRANSIENT:
        raise BundleUnavailableError(f"the model could not be tried: {message}; register the model again")
    if name in KILLED or "Task timed out" in message:
        raise BundleUnfitError(
            "loading it and reading letters needs more memory or time than its functions have; register a smaller model"
        )
    raise BundleUnfitError(f"tried on letters, it fails: {message}")
