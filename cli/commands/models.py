import time
from collections.abc import Callable
from typing import Annotated

import typer

from cli import options
from cli.aws.deployment import find
from cli.errors import CommandError
from cli.output import err, out, print_json
from cli.tables import models_table
from runtime.adapters.registry import Registry
from triage.strategies.registry import ModelInfo

app = typer.Typer(no_args_is_help=True, help="Register models from the Hub, and decide which ones take part.")

ModelId = Annotated[str, typer.Argument(help="Repository on the Hub: organisation/name.")]
Revision = Annotated[str, typer.Option(help="Commit sha, 40 characters; branches and tags are refused, as they move.")]
MIRROR_SECONDS = 600.0


@app.command("list")
def list_(
    env: options.Environment = "local", as_json: options.AsJson = False, state: options.State = options.DEFAULT
) -> None:
    """List every registered model version."""
    models = find(env, state=state).registry.models()
    print_json(models) if as_json else models_table(models)


@app.command()
def register(
    model_id: ModelId,
    revision: Revision,
    task: Annotated[str, typer.Option(help="What the model decides: product, issue, vulnerable, or a further task.")],
    activate: Annotated[bool, typer.Option("--activate", help="Use the model from the next complaint on.")] = False,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Register a model from the Hub. Its bundle is fetched by commit sha, verified and mirrored."""
    deployment = find(env, state=state)
    registry = deployment.registry
    registry.register(model_id, revision, task=task, by=deployment.operator)
    with err.status(f"Mirroring {model_id}@{revision[:12]}"):
        model = wait_until_mirrored(registry, model_id, revision)
    if activate:
        registry.activate(model_id, revision, by=deployment.operator)
        model = registry.get(model_id, revision)
    _report(model, as_json)


def _changing(name: str, summary: str, change: Callable[..., None]) -> None:
    """Add a command that changes the state of a registered model."""

    def command(
        model_id: ModelId,
        revision: Revision,
        env: options.Environment = "local",
        as_json: options.AsJson = False,
        state: options.State = options.DEFAULT,
    ) -> None:
        deployment = find(env, state=state)
        registry = deployment.registry
        change(registry, model_id, revision, by=deployment.operator)
        _report(registry.get(model_id, revision), as_json)

    app.command(name, help=summary)(command)


_changing("activate", "Let a mirrored model take part from the next complaint on.", Registry.activate)
_changing("retire", "Take a model out of triage. Its bundle stays, for replay.", Registry.retire)


def wait_until_mirrored(registry: Registry, model_id: str, revision: str) -> ModelInfo:
    """Return the model once it is mirrored.

    Raises: CommandError if mirroring failed, with the reason, or takes too long.
    """
    deadline = time.monotonic() + MIRROR_SECONDS
    while time.monotonic() < deadline:
        model = registry.get(model_id, revision)
        if model.bundle is not None:
            return model
        if model.failure is not None:
            raise CommandError(f"{model_id} was not mirrored: {model.failure}")
        time.sleep(0.2)
    raise CommandError(f"{model_id} was not mirrored within {MIRROR_SECONDS:g} s; read the log of the mirror function")


def _report(model: ModelInfo, as_json: bool) -> None:
    if as_json:
        print_json(model)
    else:
        out.print(f"{model.model_id}@{model.revision} is {model.state} for {model.task}")
