"""The environments that `--env` names, and the option itself, which stands before or behind the command."""

from typing import Annotated, Literal

import typer

from cli.errors import WrongUsageError

EnvironmentName = Literal["local", "dev", "prod"]

HELP = "Which deployment; local is the embedded AWS."


def _one_environment(context: typer.Context, behind: EnvironmentName) -> EnvironmentName:
    """Return the environment of `triage --env NAME COMMAND` or of `triage COMMAND --env NAME`.

    Raises: WrongUsageError where both are given and differ.
    """
    before: EnvironmentName | None = context.find_root().params.get("env")
    if before is None:
        return behind
    source = context.get_parameter_source("env")
    if source is not None and source.name == "COMMANDLINE" and behind != before:
        raise WrongUsageError(
            f"the command line names two environments, {before} before the command and {behind} behind it. "
            "A command works on one environment: give --env once"
        )
    return before


Environment = Annotated[EnvironmentName, typer.Option("--env", callback=_one_environment, help=HELP)]

EnvironmentBeforeCommand = Annotated[
    EnvironmentName | None, typer.Option("--env", help=HELP + " May also stand behind the command.", show_default=False)
]
