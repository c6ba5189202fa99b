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
MENDED_BY_SEALING = {"changed", "missing", "unsealed", "inconsistent", "unanchored"}
"""Problems that disappear once the last change of a record is sealed, or written while the records were read."""


def verify(
    complaint_ids: Annotated[
        list[str] | None, typer.Argument(help="The complaints to verify.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Verify all complaints. Reads whole tables.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait until new records are sealed.")] = 15.0,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Verify that no record of a complaint was changed, added or removed after it was sealed, and that they agree."""
    if bool(complaint_ids) == everything:
        raise WrongUsageError("name either complaints or --all")
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
        count = len({one.complaint_id for one in wrong})
        raise CommandError(f"{count} of {len(ids)} complaints do not verify; see `triage show COMPLAINT_ID`")
    if not as_json:
        out.print(f"{len(ids)} verified: every record is what was sealed")


def _findings(deployment: Deployment, complaint_id: str, deadline: float) -> list[Finding]:
    """Return the findings. If all of them may be changes that are not sealed yet, verify again until the deadline."""
    found = findings(deployment, complaint_id)
    while any(one.problem in MENDED_BY_SEALING for one in found) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        found = findings(deployment, complaint_id)
    return found
