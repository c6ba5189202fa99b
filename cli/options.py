"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

from cli.environments import Environment as Environment
from local.state import DEFAULT_STATE

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]
State = Annotated[
    Path, typer.Option("--state", envvar="TRIAGE_STATE", help="Folder of the embedded AWS.", show_default=False)
]
DEFAULT = DEFAULT_STATE
BreakGlass = Annotated[
    bool,
    typer.Option("--break-glass", help="Act without a second person. The ledger records this, with your reason."),
]
