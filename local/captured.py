"""What one thread prints, apart from what the others print."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Self, TextIO

_Lines = ContextVar[list[str] | None]


class Capture:
    """Takes the place of stdout and stderr; a logger that is made afterwards writes into it."""

    def __init__(self) -> None:
        self._lines: _Lines = ContextVar("lines", default=None)

    def install(self) -> Self:
        sys.stdout, sys.stderr = self._stream(sys.stdout), self._stream(sys.stderr)
        return self

    @contextmanager
    def lines(self) -> Iterator[list[str]]:
        """Collect what this thread prints inside the block."""
        printed: list[str] = []
        token = self._lines.set(printed)
        try:
            yield printed
        finally:
            self._lines.reset(token)

    def _stream(self, beneath: TextIO) -> TextIO:
        return _Stream(beneath, self._lines)  # type: ignore[return-value]  # has what print and logging use


class _Stream:
    def __init__(self, beneath: TextIO, lines: _Lines) -> None:
        self._beneath = beneath
        self._lines = lines

    def write(self, text: str) -> int:
        printed = self._lines.get()
        if printed is None:
            return self._beneath.write(text)
        printed.append(text)
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._beneath, name)
