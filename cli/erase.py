"""`triage erase`"""

from typing import Annotated

import typer

from cli import options
from cli.deployment import find
from cli.functions import invoke, read_request
from cli.output import out, print_json, print_table
from triage.erasure import Erased, ErasureRequest


def erase(
    complaint_id: Annotated[str, typer.Argument(help="The complaint whose words go.")],
    reason: Annotated[str, typer.Option(help="Why; recorded.")],
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Erase a complaint's text and what was made of it. What was decided stays, and still verifies."""
    request = read_request(
        ErasureRequest, complaint_id=complaint_id, requester=options.operator(), reason=reason, snapshots={}
    )
    deployment = find(env, state=state)
    session = deployment.acting_as("privacy-officer-role")
    erased = invoke(session, deployment.name("erase-function"), request, gives=Erased)
    if as_json:
        print_json(erased)
    elif erased.erasure is None:
        out.print(f"nothing of {complaint_id} is left to erase")
    else:
        _report(erased)


def _report(erased: Erased) -> None:
    erasure = erased.erasure
    if erasure is None:
        raise ValueError("nothing was erased")
    rows = [
        ("raw_complaints", "the complaint, with its narrative", int(erasure.text)),
        ("complaints_allocation", "explanations", len(erasure.entries)),
        ("complaints_allocation", "refused feedback", len(erasure.refused_feedback)),
        *((f"hf://datasets/{name}", "rows of the snapshot", rows) for name, rows in erasure.snapshots.items()),
    ]
    print_table(f"Erased of {erased.complaint_id}", ("store", "what", "removed"), rows)
