"""Complaint exports, row by row: CFPB's CSV, JSON and Parquet, archives of them, and JSON lines of `raw_complaints`.

A missing value is not an error here; the caller decides about it. A malformed file raises ExportError at the first
wrong row, after the rows before it have been returned.
"""

import csv
import json
import lzma
import re
import struct
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, count, islice
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

import pyarrow
import pyarrow.parquet

from training.data.cell_values import to_label, to_moment, to_narrative
from triage.values import to_flag, to_id, to_tags, visible

MAX_FIELD_CHARACTERS = 10_000_000
"""Longest value. The default of the csv module, 131,072, is too short for pasted documents."""

MAX_LINE_BYTES = 40_000_000
"""Longest line: the longest value in UTF-8."""

MAX_DOCUMENT_BYTES = 1_000_000_000
"""Of a JSON array or an answer of the API, which is held in memory."""

MAX_DIGITS = 100
"""Of a whole number."""

MAX_MEMBERS = 1_000
"""Of an archive."""

MAX_RATIO = 250
BOMB_BYTES = 100_000_000
"""What unpacks to more than 250 times its size is no export, if it is more than these bytes. CFPB's own are packed to a
seventh."""

PARQUET_BATCH_ROWS = 1024

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "complaint_id": ("complaint_id",),
    "narrative": ("narrative", "consumer_complaint_narrative", "complaint_what_happened"),
    "received_at": ("received_at", "date_received"),
    "product": ("product",),
    "sub_product": ("sub_product",),
    "issue": ("issue",),
    "sub_issue": ("sub_issue",),
    "company": ("company",),
    "state": ("state",),
    "submitted_via": ("submitted_via",),
    "customer_id": ("customer_id",),
    "tags": ("tags",),
    "account_vulnerable": ("account_vulnerable",),
}
"""The names of each field in the known exports, in lower case with underscores; the first one present is used."""

EXPLAINING = frozenset({".txt", ".md", ".pdf", ".html"})
"""Suffixes of files in an archive that explain the exports and are skipped."""

TRACES = frozenset({"Thumbs.db", "desktop.ini"})
"""Files that Windows adds to folders and that are skipped."""

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRow:
    """One complaint as exported.

    row: its number in the export, from 1; the header and blank lines do not count. member, member_row: in an archive of
    several files, the file and the number in it.
    received_at: ISO 8601, a day or a time. product, issue: in the names of that year's form.
    tags: () if the consumer stated none, None if the export does not contain tags, or has tags that nobody can read.
    unknown: values of `tags` and `account_vulnerable` that nobody can read, as they are written: whoever reads the
    complaint raises a doubt about them.
    absent: the fields for which the export has no column.
    """

    row: int
    complaint_id: str | None
    narrative: str | None
    received_at: str | None
    product: str | None
    sub_product: str | None
    issue: str | None
    sub_issue: str | None
    company: str | None
    state: str | None
    submitted_via: str | None
    customer_id: str | None
    tags: tuple[str, ...] | None
    account_vulnerable: bool | None
    unknown: Mapping[str, Any] = field(default_factory=dict)
    member: str | None = None
    member_row: int | None = None
    absent: frozenset[str] = field(default=frozenset(), compare=False, repr=False)


