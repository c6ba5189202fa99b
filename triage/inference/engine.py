"""The interface of engines, and the loading of the engine that a bundle needs."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from triage.bundle import Engine as EngineName
from triage.bundle import Manifest
from triage.errors import ModelFailedError, TriageError


@dataclass(frozen=True)
class Scores:
    """The raw scores of one text, one for each label, and how many of its tokens the model read.

    tokens_unknown: of those that it read, how many stand for words that its vocabulary does not have.
    """

    logits: tuple[float, ...]
    tokens_seen: int
    tokens_total: int
    tokens_unknown: int = 0


class Engine(Protocol):
    def score(self, text: str) -> Scores:
        """Score a cleaned text of any length. Tokens beyond the model's length are cut off."""
        ...


class Reading(Protocol):
    """A text as an engine reads it, which can be scored with tokens hidden."""

    @property
    def tokens(self) -> tuple[tuple[int, int], ...]:
        """Start and exclusive end of the characters of each token; both are equal for a token without characters."""
        ...

    @property
    def mask(self) -> str:
        """The token that replaces a hidden one."""
        ...

    def score_without(self, hidden: Collection[int]) -> tuple[float, ...]:
        """Return the logits with these tokens masked in place, so that no other token moves. Threads may call it."""
        ...


@runtime_checkable
class ReadingEngine(Protocol):
    """An engine whose answers can be explained."""

    def read(self, text: str) -> Reading:
        """Tokenize as `score` does: with no token hidden, both give the same logits."""
        ...


class EngineModule(Protocol):
    def load(self, folder: Path, manifest: Manifest) -> Engine: ...


_MODULES: dict[EngineName, str] = {
    "onnx": "triage.inference.onnx_engine",
    "transformers": "triage.inference.transformers_engine",
}


@contextmanager
def foreign(doing: str = "") -> Iterator[None]:
    """Turn whatever the files of a foreign model make a library raise into a ModelFailedError, which is not retried.

    Also what is no Exception: the libraries written in Rust raise a BaseException of their own where they panic. The
    message has the name of the class alone, because a library's message may quote the text.
    """
    try:
        yield
    except (TriageError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise ModelFailedError(f"{doing or 'the model'} raised {type(error).__name__}") from None


def load_engine(folder: Path, manifest: Manifest) -> Engine:
    """Load the engine that the manifest names. It is imported here, because the ONNX package has no torch."""
    return cast(EngineModule, import_module(_MODULES[manifest.engine])).load(folder, manifest)
