"""Labelled complaints of a real export: cleaned as in serving, with names of the taxonomy and near-duplicate groups."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache
from pathlib import Path

from training.data.complaint_files import COLUMNS, ExportError, ExportRow, read_export
from training.data.crosswalk import Label, load_crosswalk
from training.data.groups import Groups, near_duplicate_groups
from training.data.prepare import LABELS
from triage.contracts import TaskName
from triage.errors import UnknownNameError
from triage.letter import spoken
from triage.tasks import TASKS
from triage.vulnerability import vulnerable_tags

NAMED = 20
"""Unknown names that an error lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRow:
    """One complaint. narrative: the newest message of the letter, cleaned. sub_product, sub_issue: in the names of that
    year's form. vulnerable: by the tags stated on the form, None if the export does not contain tags."""

    row: int
    complaint_id: str | None
    narrative: str
    product: str
    issue: str
    sub_product: str | None = None
    sub_issue: str | None = None
    vulnerable: bool | None
    received: date
    channel: str | None

    def label(self, task: TaskName) -> str | None:
        """Return the label for a task of `triage.tasks`, None if the export does not state it."""
        if task not in TASKS:
            raise ValueError(f"exports have labels for the tasks {', '.join(TASKS)}, not for {task!r}")
        return LABELS[task](self)


@dataclass(frozen=True, kw_only=True)
class LabelledData:
    """groups[i]: the near-duplicate group of rows[i]. without_narrative: number of rows left out.

    corrected: number of rows left out because a later row has the same id.
    """

    rows: tuple[LabelledRow, ...]
    groups: Groups = field(repr=False)
    without_narrative: int
    crosswalk: str
    taxonomy: str
    corrected: int = 0

    def label_space(self, task: TaskName) -> tuple[str, ...]:
        """Return the labels that occur in alphabetical order, which is the order of a model's logits."""
        return tuple(sorted(self.counts(task)))

    def counts(self, task: TaskName) -> Mapping[str, int]:
        """Count the complaints of each label, the most frequent first; rows without a label are not counted."""
        return _counted(label for row in self.rows if (label := row.label(task)) is not None)

    def at(self, places: Groups) -> "LabelledData":
        """Return the rows at these places."""
        return replace(self, rows=tuple(self.rows[place] for place in places), groups=self.groups[places])

    @property
    def years(self) -> Mapping[int, int]:
        return dict(sorted(Counter(row.received.year for row in self.rows).items()))

    @property
    def fingerprint(self) -> str:
        """sha256 of everything a model can learn from and of the crosswalk's version, in any order of rows."""
        lines = sorted(_line(row) for row in self.rows)
        return hashlib.sha256("\n".join([self.taxonomy, self.crosswalk, *lines]).encode()).hexdigest()


def load_labelled(path: Path, *, min_products: int = 2) -> LabelledData:
    """Read an export with CFPB's column names, in any format of `training.data.complaint_files`.

    Rows without a narrative, as most of CFPB's rows are, are left out and counted. Of rows with the same id the last
    counts: exports in one archive are read in the order of their names, so that a newer one corrects an older one.

    Raises:
        ExportError: the file cannot be read, is empty, or has fewer than `min_products` products; or a row lacks a
            product, issue or date; or rows have names that no form since 2011 has used, all of which are named.
    """
    crosswalk = load_crosswalk()
    exported = list(read_export(path))
    told = [row for row in exported if spoken(row.narrative or "")]
    kept = _latest(told)
    _require_known_names(path, kept)
    rows = tuple(_labelled(path, kept))
    _require_rows(path, exported, rows)
    _require_classes(path, rows, at_least=min_products)
    return LabelledData(
        rows=rows,
        groups=near_duplicate_groups([row.narrative for row in rows]),
        without_narrative=len(exported) - len(told),
        corrected=len(told) - len(kept),
        crosswalk=crosswalk.version,
        taxonomy=crosswalk.taxonomy,
    )


def _labelled(path: Path, exported: Iterable[ExportRow]) -> Iterator[LabelledRow]:
    for row in exported:
        label, received = _label(path, row), _received(path, row)
        yield LabelledRow(
            row=row.row,
            complaint_id=row.complaint_id,
            narrative=spoken(row.narrative or ""),
            product=label.product,
            issue=label.issue,
            sub_product=row.sub_product,
            sub_issue=row.sub_issue,
            vulnerable=None if row.tags is None else bool(vulnerable_tags(row.tags)),
            received=received,
            channel=row.submitted_via,
        )