class ExportError(Exception):
    """An export cannot be read. The message says where, why and what to do, and never quotes a narrative."""

    def __init__(
        self,
        path: Path,
        problem: str,
        *,
        advice: str,
        member: str | None = None,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        parts = (str(path), member, row and f"row {row}", column and f"column {column!r}")
        place = ", ".join(part for part in parts if part)
        super().__init__(f"{place}: {problem}. {advice}.")
        self.path = path
        self.row = row
        self.column = column


@dataclass
class _Place:
    """The reader's position: the file inside an archive, if the export is one, and the row in that file."""

    member: str | None = None
    row: int = 1


class _UnreadableError(Exception):
    """Becomes an ExportError once path and row are known. whole: the problem is in the file, not in one row."""

    def __init__(self, problem: str, *, advice: str, column: str | None = None, whole: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.advice = advice
        self.column = column
        self.whole = whole


def read_export(path: Path, *, limit: int | None = None) -> Iterator[ExportRow]:
    """Yield the rows of an export, at most `limit` of them; raises ExportError while iterating.

    The suffix states the format: .csv, .json, .jsonl, .ndjson, .parquet, or .zip with such files inside, which are read
    as one export in the order of their names. CSV, JSON lines and Parquet are streamed; a JSON array or an answer of
    the API is held in memory. Text is UTF-8, with or without BOM.
    """
    if limit is not None and limit < 0:
        raise ValueError(f"limit must be 0 or more, not {limit}")
    return islice(_rows(path), limit)


def _rows(path: Path) -> Iterator[ExportRow]:
    place = _Place()
    with closing(_records(path, place)) as records:
        for number in count(1):
            with _located(path, place):
                record = next(records, None)
                row = _to_row(number, record, place) if record is not None else None
            if row is None:
                return
            yield row
            place.row += 1


def _records(path: Path, place: _Place) -> Generator[Record, None, None]:
    if path.suffix.lower() != ".zip":
        kind = _kind(path.name)
        with path.open("rb") as file:
            yield from READERS[kind](file)
        return
    with ZipFile(path) as archive:
        members = _members(archive)
        kinds = [_kind(name) for name in members]
        for name, kind in zip(members, kinds, strict=True):
            if len(members) > 1:
                place.member, place.row = name, 1
            with archive.open(name) as member:
                yield from READERS[kind](member)


def _members(archive: ZipFile) -> list[str]:
    """Return the exports in an archive, without documents such as a readme, and files of the system."""
    names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    names = [name for name in names if not Path(name).name.startswith(".") and Path(name).name not in TRACES]
    members = sorted(name for name in names if Path(name).suffix.lower() not in EXPLAINING)
    if not members:
        raise _UnreadableError("holds no export", advice="Zip the exported files", whole=True)
    if len(members) > MAX_MEMBERS:
        raise _UnreadableError(
            f"holds {len(members):,} files, and at most {MAX_MEMBERS:,} are read", advice="Zip fewer files", whole=True
        )
    for name in members:
        # zipfile reads no more of a member than it states.
        stated = archive.getinfo(name)
        _refuse_bomb(stated.file_size, stated.compress_size)
    return members


def _refuse_bomb(unpacked: int, packed: int) -> None:
    if unpacked > BOMB_BYTES and unpacked > MAX_RATIO * packed:
        raise _UnreadableError(
            f"unpacks {packed:,} bytes to {unpacked:,}: more than {MAX_RATIO} times its size",
            advice="No export is packed so tightly; fetch it again from where it was made",
            whole=True,
        )


def _kind(name: str) -> str:
    kind = Path(name).suffix.lower()
    if kind not in READERS:
        known = ", ".join(READERS)
        raise _UnreadableError(f"{name!r} has no known suffix", advice=f"Export as one of {known}, or .zip", whole=True)
    return kind


OLD_MAC = (
    "ends its lines with carriage returns alone, as old Macs did",
    "Convert them, for instance with `tr '\\r' '\\n' < FILE > CONVERTED`",
)
"""The problem and what to do."""


@contextmanager
def _located(path: Path, place: _Place) -> Iterator[None]:
    """Turn every error of reading a row into an ExportError."""

    def failed(problem: str, advice: str, *, whole: bool = False, column: str | None = None) -> ExportError:
        row = None if whole else place.row
        return ExportError(path, problem, advice=advice, member=place.member, row=row, column=column)

    try:
        yield
    except _UnreadableError as error:
        raise failed(error.problem, error.advice, whole=error.whole, column=error.column) from error.__cause__
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        encoding = "UTF-16" if error.object.startswith((b"\xff\xfe", b"\xfe\xff")) else "WINDOWS-1252"
        advice = f"Convert the file, for instance with `iconv -f {encoding} -t UTF-8`"
        raise failed(f"byte 0x{byte:02x} is not UTF-8", advice) from error
    except json.JSONDecodeError as error:
        if "\r" in error.doc.rstrip():
            raise failed(*OLD_MAC, whole=True) from error
        problem = f"is not JSON: {error.msg} at character {error.colno}"
        problem += f" of line {error.lineno}" if error.lineno > 1 else ""
        raise failed(problem, "Correct that place, or export again") from error
    except csv.Error as error:
        if "new-line character" in str(error):
            raise failed(*OLD_MAC, whole=True) from error
        advice = 'Quote values that hold commas, quotes ("" inside) or line breaks, or export again'
        raise failed(f"is not CSV: {error}", advice) from error
    except RecursionError as error:
        raise failed("nests without end", "Write one flat object per complaint") from error
    except (OSError, BadZipFile, zlib.error, EOFError, RuntimeError, pyarrow.ArrowException) as error:
        advice = "Check the path, its permissions and that it is not encrypted, or fetch the file again"
        raise failed(f"cannot be read: {error}", advice, whole=place.row == 1) from error
    except (ValueError, OverflowError, MemoryError, lzma.LZMAError, struct.error) as error:
        # The libraries for these formats raise them for files that are damaged, or made to harm.
        advice = "Fetch the file again; if that does not help, export it again in another format"
        raise failed(f"is damaged, or counts without bound ({type(error).__name__})", advice) from error


def _read_csv(file: IO[bytes]) -> Iterator[Record]:
    csv.field_size_limit(MAX_FIELD_CHARACTERS)  # global, because csv.reader has no such option
    lines = csv.reader(_decoded(file), strict=True)
    header = next(lines, None)
    if not header:
        raise _UnreadableError("has no header line", advice="Export again, with the column names first", whole=True)
    _require_id(header)
    for values in filter(None, lines):
        if len(values) != len(header):
            raise _UnreadableError(
                f"has {len(values)} values where the header has {len(header)} columns",
                advice="Quote values that hold commas or line breaks, or export again",
                column=header[len(values)] if len(values) < len(header) else None,
            )
        yield dict(zip(header, values, strict=True))


def _read_json_lines(file: IO[bytes]) -> Iterator[Record]:
    return _objects(map(_loads, filter(str.strip, _decoded(file))))


def _read_json(file: IO[bytes]) -> Iterator[Record]:
    """Read an array, an answer of CFPB's API, one object, or JSON lines with the suffix .json."""
    lines = _decoded(file)
    first = next(filter(str.strip, lines), "")
    if first.lstrip().startswith("{") and (record := _complete(first)) is not None and "hits" not in record:
        return _objects(chain([record], map(_loads, filter(str.strip, lines))))
    text = first + "".join(_few(lines))
    if text.lstrip().startswith("["):
        return _objects(_array(text))
    loaded = _loads(text)
    if not isinstance(loaded, dict) or "hits" not in loaded:
        return _objects([loaded])
    hits = loaded["hits"].get("hits") if isinstance(loaded["hits"], dict) else None
    if not isinstance(hits, list):
        raise _UnreadableError("has no list in hits.hits", advice="Save the API's answer as it came", whole=True)
    return _objects(hits)


def _read_parquet(file: IO[bytes]) -> Iterator[Record]:
    with pyarrow.parquet.ParquetFile(file) as parquet:
        names = parquet.schema_arrow.names
        _require_id(names)
        read = [name for name in _columns(tuple(names)).values() if name is not None]
        groups = (parquet.metadata.row_group(number) for number in range(parquet.num_row_groups))
        sizes = [group.column(place) for group in groups for place in range(group.num_columns)]
        _refuse_bomb(sum(c.total_uncompressed_size for c in sizes), sum(c.total_compressed_size for c in sizes))
        texts = [field.name for field in parquet.schema_arrow if pyarrow.types.is_string(field.type)]
    # As dictionaries: a value that a file holds once, for a million rows, is then held once.
    file.seek(0)
    with pyarrow.parquet.ParquetFile(file, read_dictionary=texts) as parquet:
        for batch in parquet.iter_batches(batch_size=PARQUET_BATCH_ROWS, columns=read):
            for row in range(batch.num_rows):
                yield {name: _as_python(batch[name][row], name) for name in batch.schema.names}


def _as_python(value: pyarrow.Scalar, name: str) -> Any:
    try:
        return value.as_py()
    except (ValueError, OverflowError) as error:
        # Parquet counts days and times further than Python.
        raise _UnreadableError(
            "holds a day or time outside the years 1 to 9999",
            advice="Correct the value, or leave it empty",
            column=name,
        ) from error


READERS: Mapping[str, Callable[[IO[bytes]], Iterator[Record]]] = {
    ".csv": _read_csv,
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
}


def _decoded(file: IO[bytes]) -> Iterator[str]:
    """Decode line by line, so that a wrong byte is reported in its own row."""
    for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b"")):
        if len(line) > MAX_LINE_BYTES:
            raise _UnreadableError(
                f"is a line of more than {MAX_LINE_BYTES:,} bytes", advice="Write one complaint a line, or export again"
            )
        yield line.decode("utf-8" if number else "utf-8-sig")


