"""What can go wrong, as names that `Retry` and `Catch` can match.

TriageError
├── TransientError                the same call may succeed later: retried with jitter
│   └── BundleUnavailableError    the bundle store, or the Hub, did not answer
├── BundleRefusedError            the files are not those that were registered, or may not be loaded
│   ├── BundleCorruptError        a hash or size differs from the manifest
│   └── BundleUnsafeError         code, pickles, or no safetensors or ONNX weights
├── ComplaintMissingError         no such item in `raw_complaints`: there is nothing to allocate
├── ModelFailedError              the model raised, or returned what is no distribution over its labels
├── RegistryError                 `model_info` refuses: unknown, not mirrored, in the wrong state
├── StrategyRefusedError          a strategy that names unknown models, or that somebody else changed
└── UnknownProductError           a product that is not in the taxonomy (in `triage.taxonomy`)
"""


class TriageError(Exception):
    """Base of all. Messages never carry a narrative."""


CONTRACT_ERROR = "ValidationError"
"""What pydantic raises where a payload, a record or an environment is not what its contract says."""


def permanent() -> tuple[str, ...]:
    """Names of the errors that another try cannot mend: all but those below TransientError."""
    ours = {error.__name__ for error in _below(TriageError) if not issubclass(error, TransientError)}
    return tuple(sorted(ours | {CONTRACT_ERROR}))


def _below(error: type[TriageError]) -> set[type[TriageError]]:
    return {error, *(name for child in error.__subclasses__() for name in _below(child))} - {TriageError}


class TransientError(TriageError):
    pass


class BundleUnavailableError(TransientError):
    pass


class BundleRefusedError(TriageError):
    pass


class BundleCorruptError(BundleRefusedError):
    pass


class BundleUnsafeError(BundleRefusedError):
    pass


class ComplaintMissingError(TriageError):
    pass


class ModelFailedError(TriageError):
    pass


class RegistryError(TriageError):
    pass


class StrategyRefusedError(TriageError):
    pass
