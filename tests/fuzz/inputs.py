"""What may come through a door: values of every kind that DynamoDB, files and the shell can carry, and near misses."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.factories import any_item

AttributeValue = dict[str, Any]
"""A value as DynamoDB's API takes it, such as `{"S": "7"}`."""

STRANGE = (
    "",
    " ",
    "None",
    "NaN",
    "2.02611E+12",
    "30000000.0",
    "../../etc/passwd",
    "'; --",
    "\x00",
    "\ufeff1",
    "\u200b",
    "\u202e1",
    "<p></p>",
    "[]",
    "{",
    "#",
    "FEEDBACK#1",
    "%s",
    "--help",
    "9" * 400,
    "k" * 1_020,
    "🙂" * 50,
    "2026-13-45T99:99:99Z",
    "9999-12-31T23:59:59+14:00",
    "x" * 300_000,
)
"""Texts that have confused readers of data elsewhere."""


def texts(*likely: str) -> st.SearchStrategy[str]:
    return st.sampled_from([*likely, *STRANGE]) | st.text(st.characters(codec="utf-8"), max_size=40)


NUMBERS = st.integers(-(10**37), 10**37).map(str) | st.sampled_from(
    ["0", "-1", "1", "2", "1.5", "1e-30", "9007199254740993"]
)


def attribute_values(*likely: Any) -> st.SearchStrategy[AttributeValue]:
    """Return values of every type of DynamoDB, and the likely ones. They nest two levels deep."""
    scalar = st.one_of(
        texts().map(lambda text: {"S": text}),
        NUMBERS.map(lambda number: {"N": number}),
        st.booleans().map(lambda flag: {"BOOL": flag}),
        st.just({"NULL": True}),
        st.binary(min_size=1, max_size=8).map(lambda data: {"B": data}),
        st.sets(texts("Older American").filter(bool), min_size=1, max_size=3).map(lambda names: {"SS": [*names]}),
        st.sets(st.integers(-5, 5), min_size=1).map(lambda numbers: {"NS": [str(number) for number in numbers]}),
    )
    nested = st.lists(scalar, max_size=3).map(lambda values: {"L": values}) | st.dictionaries(
        texts("narrative", "name").filter(bool), scalar, max_size=3
    ).map(lambda values: {"M": values})
    usual = [st.sampled_from(likely)] if likely else []
    return st.one_of(*usual, scalar, nested)


def rows(
    keys: Mapping[str, st.SearchStrategy[str]], likely: Mapping[str, Sequence[AttributeValue]]
) -> st.SearchStrategy[dict[str, AttributeValue]]:
    """Return rows of a table: its keys, some of the attributes that readers look for, and some that nobody knows."""
    key = st.fixed_dictionaries({name: texts.map(lambda text: {"S": text}) for name, texts in keys.items()})
    known = st.fixed_dictionaries({}, optional={name: attribute_values(*values) for name, values in likely.items()})
    unknown = st.dictionaries(texts("triage", "ttl").filter(bool), attribute_values(), max_size=2)
    return st.tuples(unknown, known, key).map(lambda parts: {**parts[0], **parts[1], **parts[2]})


def near(
    good: Mapping[str, Any], values: st.SearchStrategy[Any], *, kept: Sequence[str] = ()
) -> st.SearchStrategy[dict[str, Any]]:
    """Return what is right but for two attributes at most, each left out or with another value. kept: never changed."""
    names = [*(name for name in good if name not in kept), "unheard_of"]
    changes = st.dictionaries(st.sampled_from(names), st.none() | values, max_size=2)
    return changes.map(
        lambda changed: {name: value for name, value in {**good, **changed}.items() if value is not None}
    )


def items() -> st.SearchStrategy[dict[str, Any]]:
    """Return lines of an export as JSON has them."""
    scalar = texts("Mortgage", "Older American", "2026-03-02") | st.integers() | st.floats() | st.booleans() | st.none()
    value = scalar | st.lists(scalar, max_size=3)
    names = ("complaint_id", "narrative", "tags", "customer_id", "received_at", "product", "account_vulnerable")
    return st.fixed_dictionaries({}, optional={name: value for name in names}) | near(any_item(), value)


def files() -> st.SearchStrategy[tuple[str, bytes]]:
    """Return names and contents of files that somebody hands in as an export."""
    lines = st.lists(items(), max_size=4).map(lambda all_: "\n".join(json.dumps(each) for each in all_).encode())
    cells = st.lists(st.lists(texts("7", "My card was stolen."), min_size=1, max_size=4), max_size=4)
    table = cells.map(lambda rows_: ("complaint_id,narrative,tags\n" + "\n".join(map(",".join, rows_))).encode())
    encoded = st.tuples(table | lines, st.sampled_from(["utf-8", "utf-16", "latin-1"])).map(
        lambda both: both[0].decode().encode(both[1], errors="replace")
    )
    cut = st.tuples(lines | table, st.integers(0, 60)).map(lambda both: both[0][: both[1]])
    zipped = st.tuples(lines | table, st.sampled_from(["a.csv", "a.jsonl", "../a.csv", "a.exe"])).map(_zipped)
    content = st.one_of(lines, table, encoded, cut, zipped, st.binary(max_size=200))
    name = st.sampled_from(["a.csv", "a.jsonl", "a.json", "a.parquet", "a.csv.zip", "a.zip", "a.csv.gz", "a.txt", "a"])
    usable = st.lists(near(any_item(), texts("Older American"), kept=["narrative"]), min_size=1, max_size=3)
    right = usable.map(lambda all_: ("a.jsonl", "\n".join(json.dumps(each) for each in all_).encode()))
    return st.tuples(name, content) | right


def _zipped(both: tuple[bytes, str]) -> bytes:
    content, name = both
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()
