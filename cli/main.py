"""The `triage` command: which commands it has, and what it prints when one of them fails.

A command's module is imported when that command runs, so that `triage --help` imports none of them.
"""

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import typer
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from cli.environments import EnvironmentBeforeCommand
from cli.errors import CommandError, NotFoundError, WrongUsageError
from cli.output import err, harmless


@dataclass(frozen=True)
class Entry:
    """A line of the list of commands.

    modules: in `cli.commands`. A single command is a function named like the command; a group is the `app` of each.
    """

    panel: str
    help: str
    modules: tuple[str, ...]
    is_group: bool = False


ENVIRONMENT, COMPLAINTS, MODELS = "Environment", "Complaints", "Models"
ENTRIES = {
    "demo": Entry(ENVIRONMENT, "Start everything, train three models and triage complaints.", ("demo",)),
    "preflight": Entry(ENVIRONMENT, "Say what will stop a deployment, before anything is changed.", ("preflight",)),
    "cost": Entry(ENVIRONMENT, "Say what a deployment costs a month.", ("cost",)),
    "up": Entry(ENVIRONMENT, "Start the embedded AWS and Hub, and deploy what changed.", ("environment",)),
    "status": Entry(ENVIRONMENT, "Show servers, models and the latest complaints.", ("environment",)),
    "smoke": Entry(ENVIRONMENT, "Check a whole deployment with synthetic complaints.", ("smoke",)),
    "down": Entry(ENVIRONMENT, "Stop the embedded AWS and Hub; keep their data.", ("environment",)),
    "submit": Entry(COMPLAINTS, "Submit complaints from a file.", ("submit",)),
    "show": Entry(COMPLAINTS, "Show everything that happened to a complaint.", ("show",)),
    "feedback": Entry(COMPLAINTS, "Confirm or correct an allocation.", ("feedback",)),
    "explain": Entry(COMPLAINTS, "Show which sentences led to a decision.", ("explain",)),
    "replay": Entry(COMPLAINTS, "Repeat a complaint's predictions and compare them.", ("replay",)),
    "verify": Entry(COMPLAINTS, "Check that no record was changed afterwards.", ("verify",)),
    "quality": Entry(COMPLAINTS, "Estimate how good decisions are.", ("quality",)),
    "hold": Entry(COMPLAINTS, "Protect a complaint from erasure, or lift that protection.", ("hold",)),
    "erase": Entry(COMPLAINTS, "Erase a complaint's text.", ("erase",)),
    "parked": Entry(COMPLAINTS, "List and retry complaints that could not be allocated.", ("parked",), is_group=True),
    "undelivered": Entry(ENVIRONMENT, "List and deliver again what AWS gave up on.", ("undelivered",), is_group=True),
    "train": Entry(MODELS, "Train the models of a recipe.", ("train",)),
    "evaluate": Entry(MODELS, "Measure a model on labelled complaints.", ("evaluate",)),
    "publish": Entry(MODELS, "Publish a model to the Hub.", ("publish",)),
    "models": Entry(MODELS, "Register models of the Hub, activate and retire them.", ("models",), is_group=True),
    "strategy": Entry(
        MODELS,
        "Decide which models share a task, and compare them.",
        ("strategy", "promotion", "evidence", "simulate"),
        is_group=True,
    ),
    "dataset": Entry(MODELS, "Publish labelled complaints to the Hub.", ("dataset",), is_group=True),
}


class LazyCommand(TyperCommand):
    """A command of which only name and short help are known until it is called."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name, short_help=entry.help, rich_help_panel=entry.panel)
        self.entry = entry

    def load(self) -> TyperCommand | TyperGroup:
        """Import the command's modules and return the command itself."""
        app, name = typer.Typer(add_completion=False), str(self.name)
        modules = [import_module(f"cli.commands.{module}") for module in self.entry.modules]
        if self.entry.is_group:
            group = typer.Typer(no_args_is_help=True, help=self.entry.help)
            for module in modules:
                group.add_typer(module.app)
            app.add_typer(group, name=name)
        else:
            app.command(name)(getattr(modules[0], name))
            # With a single command, typer makes no group, so the command cannot be looked up by its name.
            app.callback()(lambda: None)
        return cast("TyperCommand | TyperGroup", cast(TyperGroup, typer.main.get_command(app)).commands[name])

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        command = self.load()
        before = parent.params.get("env") if parent else None
        if before not in {None, "local"} and not _takes_environment(command):
            raise WrongUsageError(f"`triage {self.name}` runs on this machine alone: leave out --env {before}")
        _refuse_repeated(command, args)
        return command.make_context(info_name, args, parent, **extra)


def _refuse_repeated(command: TyperCommand | TyperGroup, args: list[str]) -> None:
    """Refuse an option that is given twice and takes one value, of which the parser would keep the last alone.

    Raises: WrongUsageError.
    """
    while isinstance(command, TyperGroup):
        named = next((word for word in args if word in command.commands), None)
        if named is None:
            return
        args, command = args[args.index(named) + 1 :], cast("TyperCommand | TyperGroup", command.commands[named])
    single = {
        name: option.opts[0]
        for option in command.params
        if option.param_type_name == "option" and not option.multiple and not option.is_flag  # type: ignore[attr-defined]
        for name in option.opts
    }
    given = (word.partition("=")[0] for word in (args[: args.index("--")] if "--" in args else args))
    seen: set[str] = set()
    for option in (single[name] for name in given if name in single):
        if option in seen:
            raise WrongUsageError(f"{option} was given twice, and takes one value: give it once")
        seen.add(option)


def _takes_environment(command: TyperCommand | TyperGroup) -> bool:
    """Return whether the command has the option `--env`; every command of a group has it."""
    return isinstance(command, TyperGroup) or any(option.name == "env" for option in command.params)


class LazyGroup(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: LazyCommand(name, entry) for name, entry in ENTRIES.items()}


app = typer.Typer(
    cls=LazyGroup,
    name="triage",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 no deployment to talk to.",
)


@app.callback()
def triage(env: EnvironmentBeforeCommand = None) -> None:
    """Send each complaint to the team that owns it, on the embedded AWS or on a deployment in AWS."""


def run() -> None:
    try:
        app()
    except Exception as error:
        message, code = _explained(error)
        # Plain text without line breaks, because messages contain paths and ids.
        err.print(Text("error: ", style="bold red").append(harmless(message), style="not bold default"), soft_wrap=True)
        sys.exit(code)


def _explained(error: Exception) -> tuple[str, int]:
    """Return the message and the exit code of an expected error; raise any other again."""
    if isinstance(error, CommandError):
        return str(error), error.exit_code
    # Imported here, because a command that succeeds may need none of them.
    from botocore.exceptions import BotoCoreError, ClientError

    from local.state import LocalError
    from training.data.complaint_files import ExportError
    from triage.errors import TriageError, UnknownModelError

    if isinstance(error, UnknownModelError):
        return str(error), NotFoundError.exit_code
    if isinstance(error, LocalError | TriageError | ExportError):
        return str(error), 1
    if isinstance(error, BotoCoreError | ClientError):
        return f"AWS refused or did not answer: {error}", 1
    raise error
