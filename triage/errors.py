"""What can go wrong, as names that `Retry` and `Catch` can match.

TriageError
├── TransientError                the same call may succeed later: retried with jitter
│   ├── BundleUnavailableError    the bundle store, or the Hub, did not answer
│   └── NotServedError            after a change, another strategy is in force than the one that was written
├── BundleRefusedError            the files are not those that were registered, or may not be loaded
│   ├── BundleCorruptError        a hash or size differs from the manifest
│   └── BundleUnsafeError         code, pickles, or no safetensors or ONNX weights
├── ComplaintMissingError         no such item in `raw_complaints`: there is nothing to allocate
├── FeedbackRefusedError          names no label of the taxonomy, or is not about the current allocation
├── HeldError                     a legal hold keeps what was to be erased
├── HoldRefusedError              there is no hold to lift, or no complaint to hold
├── ModelFailedError              the model raised, or returned what is no distribution over its labels
├── NothingToExplainError         no model decided that, or what decided cannot be asked without a part of the text
├── RegistryError                 `model_info` refuses: not mirrored, or in the wrong state
│   └── UnknownModelError         no such row
├── StillTriagedError             what is being triaged cannot be erased yet
├── StrategyRefusedError          a strategy that names unknown models, or that somebody else changed
├── TextChangedError              a complaint, or its redaction, is not what was explained
├── UnknownNameError              a name in an export that the crosswalk does not map
└── UnknownProductError           a product that is not in the taxonomy
"""


class TriageError(Exception):
    """Base of all. Messages never carry a narrative."""


class TransientError(TriageError):
    pass


class BundleUnavailableError(TransientError):
    pass


class NotServedError(TransientError):
    """Indexes and scans show a change a moment late; only what stays so is wrong."""


class BundleRefusedError(TriageError):
    pass


class BundleCorruptError(BundleRefusedError):
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
"""Characters. No name of a form is longer; what is longer is not repeated."""


class UnknownNameError(TriageError, LookupError):
    """A name that no form since 2011 had at this place: the field, the value and the nearest known name."""

    def __init__(self, field: str, value: str, *, nearest: str, under: str | None = None) -> None:
        place = f" under {under!r}" if under else ""
        if len(value) > LONGEST_NAME:
            # In a file whose columns are shifted it is a narrative.
            said = f"a text of {len(value):,} characters is no {field}{place}"
        else:
            said = f"{field} {value!r} is unknown{place}; the nearest known name is {nearest!r}"
        super().__init__(said)
        self.field = field
        self.value = value


class UnknownProductError(TriageError, LookupError):
    """An older form's name, another bank's, or a slip."""


CONTRACT_ERROR = "ValidationError"
"""What pydantic raises where a payload, a record or an environment is not what its contract says."""


def permanent() -> tuple[str, ...]:
    """Names of the errors that another try cannot mend: all of this module but those below TransientError."""
    ours = {error for error in globals().values() if isinstance(error, type) and issubclass(error, TriageError)}
    mendable = {error for error in ours if issubclass(error, TransientError)}
    return tuple(sorted({error.__name__ for error in ours - mendable - {TriageError}} | {CONTRACT_ERROR}))
