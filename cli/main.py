"""The command line as a whole, and what becomes of errors."""

import sys

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.text import Text

from cli.commands import dataset, evidence, models, parked, promotion, simulate, strategy
from cli.commands.demo import demo
from cli.commands.environment import down, status, up
from cli.commands.erase import erase
from cli.commands.evaluate import evaluate
from cli.commands.explain import explain
from cli.commands.feedback import feedback
from cli.commands.hold import hold
from cli.commands.publish import publish
from cli.commands.replay import replay
from cli.commands.show import show
from cli.commands.submit import submit
from cli.commands.train import train
from cli.commands.verify import verify
from cli.errors import CommandError, NotFoundError
from cli.output import err, harmless
from local.state import LocalError
from training.data.complaint_files import ExportError
from triage.errors import TriageError, UnknownModelError

app = typer.Typer(
    name="triage",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Operate complaints triage: an environment, its models, and complaints.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 no deployment to talk to.",
)
operating = (up, down, status, demo, submit, feedback)
asking = (show, replay, verify, explain, hold, erase)
teaching = (train, evaluate, publish)
for command in (*operating, *asking, *teaching):
    app.command()(command)
app.add_typer(models.app, name="models")
strategy.app.add_typer(promotion.app)
strategy.app.add_typer(evidence.app)
strategy.app.add_typer(simulate.app)
app.add_typer(strategy.app, name="strategy")
app.add_typer(parked.app, name="parked")
app.add_typer(dataset.app, name="dataset")


def run() -> None:
    try:
        app()
    except CommandError as error:
        _fail(str(error), error.exit_code)
    except UnknownModelError as error:
        _fail(str(error), NotFoundError.exit_code)
    except (LocalError, TriageError, ExportError) as error:
        _fail(str(error), 1)
    except (BotoCoreError, ClientError) as error:
        _fail(f"AWS refused or did not answer: {error}", 1)


def _fail(message: str, code: int) -> None:
    # Not as markup, and not folded: messages hold paths and ids as they are.
    err.print(Text("error: ", style="bold red").append(harmless(message), style="not bold default"), soft_wrap=True)
    sys.exit(code)