def _few(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines until they are too many for memory."""
    size = 0
    for line in lines:
        size += len(line)
        if size > MAX_DOCUMENT_BYTES:
            raise _UnreadableError(
                f"is one JSON document of more than {MAX_DOCUMENT_BYTES:,} bytes",
                advice="Export JSON lines, CSV or Parquet, which are read row by row",
                whole=True,
            )
        yield line


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _UnreadableError(
            f"holds a number of {len(digits):,} digits, and at most {MAX_DIGITS} are read",
            advice="Correct the value, or leave it empty",
        )
    return int(digits)


def _loads(text: str) -> Any:
    return json.loads(text, parse_int=_whole)


def _complete(line: str) -> dict[str, Any] | None:
    try:
        value = _loads(line)
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _array(text: str) -> Iterator[Any]:
    """Decode an array element by element, so that an error belongs to a row."""
    decoder, blank = json.JSONDecoder(parse_int=_whole), re.compile(r"\s*")

    def after_blanks(position: int) -> int:
        found = blank.match(text, position)
        return found.end() if found else position

    position = after_blanks(after_blanks(0) + 1)
    closed = text.startswith("]", position)
    while not closed:
        value, position = decoder.raw_decode(text, position)
        yield value
        position = after_blanks(position)
        closed = text.startswith("]", position)
        if not closed:
            if not text.startswith(",", position):
                raise json.JSONDecodeError("Expecting ',' or ']'", text, position)
            position = after_blanks(position + 1)
    if after_blanks(position + 1) < len(text):
        raise json.JSONDecodeError("Extra data", text, position + 1)


def _objects(values: Iterable[Any]) -> Iterator[Record]:
    for number, value in enumerate(values, start=1):
        record = value.get("_source", value) if isinstance(value, dict) else value
        if not isinstance(record, dict):
            raise _UnreadableError(
                f"is of type {type(record).__name__}, not an object", advice="Write one object per complaint"
            )
        if number == 1:
            _require_id(record)
        yield record


def _require_id(names: Iterable[str]) -> None:
    """Require a column with the complaint's id. names: the header or, in JSON, the keys of the first object."""
    columns = _columns(tuple(names))
    if columns["complaint_id"] is None:
        known = ", ".join(field for field, column in columns.items() if column) or "none"
        if len(named := tuple(names)) == 1 and (found := re.search("[;\t|]", named[0])):
            raise _UnreadableError(
                f"is separated by {found[0]!r}", advice="Export it with commas between the columns", whole=True
            )
        raise _UnreadableError(
            "has no complaint ids",
            advice=f"Name their column `complaint_id` or `Complaint ID`; recognised were: {known}",
            column="complaint_id",
            whole=True,
        )


@lru_cache(maxsize=1024)
def _columns(names: tuple[str, ...]) -> Mapping[str, str | None]:
    """Return the column of each field of ExportRow, None if the export has none."""
    spelled: dict[str, list[str]] = {}
    for name in names:
        spelled.setdefault(re.sub(r"\W+", "_", visible(name).lower()), []).append(name)
    columns: dict[str, str | None] = {}
    for wanted, aliases in COLUMNS.items():
        candidates = next((spelled[alias] for alias in aliases if alias in spelled), [])
        if len(candidates) > 1:
            raise _UnreadableError(
                f"has {len(candidates)} columns for {wanted}", advice="Keep one", column=wanted, whole=True
            )
        columns[wanted] = candidates[0] if candidates else None
    return columns


def _to_row(number: int, record: Record, place: _Place) -> ExportRow:
    columns = _columns(tuple(record))

    def read(field: str, convert: Callable[[Any], Any]) -> Any:
        column = columns[field]
        if column is not None and isinstance(record[column], str) and len(record[column]) > MAX_FIELD_CHARACTERS:
            raise _UnreadableError(
                f"has more than {MAX_FIELD_CHARACTERS:,} characters", advice="Shorten the value", column=column
            )
        try:
            return convert(record[column]) if column is not None else None
        except ValueError as error:
            raise _UnreadableError(str(error), advice="Correct the value, or leave it empty", column=column) from error

    unknown: dict[str, Any] = {}

    def doubted(name: str, convert: Callable[[Any], Any]) -> Any:
        """Read a value that vulnerability depends on: a complaint is not lost because one cannot be read."""
        column = columns[name]
        try:
            return convert(record[column]) if column is not None else None
        except ValueError:
            unknown[name] = _as_written(record[column or ""])
            return None

    tags = doubted("tags", to_tags)
    if "complaint_what_happened" not in record and tags == () and record.get(columns["tags"] or "") is None:
        # Only CFPB's API writes null where the consumer stated none.
        tags = None
    flag = doubted("account_vulnerable", to_flag)
    return ExportRow(
        row=number,
        complaint_id=read("complaint_id", to_id),
        narrative=read("narrative", to_narrative),
        received_at=read("received_at", to_moment),
        product=read("product", to_label),
        sub_product=read("sub_product", to_label),
        issue=read("issue", to_label),
        sub_issue=read("sub_issue", to_label),
        company=read("company", to_label),
        state=read("state", to_label),
        submitted_via=read("submitted_via", to_label),
        customer_id=read("customer_id", to_id),
        tags=tags,
        account_vulnerable=flag,
        unknown=unknown,
        member=place.member,
        member_row=place.row if place.member else None,
        absent=_absent(tuple(record)),
    )


@lru_cache(maxsize=1024)
def _absent(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for name, column in _columns(names).items() if column is None)


def _as_written(value: Any) -> Any:
    """Return a value that a table can hold: a text, or a list of texts."""
    return [str(part) for part in value] if isinstance(value, list | tuple | set) and not value else str(value)
