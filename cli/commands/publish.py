from pathlib import Path
from typing import Annotated

import httpx2
import typer
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from cli import options
from cli.aws.deployment import hub_endpoint, hub_token
from cli.errors import CommandError, NotFoundError
from cli.output import err, out, print_json


def publish(
    folder: Annotated[
        Path, typer.Argument(file_okay=False, help="The folder of a bundle, as `triage train` writes it.")
    ],
    model_id: Annotated[str, typer.Argument(help="Repository on the Hub, organisation/name.")],
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Publish a bundle on the Hub and print the command that registers it. An unchanged bundle makes no new commit."""
    endpoint = hub_endpoint(env, state)
    # Imported here, because it takes a second and no other command should wait for it.
    from training.bundle import publish as hub
    from triage.bundle import MANIFEST_FILE, describe

    if not (folder / MANIFEST_FILE).is_file():
        raise NotFoundError(
            f"{folder} is not a bundle, because it has no {MANIFEST_FILE}: give a folder that `triage train` wrote"
        )
    manifest = describe(folder)
    try:
        with err.status(f"Publishing {model_id}"):
            revision = hub.publish(folder, model_id=model_id, endpoint=endpoint, token=hub_token(env, state))
    except (HfHubHTTPError, HFValidationError, httpx2.HTTPError) as error:
        raise CommandError(f"the Hub refused {model_id}, or did not answer: {error}") from error
    line = f"triage models register {model_id} --revision {revision} --task {manifest.task} --activate"
    if as_json:
        print_json({"model_id": model_id, "revision": revision, "task": manifest.task, "register": line})
    else:
        out.print(line, soft_wrap=True)
