from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.aws.deployment import Deployment, find
from cli.aws.records import account, find_records
from cli.errors import CommandError, WrongUsageError
from cli.output import err, out, print_json, print_table
from cli.pages.story_words import explained_reasons, facts, in_words, title
from triage.pages import write_page
from triage.story import AllocationEntry
from triage.timeline.account import Account, schema
from triage.timeline.records import Records
from triage.timeline.timeline import AnyMoment

SHORT = 40
"""Longest fact, in characters, that shares a line in a terminal; a longer one, such as a hash, gets its own."""


def show(
    complaint_id: Annotated[
        str | None, typer.Argument(help="The id that operations gave to the complaint.", show_default=False)
    ] = None,
    html: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a page for printing to this file.", show_default=False)
    ] = None,
    as_schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the output of --json, and no complaint.")
    ] = False,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Show a complaint's whole story: the decision with its reasons, the models' answers, and what people did."""
    if as_schema:
        print(schema(), end="")
        return
    if complaint_id is None:
        raise WrongUsageError("COMPLAINT_ID is missing: state it, or use --schema")
    found = account(find(env, state=state), complaint_id)
    if html is not None:
        # Imported here, because only a page needs the templates.
        from cli.pages.story import page

        write_page(html, page(found))
        err.print(f"The page is {html}", soft_wrap=True)
    if as_json:
        print_json(found.document())
    else:
        _print(found)


def read_story(deployment: Deployment, complaint_id: str) -> Records:
    """Return a complaint's records, without its text.

    Raises: NotFoundError; CommandError if a record cannot be read.
    """
    records = find_records(deployment, complaint_id).records()
    if records.unreadable:
        problems = "; ".join(f"{record.entry}: {record.problem}" for record in records.unreadable)
        raise CommandError(
            f"some records of {complaint_id} cannot be read: {problems}; `triage verify {complaint_id}` shows whether "
            "somebody changed them"
        )
    return records


def _print(account: Account) -> None:
    records = account.records
    state = records.triage_state or "not started"
    if records.triage_state is None and (records.selection or records.allocation):
        state = "unknown, because the complaint itself does not exist any more"
    out.print(f"{records.complaint_id}  triage: {state}", soft_wrap=True)
    if records.allocation is not None:
        _print_allocation(records.allocation)
    print_table(
        "Story",
        ("at", "what", "detail", "by"),
        ((moment.at or "unknown", title(moment), _detail(moment), moment.by) for moment in account.moments),
    )
    links = len(account.links) + len(account.inbox_links)
    if account.findings:
        print_table(
            f"The chain does NOT verify: {len(account.findings)} findings on {links} links",
            ("record", "problem", "detail"),
            ((finding.entry, finding.problem, finding.detail) for finding in account.findings),
        )
    else:
        out.print(f"The chain verifies: {links} links, and every record is what was sealed.", soft_wrap=True)


def _print_allocation(allocation: AllocationEntry) -> None:
    rows = {
        "team": allocation.product_team,
        "product": allocation.product,
        "issue": allocation.issue,
        "vulnerable": allocation.vulnerable,
        "journey": allocation.journey,
        "route": allocation.route,
        "answers": "\n".join(in_words(decision) for decision in allocation.decisions) or "none",
        "allocated at": f"{allocation.allocated_at} ({allocation.milliseconds} ms after the start)",
        "version": f"{allocation.version}, decided by a {allocation.decided_by}",
        "code": allocation.code_version,
        "taxonomy": allocation.taxonomy_version,
    }
    print_table("Allocation", ("fact", "value"), rows.items())
    if allocation.reasons:
        heading = f"Reasons for the {allocation.journey} journey and the {allocation.route} route"
        print_table(heading, ("reason", "leads to", "what it means"), explained_reasons(allocation.reasons))


def _detail(moment: AnyMoment) -> str:
    stated = [f"{name}: {value}" for name, value in facts(moment).items()]
    short = ", ".join(fact for fact in stated if len(fact) <= SHORT)
    long = [fact for fact in stated if len(fact) > SHORT]
    return "\n".join((moment.detail, *(f"  {line}" for line in (*long, short) if line)))
