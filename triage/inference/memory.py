"""How much memory an engine needs for a bundle, and so how large a bundle a function takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from triage.bundle import Engine


@dataclass(frozen=True)
class Need:
    """Megabytes: `libraries` for the interpreter, its imports and one text, and `factor` for each megabyte of files."""

    libraries: int
    factor: float

    def megabytes(self, files: float) -> float:
        return self.libraries + self.factor * files

    def largest(self, memory: float) -> int:
        """Return the megabytes of files that fit into this much memory."""
        return int((memory - self.libraries) / self.factor)


NEEDS: Final[Mapping[Engine, Need]] = {
    "onnx": Need(libraries=200, factor=2.5),
    "transformers": Need(libraries=500, factor=1.5),
}
"""Rounded up from `python -m benchmarks.memory`. ONNX with int8 weights needs the most: 412 MB for a file of 110 MB and
200 MB for 23 MB; float32 694 MB for 438 MB. transformers: 814 MB for 438 MB, and 458 MB for 45 MB of float16."""
