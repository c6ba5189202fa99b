"""What an engine is, and which one a bundle needs."""

from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from triage.bundle import Engine as EngineName
from triage.bundle import Manifest


@dataclass(frozen=True)
class Scores:
    """Raw scores of one text, one for each label, and how many of its tokens the model saw."""

    logits: tuple[float, ...]
    tokens_seen: int
    tokens_total: int


class Engine(Protocol):
    """A loaded model."""

    def score(self, text: str) -> Scores:
        """Score a cleaned text of any length; what exceeds the model's length is cut off by tokens."""
        ...


class Reading(Protocol):
    """A text as an engine reads it, for whoever asks what would be said without a part of it."""

    @property
    def tokens(self) -> tuple[tuple[int, int], ...]:
        """Start and end, exclusive, of the characters that each token stands for; equal where it stands for none."""
        ...

    @property
    def mask(self) -> str:
        """The token that is put in the place of a hidden one."""
        ...

    def score_without(self, hidden: Collection[int]) -> tuple[float, ...]:
        """The logits with these tokens masked where they stand, so that no other token moves. Threads may share it."""
        ...


@runtime_checkable
class ReadingEngine(Protocol):
    """An engine whose answers can be explained."""

    def read(self, text: str) -> Reading:
        """Tokenize as `score` does: with nothing hidden, the logits are its own."""
        ...


class EngineModule(Protocol):
    def load(self, folder: Path, manifest: Manifest) -> Engine: ...


_MODULES: dict[EngineName, str] = {
    "onnx": "triage.inference.onnx_engine",
    "transformers": "triage.inference.transformers_engine",
}


def load_engine(folder: Path, manifest: Manifest) -> Engine:
    """Import the engine that the manifest names, only now: torch has no place in the ONNX package."""
    return cast(EngineModule, import_module(_MODULES[manifest.engine])).load(folder, manifest)
