"""`triage up`, `triage down` and `triage status`."""

from typing import Annotated, Any

import typer

from cli import options
from cli.aws.deployment import Deployment, find
from cli.output import err, out, print_json, print_table
from cli.tables import models_table
from local import up as embedded
from triage.allocation import MANUAL_TEAM
from triage.taxonomy import load_taxonomy

LATEST = 10


def up(state: options.State = options.DEFAULT) -> None:
    """Start the embedded AWS and Hub, and deploy what changed. Returns when everything answers."""
    embedded.up(state, on_progress=lambda line: err.print(line, soft_wrap=True))
    out.print("Up. Submit complaints with `triage submit FILE --wait`; stop with `triage down`.")


def down(
    wipe: Annotated[bool, typer.Option("--wipe", help="Delete everything that was stored.")] = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Stop the embedded AWS and Hub, and keep their data for the next `triage up`."""
    embedded.down(state, wipe=wipe, on_progress=lambda line: err.print(line, soft_wrap=True))


def status(
    env: options.Environment = "local", as_json: options.AsJson = False, state: options.State = options.DEFAULT
) -> None:
    """Show which servers answer, which models are registered, what is parked and what was allocated last."""
    found = describe(find(env, state=state))
    if env == "local":
        local = embedded.status(state)
        found |= {"healthy": local.healthy}
        if local.instance is not None:
            found |= {"aws": local.instance.aws_endpoint, "hub": local.instance.hub_endpoint}
    if as_json:
        print_json(found)
        return
    models_table(found["models"])
    told = {name: found[name] for name in ("environment", "aws", "hub") if name in found}
    servers = ((name, "answers" if well else "does not answer") for name, well in found.get("healthy", {}).items())
    rows = [*told.items(), *((f"server {name}", said) for name, said in servers)]
    print_table("Environment", ("what", "value"), [*rows, ("parked", ", ".join(found["parked"]) or "none")])
    out.print("Allocated last: " + (", ".join(found["latest"]) or "nothing yet"))


def describe(deployment: Deployment) -> dict[str, Any]:
    return {
        "environment": deployment.environment,
        "models": deployment.registry.models(),
        "parked": [item["complaint_id"] for item in deployment.outbox().parked()],
        "latest": latest(deployment, LATEST),
    }


def latest(deployment: Deployment, count: int) -> list[str]:
    """Return the ids of the complaints allocated last: urgent ones first, and the newest first among equals.

    The index by team is the only one by time, so the newest of each team are read and merged.
    """
    newest = [
        allocation
        for team in (*load_taxonomy().teams, MANUAL_TEAM)
        for allocation in deployment.story.query(team, index="by_team", newest=count)
    ]
    newest.sort(key=lambda allocation: str(allocation["allocated_at"]), reverse=True)
    latest_of_all = sorted(newest[:count], key=lambda allocation: not allocation.get("urgent", False))
    return [allocation["complaint_id"] for allocation in latest_of_all]
