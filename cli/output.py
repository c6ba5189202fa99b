"""Prints results: tables for people, JSON for machines, progress and errors on standard error."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from triage.pages import harmless as harmless


class _Screen(Console):
    """A console that shows ids, labels and paths as they are, without markup or control characters."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(harmless(each) if isinstance(each, str) else each for each in objects), **options)


out = _Screen(markup=False, highlight=False)
err = _Screen(stderr=True, markup=False, highlight=False)


def print_json(value: Any) -> None:
    # Rich would wrap and colour the lines, which another program reads.
    print(harmless(json.dumps(value, default=_plain, ensure_ascii=False, indent=2)))


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(Text("" if cell is None else harmless(str(cell))) for cell in row))
    # A pipe has no width. The 80 columns that rich assumes would cut the table.
    wide = out if out.is_terminal else _Screen(width=220, markup=False)
    wide.print(table)


def progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=err
    )


def _plain(value: Any) -> Any:
    # Imported here, because `triage --help` prints no JSON and need not wait for it.
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
