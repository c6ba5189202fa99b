"""The errors of the domain. `Retry` and `Catch` of the state machines match their names.

TriageError
├── TransientError                the same call may succeed later: retried with jitter
│   ├── BundleUnavailableError    the bundle store, or the Hub, did not answer
│   └── NotServedError            after a change, the strategy that was written is not in force
├── BundleRefusedError            the files are not the registered ones, or may not be loaded
│   ├── BundleCorruptError        a hash or size differs from the manifest
│   ├── BundleTooLargeError       more files than the Hub's client may fetch, or than fit into a function's memory
│   ├── BundleUnfitError          the model does not read letters, or does not answer as its labels say
│   └── BundleUnsafeError         code, pickles, or no safetensors or ONNX weights
├── ComplaintMissingError         no such item in `raw_complaints`: there is nothing to allocate
├── FeedbackRefusedError          the feedback names an unknown label, or is not about the current allocation
├── HeldError                     a legal hold keeps what should be erased
├── HoldRefusedError              there is no hold to lift, or no complaint to hold
├── ModelFailedError              the model raised an error, or gave no probabilities over its labels
├── NothingToExplainError         no model decided the task, or its model cannot be asked with parts of a text hidden
├── RegistryError                 `model_info` refuses: not mirrored, or in the wrong state
│   └── UnknownModelError         no such row
├── StillTriagedError             a complaint cannot be erased while it is triaged
├── StrategyRefusedError          the strategy names unknown models, or somebody else changed it meanwhile
├── TextChangedError              the complaint's text or its redaction changed after it was judged or explained
├── UnknownNameError              the crosswalk does not map a name of an export
└── UnknownProductError           the taxonomy does not list the product
"""

from typing import Final


class TriageError(Exception):
    """The base of all. No message holds any part of a narrative."""


class TransientError(TriageError):
    pass


class BundleUnavailableError(TransientError):
    pass


class NotServedError(TransientError):
    """Indexes and scans show a change a moment late, so it is an error only if it persists."""


class BundleRefusedError(TriageError):
    pass


class BundleCorruptError(BundleRefusedError):
    pass


class BundleTooLargeError(BundleRefusedError):
    pass


class BundleUnfitError(BundleRefusedError):
    pass


class BundleUnsafeError(BundleRefusedError):
    pass


class ComplaintMissingError(TriageError):
    pass


class FeedbackRefusedError(TriageError):
    pass


class HeldError(TriageError):
    pass


class HoldRefusedError(TriageError):
    pass


class ModelFailedError(TriageError):
    pass


class NothingToExplainError(TriageError):
    pass


class RegistryError(TriageError):
    pass


class UnknownModelError(RegistryError):
    pass


class StillTriagedError(TriageError):
    pass


class StrategyRefusedError(TriageError):
    pass


class TextChangedError(TriageError):
    pass


LONGEST_NAME = 150
"""Characters. No name of a form is longer, so a longer text is not shown."""


class UnknownNameError(TriageError, LookupError):
    """A name that no form since 2011 has in this field. The message names field, value and nearest known name."""

    def __init__(self, field: str, value: str, *, nearest: str, under: str | None = None) -> None:
        place = f" under {under!r}" if under else ""
        if len(value) > LONGEST_NAME:
            # Where columns are shifted, it is a narrative.
            message = f"a text of {len(value):,} characters is no {field}{place}"
        else:
            message = f"{field} {value!r} is unknown{place}; the nearest known name is {nearest!r}"
        super().__init__(message)
        self.field = field
        self.value = value


class UnknownProductError(TriageError, LookupError):
    """The taxonomy does not list the product. Its name may be misspelled, or be of an older form or another bank."""


THROTTLED: Final = "Lambda.TooManyRequestsException"
"""How Step Functions names an invocation that AWS refused, because too many ran. The function was not asked."""

KILLED: Final = ("Sandbox.Timedout", "Runtime.ExitError", "Lambda.Unknown")
"""How it names a function that was ended because its time or memory ran out. Lambda does not always say which:
https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html"""

CONTRACT_ERROR = "ValidationError"
"""Raised by pydantic where a payload, a record or an environment breaks its contract."""


def permanent() -> tuple[str, ...]:
    """Return the names of the errors for which a retry is useless: all but TransientError and those below it."""
    ours = {error for error in globals().values() if isinstance(error, type) and issubclass(error, TriageError)}
    transient = {error for error in ours if issubclass(error, TransientError)}
    return tuple(sorted({error.__name__ for error in ours - transient - {TriageError}} | {CONTRACT_ERROR}))
