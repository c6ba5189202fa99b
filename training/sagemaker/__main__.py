"""`python -m training.sagemaker`: `train` in the container, `run` on this machine, `request` for the job."""

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from training.sagemaker.contract import FAILURE, MODEL, ROOT, ContractError
from triage.validation import problems

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def train(
    root: Annotated[Path, typer.Option(help="Folder to use instead of SageMaker's, for a local run.")] = ROOT,
) -> None:
    """Train with SageMaker's folders and hyperparameters; this is the container's command."""
    from training.sagemaker.entry import train as train_in_container

    sys.exit(train_in_container(os.environ, root=root))


@app.command()
def run(
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The export to train on.")],
    recipe: Annotated[str, typer.Option(help="Name of a recipe in training/configs.")],
    root: Annotated[Path, typer.Option(help="Folder to use instead of /opt/ml.")],
    override: Annotated[
        list[str] | None, typer.Option("--set", help="A hyperparameter, name=value; may be repeated.")
    ] = None,
) -> None:
    """Make SageMaker's folders below ROOT and run the container's command on them."""
    from training.sagemaker import local

    pairs = dict(_pair(text) for text in override or [])
    try:
        local.lay_out(root.resolve(), export=data, hyperparameters={"recipe": recipe, **pairs})
    except ContractError as error:
        sys.exit(f"error: {error}")
    if code := local.run(root.resolve()):
        print(f"The run failed. The reason is in {root / FAILURE}.", file=sys.stderr)
        sys.exit(code)
    print(f"The bundle is in {root / MODEL}.")


@app.command()
def request(
    job: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file like training/sagemaker/job.toml.")],
    recipe: Annotated[str | None, typer.Option(help="Recipe to use instead of the file's.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Name to use instead of the file's; each job needs a new name.")
    ] = None,
) -> None:
    """Print the request of a job as JSON, for `aws sagemaker create-training-job --cli-input-json`."""
    from training.sagemaker.request import TrainingJob

    replaced = {key: value for key, value in {"recipe": recipe, "name": name}.items() if value is not None}
    try:
        settings = {**tomllib.loads(job.read_text(encoding="utf-8")), **replaced}
        print(json.dumps(TrainingJob.model_validate(settings).request(), indent=2))
    except ValidationError as error:
        sys.exit(f"error: {job} is not a valid job: {problems(error, 'job')}")
    except (ContractError, ValueError) as error:
        sys.exit(f"error: {error}")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} has no equals sign: write name=value")
    return name, value


if __name__ == "__main__":
    app()
