"""Options that many commands share."""

import getpass
import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from local.state import DEFAULT_STATE

Environment = Annotated[
    Literal["local", "dev", "prod"], typer.Option("--env", help="Which deployment; local is the embedded AWS.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]
State = Annotated[
    Path, typer.Option("--state", envvar="TRIAGE_STATE", help="Folder of the embedded AWS.", show_default=False)
]
DEFAULT = DEFAULT_STATE
BreakGlass = Annotated[
    bool, typer.Option("--break-glass", help="Do it without a second person; the ledger says so, with your reason.")
]


def operator() -> str:
    """Who changes something, for the record."""
    return os.environ.get("TRIAGE_OPERATOR") or getpass.getuser()