def _latest(rows: Sequence[ExportRow]) -> list[ExportRow]:
    """Return the last row of each id, and every row without one, in the order of the export."""
    last = {row.complaint_id: row.row for row in rows if row.complaint_id is not None}
    return [row for row in rows if row.complaint_id is None or last[row.complaint_id] == row.row]


def _require_known_names(path: Path, rows: Iterable[ExportRow]) -> None:
    """Raise one ExportError that names every unknown name, each with its first row and the number of its rows."""
    unknown: dict[str, list[tuple[ExportRow, str]]] = {}
    for row in rows:
        try:
            _label(path, row)
        except UnknownNameError as error:
            unknown.setdefault(str(error), []).append((row, error.field))
    if not unknown:
        return
    named = [f"{problem} ({len(found):,} rows, first {_row(found[0][0])})" for problem, found in unknown.items()]
    more = [f"and {len(named) - NAMED} more names"] if len(named) > NAMED else []
    first, column = next(iter(unknown.values()))[0]
    advice = "Correct the names, or add them to training/data/crosswalk.toml with a reason"
    raise _at(path, first, "; ".join([*named[:NAMED], *more]), advice=advice, column=column)


def _row(row: ExportRow) -> str:
    return f"row {row.member_row or row.row}" + (f" of {row.member}" if row.member else "")


def _label(path: Path, row: ExportRow) -> Label:
    """Return the label. Raises: ExportError without product or issue, UnknownNameError."""
    product, issue = _needed(path, row, "product"), _needed(path, row, "issue")
    return _crossed(product, row.sub_product, issue, row.sub_issue)


def _received(path: Path, row: ExportRow) -> date:
    return datetime.fromisoformat(_needed(path, row, "received_at")).date()


def _needed(path: Path, row: ExportRow, column: str) -> str:
    value: str | None = getattr(row, column)
    if value is None:
        known = " or ".join(COLUMNS[column])
        if column in row.absent:
            advice = f"Export it too; the column is called {known}"
            raise ExportError(path, "is absent", advice=advice, member=row.member, column=column)
        advice = f"Fill it, or remove the row; the column is called {known}"
        raise _at(path, row, "is empty", advice=advice, column=column)
    return value


def _at(path: Path, row: ExportRow, problem: str, *, advice: str, column: str) -> ExportError:
    return ExportError(path, problem, advice=advice, member=row.member, row=row.member_row or row.row, column=column)


@cache
def _crossed(product: str, sub_product: str | None, issue: str, sub_issue: str | None) -> Label:
    """Cached, because an export has only a few hundred combinations of names."""
    return load_crosswalk().label(product, sub_product=sub_product, issue=issue, sub_issue=sub_issue)


def _require_rows(path: Path, exported: list[ExportRow], rows: tuple[LabelledRow, ...]) -> None:
    if not exported:
        raise ExportError(path, "holds no complaint", advice="Export again, with at least one row below the header")
    if not rows and all("narrative" in row.absent for row in exported):
        advice = f"Export it too; the column is called {' or '.join(COLUMNS['narrative'])}"
        raise ExportError(path, "is absent", advice=advice, column="narrative")
    if not rows:
        problem, advice = f"is empty in all {len(exported)} rows", "Export complaints whose narrative was published"
        raise ExportError(path, problem, advice=advice, row=exported[-1].row, column="narrative")


def _require_classes(path: Path, rows: tuple[LabelledRow, ...], *, at_least: int) -> None:
    products = sorted({row.product for row in rows})
    if len(products) < at_least:
        problem = f"has {len(products)} product(s), {'; '.join(products)}, in all {len(rows)} rows with a narrative"
        advice = f"Add complaints about at least {at_least} products"
        raise ExportError(path, problem, advice=advice, row=rows[-1].row, column="product")


def _counted(labels: Iterable[str]) -> Mapping[str, int]:
    return dict(sorted(Counter(labels).items(), key=lambda item: (-item[1], item[0])))


def _line(row: LabelledRow) -> str:
    used = [
        row.complaint_id,
        row.received.isoformat(),
        row.channel,
        row.product,
        row.issue,
        row.sub_product,
        row.sub_issue,
        row.vulnerable,
        row.narrative,
    ]
    return json.dumps(used)
