"""Writes what people read so that it hides nothing, and so that other users of the machine cannot read it."""

import os
import stat
from pathlib import Path
from typing import Final

DIRECTIONS: Final = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Characters that change the direction of text, by which a text can look like another."""

CONTROLS: Final = {
    place: f"\\u{place:04x}" for place in (*range(0x20), *range(0x7F, 0xA0), *DIRECTIONS) if chr(place) not in "\n\t"
}
"""Characters that move the cursor, set colours or reverse text. Values from outside may hold them: they are escaped."""


def harmless(text: str) -> str:
    """Return the text with its control characters as escapes.

    >>> print(harmless("a\\x1b[2Jb"))
    a\\u001b[2Jb
    """
    return text.translate(CONTROLS)


def write_page(path: Path, content: str | bytes) -> None:
    """Write a page or picture that only its owner can read, also where the file exists. Text is made harmless."""
    encoded = harmless(content).encode() if isinstance(content, str) else content
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        # A device such as /dev/stdout keeps its mode.
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)
        file.write(encoded)
