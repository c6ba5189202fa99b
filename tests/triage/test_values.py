"""One reader of values for every door: an item of the table, CSV, JSON lines and Parquet give the same complaint."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.aws.submission import raw_item
from training.data.complaint_files import read_export
from triage.complaint import Complaint
from triage.values import FLAGS, is_absent, to_flag, to_id, to_tags, to_text
from triage.vulnerability import stated

DOORS = ("table", "csv", "jsonl", "parquet")
SPELLINGS: dict[str, dict[tuple[Any, ...], list[str]]] = {
    "tags": {
        ("Older American",): [
            "Older American",
            "older_american",
            "['Older American']",
            '["Older American"]',
            "('Older American',)",
            "Older Americans;",
            "|Older American|",
            "None, Older American",
            "\ufeffOlder\u00a0American",
        ],
        ("Older American", "Servicemember"): [
            "Older American, Servicemember",
            "Older American; Servicemember",
            "Older American|Servicemember",
            '["Servicemember", "Older American"]',
            "Service member / Older American".replace(" / ", ","),
        ],
        (): ["", "NA", "None", "null", "nan", "[]", "N/A", "<NA>", "\u200b"],
    },
    "account_vulnerable": {
        (True,): ["true", "TRUE", "yes", "Y", "1", "1.0"],
        (False,): ["false", "No", "0", "0.0", "NA", "null", ""],
    },
    "customer_id": {("30000000",): ["30000000", "30000000.0", " 30000000", "\ufeff30000000"]},
}
CASES = [
    (name, means, text) for name, spelled in SPELLINGS.items() for means, texts in spelled.items() for text in texts
]


def through(door: str, folder: Path, **values: Any) -> Complaint:
    item = {"complaint_id": "1", "narrative": "They closed my account.", **values}
    if door == "table":
        return Complaint.read(item)
    path = folder / f"export.{door}"
    if door == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(item))
        writer.writeheader()
        writer.writerow(item)
        path.write_text(text.getvalue(), encoding="utf-8")
    elif door == "jsonl":
        path.write_text(json.dumps(item) + "\n")
    else:
        pyarrow.parquet.write_table(pyarrow.table({name: [value] for name, value in item.items()}), path)
    (row,) = read_export(path)
    return Complaint.read(raw_item(row))


def meaning(complaint: Complaint, name: str) -> tuple[Any, ...]:
    if name == "tags":
        return complaint.tags
    return (complaint.account_vulnerable,) if name == "account_vulnerable" else (complaint.subject,)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("name", "means", "text"), CASES)
def test_a_value_means_the_same_at_every_door(tmp_path, door, name, means, text):
    complaint = through(door, tmp_path, **{name: text})
    assert meaning(complaint, name) == means
    assert complaint.doubts == ()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("name", "text"), [("tags", "[1]"), ("tags", "['a"), ("account_vulnerable", "maybe")])
def test_what_no_reader_knows_is_a_doubt_at_every_door_and_the_complaint_is_not_lost(tmp_path, door, name, text):
    complaint = through(door, tmp_path, **{name: text})
    assert len(complaint.doubts) == 1
    assert complaint.narrative


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("text", ["\u200b\ufeff", "<p></p>", "&nbsp;", "null", "N/A"])
def test_a_narrative_of_nothing_is_empty_at_every_door(tmp_path, door, text):
    assert (through(door, tmp_path, narrative=text).unreadable or "").startswith("narrative is ")


@pytest.mark.parametrize("door", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("written", ["\ufeff8123456", "8123456.0", " 8123456"])
def test_an_id_loses_what_a_program_added(tmp_path, door, written):
    assert through(door, tmp_path, complaint_id=written).complaint_id == "8123456"


def test_a_byte_order_mark_before_the_name_of_a_column_is_no_part_of_it(tmp_path):
    (tmp_path / "a.csv").write_text("\ufeff\ufeffcomplaint_id,tags\n1,Servicemember\n", encoding="utf-8")
    (row,) = read_export(tmp_path / "a.csv")
    assert (row.complaint_id, row.tags) == ("1", ("Servicemember",))


def test_lists_and_numbers_of_a_data_frame_are_read_in_parquet(tmp_path):
    table = pyarrow.table({"complaint_id": [30000000.0], "tags": [["older american"]], "account_vulnerable": [1.0]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    (row,) = read_export(tmp_path / "a.parquet")
    assert (row.complaint_id, row.tags, row.account_vulnerable) == ("30000000", ("Older American",), True)


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(max_size=30)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(ANY)
def test_any_value_is_read_or_refused_without_being_quoted(value):
    for read in (to_text, to_id, to_flag, to_tags):
        try:
            read(value)
        except ValueError as error:
            assert str(error).startswith("must be ")


@given(st.sampled_from([*FLAGS, "None", "maybe"]), st.sampled_from([str.upper, str.title, lambda text: f" {text} "]))
def test_a_flag_is_read_however_it_is_written(text, spelled):
    if text == "maybe":
        with pytest.raises(ValueError, match="true or false"):
            to_flag(spelled(text))
    else:
        assert to_flag(spelled(text)) is FLAGS.get(text)


def test_stated_vulnerability_survives_every_spelling(tmp_path):
    for text in ("['Older American']", "SERVICE_MEMBERS", "Older-American|x"):
        assert stated(through("table", tmp_path, tags=text))


@pytest.mark.parametrize("value", [Decimal("NaN"), float("nan"), None, "<br>", "\ufeff"])
def test_what_stands_for_nothing_is_absent(value):
    assert is_absent(value)
