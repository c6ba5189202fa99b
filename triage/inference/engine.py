"""What an engine is, and which one a bundle needs."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

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


class EngineModule(Protocol):
    def load(self, folder: Path, manifest: Manifest) -> Engine: ...


_MODULES: dict[EngineName, str] = {
    "onnx": "triage.inference.onnx_engine",
    "transformers": "triage.inference.transformers_engine",
}


def load_engine(folder: Path, manifest: Manifest) -> Engine:
    """Import the engine that the manifest names, only now: torch has no place in the ONNX package."""
    return cast(EngineModule, import_module(_MODULES[manifest.engine])).load(folder, manifest)
