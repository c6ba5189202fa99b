"""`triage show`"""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli import options
from cli.aws.deployment import Deployment, find
from cli.aws.records import account, find_records
from cli.errors import CommandError, WrongUsageError
from cli.output import err, out, print_json, print_table
from triage.audit.verification import Finding
from triage.reason import Reason
from triage.story import AllocationEntry
from triage.timeline.account import Account, schema
from triage.timeline.events import AnyMoment
from triage.timeline.records import Records

SHORT = 40
"""Characters of a fact, in a terminal."""


def show(
    complaint_id: Annotated[
        str | None, typer.Argument(help="The id under which operations put the complaint.", show_default=False)
    ] = None,
    html: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a page for printing here.", show_default=False)
    ] = None,
    as_schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of what --json prints, of no complaint.")
    ] = False,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Show a complaint's whole story: which models were asked, what they said, what was decided, what people did."""
    if as_schema:
        print(schema(), end="")
        return
    if complaint_id is None:
        raise WrongUsageError("name COMPLAINT_ID, or ask for the --schema")
    told = account(find(env, state=state), complaint_id)
    if html is not None:
        # Only now: nothing else needs the templates.
        from cli.pages.story import page

        html.write_text(page(told), encoding="utf-8")
        err.print(f"The page is {html}", soft_wrap=True)
    if as_json:
        print_json(told)
    else:
        _print(told)


def read_story(deployment: Deployment, complaint_id: str) -> dict[str, Any]:
    """The entries of a complaint's story, typed. The narrative is not among them.

    Raises: NotFoundError; CommandError where one of them cannot be read.
    """
    records = find_records(deployment, complaint_id).records()
    if records.unreadable:
        problems = "; ".join(f"{record.entry}: {record.problem}" for record in records.unreadable)
        raise CommandError(f"what is recorded of {complaint_id} cannot be read: {problems}")
    return {name: _listed(getattr(records, name)) for name in Records.model_fields}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _print(told: Account) -> None:
    out.print(f"{told.complaint_id}  triage: {_state(told)}", soft_wrap=True)
    if told.allocation is not None:
        _print_allocation(told.allocation)
    print_table(
        "Story",
        ("at", "what", "detail", "by"),
        ((moment.at or "unknown", moment.what, _detail(moment), moment.by) for moment in told.moments),
    )
    _print_findings(told.findings, links=len(told.links) + len(told.inbox_links))


def _state(told: Account) -> str:
    if told.triage_state is None and (told.selection or told.allocation):
        return "unknown, since the complaint itself is gone"
    return told.triage_state or "not started"


def _detail(moment: AnyMoment) -> str:
    """What is long has a line of its own, such as a hash; what is short shares one."""
    facts = [f"{name}: {value}" for name, value in moment.facts.items()]
    short = ", ".join(fact for fact in facts if len(fact) <= SHORT)
    long = [fact for fact in facts if len(fact) > SHORT]
    return "\n".join((moment.detail, *(f"  {line}" for line in (*long, short) if line)))


def _print_allocation(allocation: AllocationEntry) -> None:
    facts = {
        "team": allocation.product_team,
        "product": allocation.product,
        "issue": allocation.issue,
        "vulnerable": allocation.vulnerable,
        "journey": allocation.journey,
        "route": allocation.route,
        "reasons": "; ".join(map(str, allocation.reasons)) or "none",
        "allocated at": f"{allocation.allocated_at} ({allocation.milliseconds} ms after the start)",
        "version": f"{allocation.version}, decided by a {allocation.decided_by}",
        "code": allocation.code_version,
        "taxonomy": allocation.taxonomy_version,
    }
    print_table("Allocation", ("fact", "value"), facts.items())
    if allocation.reasons:
        print_table("Reasons", ("reason", "leads to", "explanation"), map(_explained, allocation.reasons))


def _explained(reason: Reason) -> tuple[str, str, str]:
    leads_to = {"person": "a person looks at it", "specialist": "the specialist journey"}[reason.leads_to]
    return reason.text, leads_to, reason.explanation


def _print_findings(findings: tuple[Finding, ...], *, links: int) -> None:
    if not findings:
        out.print(f"The chain verifies: {links} links, and every record is what was sealed.", soft_wrap=True)
        return
    print_table(
        f"The chain does NOT verify: {len(findings)} findings on {links} links",
        ("record", "problem", "detail"),
        ((finding.entry, finding.problem, finding.detail) for finding in findings),
    )
