"""Reads feedback from a CSV file with one statement in each row, and checks all rows before any is handed in."""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from cli.aws.deployment import Deployment
from cli.aws.feedback_inbox import Key, key_of
from cli.aws.submission import allocations
from cli.errors import WrongUsageError
from cli.output import err
from triage.errors import FeedbackRefusedError, UnknownProductError
from triage.feedback import Feedback
from triage.taxonomy import load_taxonomy
from triage.validation import problems_by_place

Cells = Mapping[str, str]
FIRST = 1
"""A placeholder for the version of a row that states none, until the current version is read."""


@dataclass(frozen=True)
class FileStatement:
    """row: its number in the file, from 1; the header and blank lines do not count."""

    row: int
    feedback: Feedback
    states_version: bool


@dataclass
class Problems:
    """Prints every problem of a file and goes on, so that all can be corrected together."""

    path: Path
    rows: set[int] = field(default_factory=set)

    def add(self, row: int, column: str, problem: str) -> None:
        self.rows.add(row)
        err.print(f"row {row}, column {column!r}: {problem}", soft_wrap=True)


def read_statements(path: Path, deployment: Deployment, *, by: str) -> list[FileStatement]:
    """Return the statements in the order of the file. by: the author of rows that state none.

    Raises: WrongUsageError, after each problem was printed.
    """
    problems = Problems(path)
    statements: dict[Key, FileStatement] = {}
    for row, cells in _rows(path, problems):
        # The id is a hash of the row, so handing in the same row again changes nothing.
        content = hashlib.sha256(json.dumps(sorted(cells.items())).encode()).hexdigest()[:32]
        default = {"by": by, "version": FIRST, "feedback_id": content}
        try:
            statement = FileStatement(row, Feedback.model_validate({**default, **cells}), "version" in cells)
        except ValidationError as error:
            # A rule without a column says what its kind of feedback needs.
            for place, rule in problems_by_place(error, "kind"):
                problems.add(row, place.partition(".")[0], rule)
            continue
        earlier = statements.setdefault(key_of(statement.feedback), statement)
        if earlier is not statement:
            problems.add(row, "feedback_id", f"row {earlier.row} has the same; each statement needs its own")
    checked = list(_checked(list(statements.values()), deployment, problems))
    if problems.rows:
        raise WrongUsageError(f"{len(problems.rows)} rows of {path} are wrong; nothing was handed in")
    return checked


def _rows(path: Path, problems: Problems) -> Iterator[tuple[int, Cells]]:
    """Yield the number of each row and its cells by column, without empty ones."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            header = next(lines, [])
            if not header or len(set(header)) != len(header) or not set(header) <= set(Feedback.model_fields):
                raise WrongUsageError(
                    f"{path} has the columns {', '.join(header) or 'none'}; "
                    f"each may occur once and must be one of: {', '.join(Feedback.model_fields)}"
                )
            for row, values in enumerate(filter(None, lines), start=1):
                if len(values) != len(header):
                    column = header[min(len(values), len(header)) - 1]
                    problems.add(row, column, f"the row has {len(values)} values for {len(header)} columns")
                else:
                    cells = zip(header, (value.strip() for value in values), strict=True)
                    yield row, {column: value for column, value in cells if value}
    except (UnicodeDecodeError, csv.Error) as error:
        raise WrongUsageError(f"{path} is not a CSV file in UTF-8: {error}") from error


def _checked(statements: list[FileStatement], deployment: Deployment, problems: Problems) -> Iterator[FileStatement]:
    """Check statements against allocations. A row without a version gets the one that the rows before it make.

    A row that was handed in before is not checked, because the allocation has changed since.
    """
    keys = [key_of(statement.feedback) for statement in statements]
    known = {(row["complaint_id"], row["entry"]) for row in deployment.story.get_many(keys)}
    current = allocations(deployment, (statement.feedback.complaint_id for statement in statements))
    versions = {complaint_id: allocation.version for complaint_id, allocation in current.items()}
    products = {complaint_id: allocation.product for complaint_id, allocation in current.items()}
    for statement in statements:
        feedback = statement.feedback
        if key_of(feedback) in known:
            yield statement
            continue
        if feedback.complaint_id not in current:
            problems.add(statement.row, "complaint_id", f"{feedback.complaint_id} has no allocation")
            continue
        try:
            feedback.check(load_taxonomy(), product=products[feedback.complaint_id])
        except UnknownProductError as error:
            problems.add(statement.row, "product", str(error))
        except FeedbackRefusedError as error:
            problems.add(statement.row, "tasks" if feedback.tasks else "issue", str(error))
        if not statement.states_version:
            feedback = feedback.model_copy(update={"version": versions[feedback.complaint_id]})
        versions[feedback.complaint_id] = feedback.version + 1
        products[feedback.complaint_id] = feedback.product or products[feedback.complaint_id]
        yield replace(statement, feedback=feedback)
