"""Which texts a model was made from: digests in its bundle, so that nobody measures it on them unawares.

Whoever has a whole text as the model reads it, or guesses a short one, can tell whether it was among them.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from triage.bundle import SEEN_FILE
from triage.errors import BundleCorruptError

Digests: TypeAlias = npt.NDArray[np.uint32]

BYTES = 4
"""Of each sha256: of 20,000 texts one in 200,000 others is taken for one of them."""

TENSOR = "digests"


def digests_of(texts: Iterable[str]) -> Digests:
    """One of each text, in their order. texts: as the model reads them."""
    return np.frombuffer(b"".join(hashlib.sha256(text.encode()).digest()[:BYTES] for text in texts), dtype=np.uint32)


def save_seen(texts: Iterable[str], bundle: Path) -> None:
    """Write them into its folder, in ascending order, which says nothing of the order of the texts."""
    save_file({TENSOR: np.unique(digests_of(texts))}, bundle / SEEN_FILE)


def load_seen(bundle: Path) -> Digests | None:
    """Of a bundle's folder; None where it does not say what it was made from. Raises: BundleCorruptError."""
    path = bundle / SEEN_FILE
    if not path.is_file():
        return None
    try:
        return load_file(path)[TENSOR]
    except (SafetensorError, KeyError) as error:
        raise BundleCorruptError(f"{path.name} holds no digests") from error


def is_seen(texts: Iterable[str], seen: Digests) -> npt.NDArray[np.bool_]:
    """Of each text whether it is among those that were digested."""
    return np.isin(digests_of(texts), seen)
