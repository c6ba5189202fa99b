"""Digests of the texts that a model was made from. They let an evaluation warn if it uses the same texts.

They do not protect the texts: whoever has a whole text as the model reads it can check whether it was among them.
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
"""Bytes of each sha256 that are kept: with 20,000 texts, one in 200,000 other texts is mistaken for one of them."""

TENSOR = "digests"


def digests_of(texts: Iterable[str]) -> Digests:
    """Return the digest of each text, in their order. texts: as the model reads them."""
    return np.frombuffer(b"".join(hashlib.sha256(text.encode()).digest()[:BYTES] for text in texts), dtype=np.uint32)


def save_seen(texts: Iterable[str], bundle: Path) -> None:
    """Write the digests to the bundle, sorted, so that the order of the texts is not stored."""
    save_file({TENSOR: np.unique(digests_of(texts))}, bundle / SEEN_FILE)


def load_seen(bundle: Path) -> Digests | None:
    """Read the digests of a bundle, None if it has none. Raises: BundleCorruptError."""
    path = bundle / SEEN_FILE
    if not path.is_file():
        return None
    try:
        return load_file(path)[TENSOR]
    except (SafetensorError, KeyError) as error:
        raise BundleCorruptError(f"{path.name} contains no digests") from error


def is_seen(texts: Iterable[str], seen: Digests) -> npt.NDArray[np.bool_]:
    """Return for each text whether its digest is among `seen`."""
    return np.isin(digests_of(texts), seen)
