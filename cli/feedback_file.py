"""Feedback from a CSV file, one statement a row: all rows are checked before one of them is handed in."""

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

Cells = Mapping[str, str]
FIRST = 1
"""What counts as the version of a row that states none, until the current one is known."""


@dataclass(frozen=True)
class Statement:
    """row: its number in the file, from 1; the header and blank lines do not count."""

    row: int
    feedback: Feedback
    states_version: bool


@dataclass
class Problems:
    """Told one by one, so that a file is mended in one go."""

    path: Path
    rows: set[int] = field(default_factory=set)

    def add(self, row: int, column: str, problem: str) -> None:
        self.rows.add(row)
        err.print(f"row {row}, column {column!r}: {problem}", soft_wrap=True)

    def stop_if_any(self) -> None:
        if self.rows:
            raise WrongUsageError(f"{len(self.rows)} rows of {self.path} are wrong; nothing was handed in")


def read_statements(path: Path, deployment: Deployment, *, by: str) -> list[Statement]:
    """What is to be handed in, in the order of the file. by: whoever is named in a row that names nobody.

    Raises: WrongUsageError, after each problem was told.
    """
    problems = Problems(path)
    statements: dict[Key, Statement] = {}
    for row, cells in _rows(path, problems):
        statement = _read(row, cells, by, problems)
        if statement is None:
            continue
        earlier = statements.setdefault(key_of(statement.feedback), statement)
        if earlier is not statement:
            problems.add(row, "feedback_id", f"row {earlier.row} has the same; each statement needs its own")
    current = _against_allocations(list(statements.values()), deployment, problems)
    problems.stop_if_any()
    return current


def _rows(path: Path, problems: Problems) -> Iterator[tuple[int, Cells]]:
    """Cells by column, without those that are empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            header = next(lines, [])
            unknown = [column for column in header if column not in Feedback.model_fields]
            if unknown or len(set(header)) != len(header) or not header:
                columns = ", ".join(Feedback.model_fields)
                raise WrongUsageError(f"{path} has columns {', '.join(header) or 'none'}; there may be: {columns}")
            for row, values in enumerate(filter(None, lines), start=1):
                if len(values) != len(header):
                    column = header[min(len(values), len(header)) - 1]
                    problems.add(row, column, f"the row has {len(values)} values for {len(header)} columns")
                else:
                    cells = zip(header, (value.strip() for value in values), strict=True)
                    yield row, {column: value for column, value in cells if value}
    except (UnicodeDecodeError, csv.Error) as error:
        raise WrongUsageError(f"{path} is no CSV in UTF-8: {error}") from error


def _read(row: int, cells: Cells, by: str, problems: Problems) -> Statement | None:
    default = {"by": by, "version": FIRST, "feedback_id": _hash(cells)}
    try:
        return Statement(row, Feedback.model_validate({**default, **cells}), "version" in cells)
    except ValidationError as error:
        for problem in error.errors():
            # What no single column can be blamed for, is about what a kind needs.
            problems.add(row, str(next(iter(problem["loc"]), "kind")), problem["msg"])
        return None


def _hash(cells: Cells) -> str:
    """Of what the row says, so that the same row counts once."""
    return hashlib.sha256(json.dumps(sorted(cells.items())).encode()).hexdigest()[:32]


def _against_allocations(statements: list[Statement], deployment: Deployment, problems: Problems) -> list[Statement]:
    """With the versions that no row states: the current one, and one more for each earlier row on the complaint.

    What was handed in before is not held against what has become of the allocation since.
    """
    keys = [key_of(statement.feedback) for statement in statements]
    known = {(row["complaint_id"], row["entry"]) for row in deployment.story.get_many(keys)}
    current = allocations(deployment, (s.feedback.complaint_id for s in statements))
    versions = {complaint_id: allocation.version for complaint_id, allocation in current.items()}
    products = {complaint_id: allocation.product for complaint_id, allocation in current.items()}
    checked = []
    for statement in statements:
        said = statement.feedback
        if key_of(said) in known:
            checked.append(statement)
            continue
        if said.complaint_id not in current:
            problems.add(statement.row, "complaint_id", f"{said.complaint_id} has no allocation")
            continue
        try:
            said.check(load_taxonomy(), product=products[said.complaint_id])
        except UnknownProductError as error:
            problems.add(statement.row, "product", str(error))
        except FeedbackRefusedError as error:
            problems.add(statement.row, "issue", str(error))
        if not statement.states_version:
            said = said.model_copy(update={"version": versions[said.complaint_id]})
        versions[said.complaint_id] = said.version + 1
        products[said.complaint_id] = said.product or products[said.complaint_id]
        checked.append(replace(statement, feedback=said))
    return checked
