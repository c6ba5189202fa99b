import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.aws.deployment import find, hub_endpoint, hub_token
from cli.aws.submission import Rejection, numbered, put_all, wait_for
from cli.errors import CommandError, WrongUsageError
from cli.output import err, out, print_json, progress_bar
from cli.source import readable
from cli.tables import allocation_table, totals_table
from training.data.complaint_files import ExportError, ExportRow, read_export

LINES = (".jsonl", ".ndjson")
"""Suffixes of the files in which refused rows are kept."""

SHOWN = 10
"""Refused rows whose reason is printed."""


def submit(
    file: Annotated[
        str, typer.Argument(help="CSV, Parquet, JSON or JSON lines, zipped or not, or hf://organisation/name@sha.")
    ],
    limit: Annotated[int | None, typer.Option(min=1, help="Submit the first N complaints only.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the allocations and show them.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 900.0,
    rejects: Annotated[
        Path, typer.Option(help="Where refused rows are written, to correct them and submit them again.")
    ] = Path("rejected.jsonl"),
    again: Annotated[
        bool, typer.Option("--again", help="Put complaints that were erased before, and so bring their text back.")
    ] = False,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Put the complaints of an export into raw_complaints, as operations do."""
    path = readable(file, endpoint=lambda: hub_endpoint(env, state), token=lambda: hub_token(env, state))
    if rejects.is_file() and rejects.samefile(path) and path.suffix.lower() not in LINES:
        raise WrongUsageError(f"--rejects names {path}, the file that is read: name another")
    deployment = find(env, state=state)
    with progress_bar() as bar:
        putting = bar.add_task("Submitting", total=limit)
        rows = UpToAnError(read_export(path, limit=limit))
        submission = put_all(deployment, numbered(rows), on_put=lambda: bar.advance(putting), again=again)
        bar.update(putting, total=submission.submitted)
        late: set[str] = set()
        if wait:
            waiting = bar.add_task("Allocating", total=len(submission.ids))
            late = wait_for(
                deployment, submission, timeout_seconds=timeout, on_allocated=lambda count: bar.advance(waiting, count)
            )
    unread = limit is not None or rows.error is not None
    _keep(submission.rejections, rejects, handed_in=path, unread_after=submission.submitted if unread else None)
    totals = submission.totals()
    if as_json:
        print_json(totals)
    else:
        if wait:
            allocation_table(submission)
        totals_table(totals)
        if not wait:
            out.print("Next: `triage status` for all of them, or `triage show COMPLAINT_ID` for one.")
    problems = []
    if rows.error is not None:
        before = (
            f" The {totals.submitted:,} rows before it were submitted, {totals.rejected:,} refused. "
            f"Correct the file and "
            "submit it again: what is there already stays as it is"
        )
        problems.append(f"{rows.error}{before if totals.submitted else ''}")
    if totals.rejected:
        conflicts = f", {totals.conflicts} of them because another complaint has their id" if totals.conflicts else ""
        problems.append(
            f"{totals.rejected} of {totals.submitted} rows were not put{conflicts}; they are in {rejects}: correct "
            "them and submit that file"
        )
    if late:
        problems.append(
            f"{len(late)} complaints had no allocation after {timeout:g} s, such as {sorted(late)[0]}; "
            "the sweeper starts them again, so look again with `triage status`"
        )
    if problems:
        raise CommandError(". ".join(problems))


class UpToAnError:
    """The rows of an export up to the first that cannot be read, so that what was put before is told and kept."""

    def __init__(self, rows: Iterator[ExportRow]) -> None:
        self._rows = rows
        self.error: ExportError | None = None

    def __iter__(self) -> Iterator[ExportRow]:
        try:
            yield from self._rows
        except ExportError as error:
            self.error = error


def _keep(rejections: list[Rejection], path: Path, *, handed_in: Path, unread_after: int | None) -> None:
    """Write refused rows to `path`, each once.

    handed_in: the file that was submitted. If it is `path`, only what is refused again stays in it, and what was not
        read. unread_after: the number of its rows that were read; None for all.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    earlier = [line for line in lines if line.strip()]
    if path.is_file() and path.samefile(handed_in):
        earlier = [] if unread_after is None else earlier[unread_after:]
    elif not rejections:
        return
    refused = [json.dumps(rejection.item, ensure_ascii=False, default=str) for rejection in rejections]
    # They hold narratives, so no other user of the machine may read them.
    with open(
        path, "w", encoding="utf-8", errors="replace", opener=lambda name, how: os.open(name, how, 0o600)
    ) as file:
        file.writelines(f"{line}\n" for line in dict.fromkeys([*earlier, *refused]))
    for rejection in rejections[:SHOWN]:
        err.print(f"row {rejection.row} refused: {rejection.reason}", soft_wrap=True)
    if len(rejections) > SHOWN:
        err.print(f"and {len(rejections) - SHOWN} more rows were refused")
