"""`triage verify`"""

import time
from typing import Annotated

import typer

from cli import options
from cli.aws.deployment import Deployment, find
from cli.aws.records import findings, recorded
from cli.errors import CommandError, WrongUsageError
from cli.output import out, print_json, print_table, progress_bar
from triage.audit.verification import Finding

POLL_SECONDS = 0.5
MENDED_BY_SEALING = {"changed", "missing", "unsealed"}


def verify(
    complaint_ids: Annotated[
        list[str] | None, typer.Argument(help="Complaints whose records are verified.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Verify all there are; reads whole tables.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for what was written a moment ago.")] = 15.0,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Verify that no record of a complaint was altered, added or taken away since it was sealed into its chain."""
    if bool(complaint_ids) == everything:
        raise WrongUsageError("name complaints, or say --all")
    deployment = find(env, state=state)
    ids = complaint_ids or recorded(deployment)
    deadline = time.monotonic() + wait
    wrong: list[Finding] = []
    with progress_bar() as bar:
        verifying = bar.add_task("Verifying", total=len(ids))
        for complaint_id in ids:
            wrong += _findings(deployment, complaint_id, deadline)
            bar.advance(verifying)
    if as_json:
        print_json({"verified": len(ids), "findings": wrong})
    elif wrong:
        rows = ((one.complaint_id, one.entry, one.problem, one.detail) for one in wrong)
        print_table("Findings", ("complaint", "entry", "problem", "detail"), rows)
    if wrong:
        raise CommandError(f"{len({one.complaint_id for one in wrong})} of {len(ids)} have records that do not verify")
    if not as_json:
        out.print(f"{len(ids)} verified: every record is what was sealed")


def _findings(deployment: Deployment, complaint_id: str, deadline: float) -> list[Finding]:
    """Sealing comes a moment after writing: what may only not be sealed yet is looked at again."""
    found = findings(deployment, complaint_id)
    while any(one.problem in MENDED_BY_SEALING for one in found) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        found = findings(deployment, complaint_id)
    return found
