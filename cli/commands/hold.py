from typing import Annotated

import typer

from cli import options
from cli.aws.deployment import find
from cli.aws.functions import invoke, read_request
from cli.output import out, print_json
from triage.audit.hold import Held, HoldRequest


def hold(
    complaint_id: Annotated[str, typer.Argument(help="The complaint to keep, whatever its age.")],
    reason: Annotated[str, typer.Option(help="Reason. It is recorded.")],
    lift: Annotated[
        bool, typer.Option("--lift", help="Lift the hold: the complaint expires as if it had never been held.")
    ] = False,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Place a legal hold, so that a complaint neither expires nor can be erased. Acts as the privacy officer's role."""
    deployment = find(env, state=state)
    request = read_request(
        HoldRequest,
        complaint_id=complaint_id,
        kind="lift" if lift else "place",
        requester=deployment.operator,
        reason=reason,
    )
    session = deployment.acting_as("privacy-officer-role")
    held = invoke(session, deployment.name("hold-function"), request, gives=Held)
    if as_json:
        print_json(held)
    elif lift:
        out.print(f"{complaint_id} is not held any more; {held.kept} records expire again")
    else:
        out.print(f"{complaint_id} is held since {held.hold.placed_at}; {held.kept} records do not expire any more")
