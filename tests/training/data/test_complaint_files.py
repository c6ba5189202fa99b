"""Reads exports in every format. Some tests read the shared sample of real complaints, if it is present."""

import csv
import io
import json
from datetime import date
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data import complaint_files
from training.data.complaint_files import MAX_FIELD_CHARACTERS, ExportError, read_export
from triage.taxonomy import load_taxonomy

SAMPLE = Path(__file__).parents[4] / "shared/data/cfpb.parquet"
BULK_HEADER = ["Date received", "Product", "Sub-product", "Issue", "Sub-issue", "Consumer complaint narrative"]
BULK_HEADER += ["Company", "State", "Tags", "Submitted via", "Complaint ID"]


def bulk_csv(*rows: dict[str, str], header: list[str] = BULK_HEADER) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def written(directory: Path, name: str, content: str | bytes) -> Path:
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def zipped(directory: Path, *names: str, content: str = "") -> Path:
    with ZipFile(directory / "export.csv.zip", "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return directory / "export.csv.zip"


def only_row(path: Path):
    (row,) = read_export(path)
    return row


def failure(path: Path) -> ExportError:
    with pytest.raises(ExportError) as caught:
        list(read_export(path))
    assert str(path) in str(caught.value)
    return caught.value


def test_cfpb_bulk_csv_is_read_by_its_column_names(tmp_path):
    row = only_row(
        written(
            tmp_path,
            "complaints.csv",
            bulk_csv(
                {
                    "Date received": "2024-02-03",
                    "Product": "Mortgage",
                    "Sub-product": "FHA mortgage",
                    "Issue": "Closing on a mortgage",
                    "Sub-issue": "None",
                    "Consumer complaint narrative": 'They said "soon",\nthen nothing.',
                    "Company": "MegaBank",
                    "State": "TX",
                    "Tags": "Older American, Servicemember",
                    "Submitted via": "Web",
                    "Complaint ID": "81",
                }
            ),
        )
    )
    assert (row.row, row.complaint_id, row.received_at) == (1, "81", "2024-02-03")
    assert row.narrative == 'They said "soon",\nthen nothing.'
    assert (row.product, row.sub_product, row.issue, row.sub_issue) == (
        "Mortgage",
        "FHA mortgage",
        "Closing on a mortgage",
        None,
    )
    assert (row.company, row.state, row.submitted_via) == ("MegaBank", "TX", "Web")
    assert row.tags == ("Older American", "Servicemember")
    assert row.customer_id is None and row.account_vulnerable is None


@pytest.mark.parametrize(
    "content",
    [
        '[{"_source": {"complaint_id": "7", "complaint_what_happened": "a", "tags": null, "date_received": "%s"}}]',
        '{"hits": {"hits": [{"_source": {"complaint_id": "7", "complaint_what_happened": "a", "tags": null,\n'
        ' "date_received": "%s"}}]}}',
    ],
)
def test_cfpb_api_json_is_read_and_its_null_tags_mean_none_stated(tmp_path, content):
    row = only_row(written(tmp_path, "answer.json", content % "2024-02-03T12:00:00-05:00"))
    assert (row.complaint_id, row.narrative, row.tags) == ("7", "a", ())
    assert row.received_at == "2024-02-03T12:00:00-05:00"


def test_raw_complaints_items_are_read_from_json_lines(tmp_path):
    item = {
        "complaint_id": "c-1",
        "narrative": "a",
        "received_at": "2026-01-02T03:04:05.000Z",
        "customer_id": "k-9",
        "tags": ["Servicemember"],
        "account_vulnerable": True,
    }
    row = only_row(written(tmp_path, "items.jsonl", json.dumps(item) + "\n\n"))
    assert {name: getattr(row, name) for name in item} == {**item, "tags": ("Servicemember",)}


def test_json_lines_are_recognised_under_the_name_json(tmp_path):
    path = written(tmp_path, "items.json", '\n{"complaint_id": "1"}\n{"complaint_id": "2"}\n')
    assert [(row.row, row.complaint_id) for row in read_export(path)] == [(1, "1"), (2, "2")]


def test_one_json_object_on_many_lines_is_one_complaint(tmp_path):
    assert only_row(written(tmp_path, "one.json", '{\n "complaint_id":\n 3}')).complaint_id == "3"


def test_parquet_is_read_with_its_own_types(tmp_path):
    table = pyarrow.table(
        {
            "complaint_id": [1, 2],
            "date_received": [date(2024, 2, 3), None],
            "narrative": ["a", None],
            "tags": pyarrow.array([["Older American"], None], pyarrow.list_(pyarrow.string())),
            "account_vulnerable": [False, None],
            "unrelated": [1.5, 2.5],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "export.parquet")
    first, second = read_export(tmp_path / "export.parquet")
    assert (first.complaint_id, first.received_at, first.narrative) == ("1", "2024-02-03", "a")
    assert (first.tags, first.account_vulnerable) == (("Older American",), False)
    assert (second.received_at, second.narrative, second.tags, second.account_vulnerable) == (None,) * 4


def test_ids_that_a_data_frame_made_floats_are_whole_again(tmp_path):
    table = pyarrow.table({"Complaint_ID": [12.0, None, float("nan")]})
    pyarrow.parquet.write_table(table, tmp_path / "export.parquet")
    assert [row.complaint_id for row in read_export(tmp_path / "export.parquet")] == ["12", None, None]


def test_a_zip_is_read_as_the_one_export_inside(tmp_path):
    content = bulk_csv({"Complaint ID": "5"})
    with ZipFile(tmp_path / "complaints.csv.zip", "w") as archive:
        archive.writestr("export/complaints.csv", content)
        archive.writestr("__MACOSX/complaints.csv", "x")
    assert only_row(tmp_path / "complaints.csv.zip").complaint_id == "5"


@pytest.mark.parametrize("name", ["bulk.csv", "items.jsonl", "array.json"])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path, name):
    contents = {"bulk.csv": "Complaint ID\n6\n", "items.jsonl": '{"complaint_id": "6"}'}
    content = contents.get(name, '[{"complaint_id": "6"}]')
    assert only_row(written(tmp_path, name, content.encode("utf-8-sig"))).complaint_id == "6"


def test_missing_values_are_rows_like_any_other(tmp_path):
    path = written(tmp_path, "bulk.csv", bulk_csv({}, {"Complaint ID": "2", "Consumer complaint narrative": " "}))
    first, second = read_export(path)
    assert (first.complaint_id, first.narrative, first.received_at, first.product) == (None,) * 4
    assert (second.row, second.complaint_id, second.narrative) == (2, "2", " ")


def test_tags_are_unknown_without_a_column_and_none_when_left_empty(tmp_path):
    assert only_row(written(tmp_path, "bulk.csv", bulk_csv({"Complaint ID": "1"}))).tags == ()
    assert only_row(written(tmp_path, "bare.csv", "Complaint ID\n1\n")).tags is None
    assert only_row(written(tmp_path, "item.jsonl", '{"complaint_id": "1", "tags": null}')).tags is None


def test_older_american_dates_become_iso(tmp_path):
    path = written(tmp_path, "old.csv", "Complaint ID,Date received\n1,07/29/2013\n")
    assert only_row(path).received_at == "2013-07-29"


def test_a_narrative_of_two_hundred_thousand_characters_is_read(tmp_path):
    narrative = "word " * 40_000
    path = written(tmp_path, "long.csv", bulk_csv({"Complaint ID": "1", "Consumer complaint narrative": narrative}))
    assert only_row(path).narrative == narrative


def test_only_the_first_rows_are_read_up_to_the_limit(tmp_path):
    path = written(tmp_path, "items.jsonl", '{"complaint_id": "1"}\n{"complaint_id": "2"}\nbroken')
    assert [row.complaint_id for row in read_export(path, limit=2)] == ["1", "2"]
    assert not list(read_export(path, limit=0))
    with pytest.raises(ValueError, match="limit"):
        read_export(path, limit=-1)


def test_rows_before_a_broken_one_are_handed_out(tmp_path):
    rows = read_export(written(tmp_path, "items.jsonl", '{"complaint_id": "1"}\nbroken'))
    assert next(rows).complaint_id == "1"
    with pytest.raises(ExportError):
        next(rows)


@pytest.mark.parametrize(
    ("name", "content", "row", "column", "message"),
    [
        ("short.csv", "Complaint ID,State,Tags\n1,TX,\n2,TX\n", 2, "Tags", "2 values where the header has 3 columns"),
        ("long.csv", "Complaint ID\n1\n2,TX\n", 2, None, "2 values .* Quote values that hold commas"),
        ("open.csv", 'Complaint ID,State\n1,"TX\n', 1, None, "not CSV: unexpected end of data"),
        ("latin.csv", b"Complaint ID,State\n1,TX\n2,caf\xe9\n", 2, None, "0xe9 is not UTF-8. .*iconv"),
        ("day.csv", "Complaint ID,Date received\n1,31/12/2024\n", 1, "Date received", "is not a date"),
        ("lines.jsonl", '{"complaint_id": "1"}\n{"complaint_id": 2,}\n', 2, None, "not JSON: .* at character 20"),
        ("array.json", '[{"complaint_id": "1"},\n{"complaint_id" "2"}]', 2, None, "character 17 of line 2"),
        ("comma.json", '[{"complaint_id": "1"} {"complaint_id": "2"}]', 2, None, "Expecting ',' or ']'"),
        ("tail.json", '[{"complaint_id": "1"}] []', 2, None, "Extra data"),
        ("cut.json", '[{"complaint_id": "1"},', 2, None, "Expecting value"),
        ("empty.json", "", 1, None, "not JSON"),
        ("scalar.jsonl", '{"complaint_id": "1"}\n5\n', 2, None, "of type int, not an object"),
        ("type.jsonl", '{"complaint_id": "1", "narrative": ["a"]}', 1, "narrative", "must be text, not a value"),
        ("hits.json", '{"hits": 3}', None, None, "no list in hits.hits"),
        ("nameless.csv", "Product,State\nMortgage,TX\n", None, "complaint_id", "recognised were: product, state"),
        ("nameless.jsonl", '{"product": "Mortgage"}', None, "complaint_id", "no complaint ids"),
        ("twice.csv", "Complaint ID,complaint_id\n1,2\n", None, "complaint_id", "2 columns for complaint_id. Keep one"),
        ("empty.csv", "", None, None, "no header line"),
        ("export.xlsx", "", None, None, "no known suffix. Export as one of .csv"),
        ("export.parquet", "PAR", None, None, "cannot be read"),
        ("export.zip", "PK", None, None, "cannot be read"),
    ],
)
def test_an_unreadable_export_is_named_with_its_row_and_column(tmp_path, name, content, row, column, message):
    error = failure(written(tmp_path, name, content))
    assert (error.row, error.column) == (row, column)
    assert error.path == tmp_path / name
    assert (f"row {row}" in str(error)) is (row is not None)
    with pytest.raises(ExportError, match=message):
        raise error


def test_an_absent_file_is_named(tmp_path):
    assert "No such file" in str(failure(tmp_path / "absent.csv"))


def test_a_parquet_file_without_ids_is_refused(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"product": ["Mortgage"]}), tmp_path / "export.parquet")
    assert failure(tmp_path / "export.parquet").column == "complaint_id"


def archive_of(directory: Path, **members: str) -> Path:
    """Pack these files in this order; `_` in a name stands for the dot before its suffix."""
    with ZipFile(directory / "archive.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(".".join(name.rsplit("_", 1)), content)
    return directory / "archive.zip"


def test_an_archive_of_several_exports_is_read_as_one_in_the_order_of_their_names(tmp_path):
    path = archive_of(
        tmp_path,
        y2020_csv="Complaint ID,Product\n3,Mortgage\n",
        readme_txt="What this is.",
        y2019_csv="Complaint ID,Consumer complaint narrative\n1,late\n2,wrong\n",
        z_jsonl='{"complaint_id": "4"}',
    )
    rows = list(read_export(path))
    assert [(row.row, row.complaint_id) for row in rows] == [(1, "1"), (2, "2"), (3, "3"), (4, "4")]
    assert (rows[1].narrative, rows[2].product) == ("wrong", "Mortgage")


def test_an_error_in_an_archive_names_the_file_and_its_row(tmp_path):
    path = archive_of(tmp_path, a_csv="Complaint ID\n1\n2\n", b_csv="Complaint ID,Date received\n3,\n4,soon\n")
    with pytest.raises(ExportError, match=r"archive\.zip, b\.csv, row 2, column 'Date received'") as caught:
        list(read_export(path))
    assert caught.value.row == 2


def test_a_file_of_an_archive_that_cannot_be_read_is_refused_before_any_row(tmp_path):
    path = archive_of(tmp_path, a_csv="Complaint ID\n1\n", b_xlsx="PK")
    with pytest.raises(ExportError, match="no known suffix"):
        next(read_export(path))


def test_an_archive_without_exports_is_refused(tmp_path):
    assert "holds no export" in str(failure(zipped(tmp_path, "readme.txt")))


def test_a_zip_of_something_else_is_refused(tmp_path):
    assert "'letters.docx' has no known suffix" in str(failure(zipped(tmp_path, "letters.docx")))


def test_a_field_beyond_the_limit_is_refused_without_quoting_it(tmp_path):
    path = written(
        tmp_path, "huge.csv", "Complaint ID,narrative\n1," + "secret" * (MAX_FIELD_CHARACTERS // 6 + 1) + "\n"
    )
    error = failure(path)
    assert error.row == 1
    assert "secret" not in str(error)


def test_a_header_that_is_a_complaint_is_not_quoted(tmp_path):
    assert "Jane" not in str(failure(written(tmp_path, "headless.csv", "1,My name is Jane Doe\n")))


@given(narratives=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_csv_and_json_lines_give_every_narrative_back(tmp_path_factory, narratives):
    directory = tmp_path_factory.mktemp("export")
    rows = [{"Complaint ID": str(n), "Consumer complaint narrative": text} for n, text in enumerate(narratives)]
    lines = [json.dumps({"complaint_id": str(n), "narrative": text}) for n, text in enumerate(narratives)]
    expected = [text or None for text in narratives]
    assert [row.narrative for row in read_export(written(directory, "a.csv", bulk_csv(*rows)))] == expected
    assert [row.narrative for row in read_export(written(directory, "a.jsonl", "\n".join(lines)))] == expected


@given(content=st.binary(max_size=200), name=st.sampled_from(["a.csv", "a.json", "a.jsonl", "a.parquet", "a.zip"]))
def test_whatever_a_file_holds_is_read_or_refused_as_an_export_error(tmp_path_factory, content, name):
    path = written(tmp_path_factory.mktemp("export"), name, content)
    try:
        rows = list(read_export(path))
    except ExportError as error:
        assert error.path == path
    else:
        assert [row.row for row in rows] == list(range(1, len(rows) + 1))


def test_the_real_sample_is_read_and_its_recent_products_are_in_the_taxonomy():
    if not SAMPLE.exists():
        pytest.skip(f"{SAMPLE.name} is not beside the repository")
    assert all(row.complaint_id and row.narrative and row.product for row in read_export(SAMPLE, limit=200))
    recent = {row.product for row in read_export(SAMPLE) if row.received_at and row.received_at > "2023-08-24"}
    assert len(recent) == 11
    assert recent <= {product.name for product in load_taxonomy().products}


@pytest.mark.parametrize("trace", ["x/.DS_Store", "Thumbs.db", ".gitkeep"])
def test_files_of_the_operating_system_are_not_exports(tmp_path, trace):
    path = zipped(tmp_path, "a.csv", content=bulk_csv({"Complaint ID": "1"}))
    with ZipFile(path, "a") as archive:
        archive.writestr(trace, "x")
    assert only_row(path).complaint_id == "1"


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_is_named(tmp_path, separator):
    path = written(tmp_path, "export.csv", bulk_csv({"Complaint ID": "1"}).replace(",", separator))
    assert f"is separated by {separator!r}" in str(failure(path))


def test_a_file_in_utf_16_is_to_be_converted_from_it(tmp_path):
    path = written(tmp_path, "export.csv", bulk_csv({"Complaint ID": "1"}).encode("utf-16"))
    assert "iconv -f UTF-16" in str(failure(path))


LONG = "1" * 5_000


def test_old_mac_line_ends_are_named_in_plain_words(tmp_path):
    for name, content in (
        ("mac.csv", b"Complaint ID,Issue\r1,late\r2,early\r"),
        ("mac.jsonl", b'{"complaint_id": "1"}\r{"complaint_id": "2"}\r'),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ExportError, match="carriage returns alone, as old Macs did") as refused:
            list(read_export(tmp_path / name))
        assert "newline=" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", f'{{"complaint_id": {LONG}}}'),
        ("a.json", f'[{{"complaint_id": {LONG}}}]'),
        ("a.json", f'{{"hits": {{"hits": [{{"complaint_id": {LONG}}}]}}}}'),
        ("a.json", f'{{"complaint_id": {LONG}}}'),
        ("b.jsonl", f'{{"complaint_id": {"1" * 101}}}'),
    ],
)
def test_a_number_of_too_many_digits_is_refused(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(ExportError, match="digits, and at most 100 are read") as refused:
        list(read_export(tmp_path / name))
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("name", ["deep.json", "deep.jsonl"])
def test_json_that_nests_without_end_is_refused(tmp_path, name):
    (tmp_path / name).write_text('{"complaint_id": ' + "[" * 200_000)
    with pytest.raises(ExportError, match="nests without end"):
        list(read_export(tmp_path / name))


@pytest.mark.parametrize("day", ["1899-12-31", "2101-01-01", "0001-01-01T00:00:00", "01/01/0202", "9999-12-31"])
def test_a_day_of_another_age_is_refused(tmp_path, day):
    (tmp_path / "days.csv").write_text(f"Complaint ID,Date received\n1,{day}\n")
    with pytest.raises(ExportError, match="must be a day of the years 1900 to 2100"):
        list(read_export(tmp_path / "days.csv"))


@pytest.mark.parametrize(
    "column",
    [
        pyarrow.array([10_000_000], pyarrow.date32()),
        pyarrow.array([2**50], pyarrow.timestamp("s")),
        pyarrow.array([-(2**60)], pyarrow.timestamp("ms")),
    ],
    ids=["days", "seconds", "milliseconds"],
)
def test_a_day_that_python_cannot_count_is_refused(tmp_path, column):
    pyarrow.parquet.write_table(pyarrow.table({"complaint_id": ["1"], "date_received": column}), tmp_path / "d.parquet")
    with pytest.raises(ExportError, match="outside the years 1 to 9999"):
        list(read_export(tmp_path / "d.parquet"))


@pytest.mark.parametrize("packed", [ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA])
def test_an_archive_that_unpacks_without_bound_is_refused_before_it_is_unpacked(tmp_path, packed):
    """One line of commas is packed a thousandfold and more."""
    with ZipFile(tmp_path / "bomb.zip", "w", packed) as archive, archive.open("a.csv", "w") as member:
        for _ in range(110):
            member.write(b"," * 1_000_000)
    with pytest.raises(ExportError, match="more than 250 times its size"):
        list(read_export(tmp_path / "bomb.zip"))


def test_an_archive_of_very_many_files_is_refused(tmp_path):
    with ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(1_001):
            archive.writestr(f"{number}.csv", "")
    with pytest.raises(ExportError, match="holds 1,001 files"):
        list(read_export(tmp_path / "many.zip"))


@pytest.mark.parametrize("packed", [ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA, ZIP_STORED])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.parquet"])
def test_a_damaged_archive_is_one_error_that_names_the_file(tmp_path, packed, name):
    buffer = BytesIO()
    with ZipFile(buffer, "w", packed) as archive:
        archive.writestr(name, "Complaint ID,Issue\n" + "".join(f"{n},late payment {n * n}\n" for n in range(300)))
    whole = buffer.getvalue()
    refusals = list[str]()
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        (tmp_path / "damaged.zip").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            list(read_export(tmp_path / "damaged.zip"))
        except ExportError as error:
            refusals.append(str(error))
    assert refusals and all("damaged.zip" in refusal for refusal in refusals)


def test_a_value_that_a_file_holds_once_for_many_rows_is_held_once(tmp_path):
    """A few kilobytes that would be gigabytes, if each row had a copy."""
    rows, size = 1_000, 4_000_000
    once = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, pyarrow.int32()), pyarrow.array(["x" * size]))
    ids = pyarrow.array([str(number) for number in range(rows)])
    path = tmp_path / "once.parquet"
    pyarrow.parquet.write_table(
        pyarrow.table({"complaint_id": ids, "narrative": once}), path, compression="zstd", store_schema=False
    )
    assert path.stat().st_size < 100_000
    before = pyarrow.total_allocated_bytes()
    peak = 0
    for number, row in enumerate(read_export(path)):
        assert row.narrative is not None and len(row.narrative) == size
        peak = max(peak, pyarrow.total_allocated_bytes() - before)
        if number == 20:
            break
    assert peak < 10 * size


def test_a_parquet_file_that_unpacks_without_bound_is_refused(tmp_path):
    path = tmp_path / "bomb.parquet"
    table = pyarrow.table({"complaint_id": ["1"] * 30, "narrative": ["x" * 5_000_000 for _ in range(30)]})
    pyarrow.parquet.write_table(table, path, compression="zstd", use_dictionary=False)
    with pytest.raises(ExportError, match="more than 250 times its size"):
        list(read_export(path))


@pytest.mark.parametrize("name", ["long.csv", "long.jsonl"])
def test_a_line_without_end_is_refused_before_it_is_in_memory(tmp_path, name, monkeypatch):
    monkeypatch.setattr(complaint_files, "MAX_LINE_BYTES", 1_000)
    (tmp_path / name).write_bytes(b'"' + b"x" * 5_000)
    with pytest.raises(ExportError, match="is a line of more than 1,000 bytes"):
        list(read_export(tmp_path / name))


def test_a_document_that_is_held_whole_has_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(complaint_files, "MAX_DOCUMENT_BYTES", 100)
    (tmp_path / "a.json").write_text("[\n" + '{"complaint_id": "1"},\n' * 50)
    with pytest.raises(ExportError, match="one JSON document of more than 100 bytes"):
        list(read_export(tmp_path / "a.json"))
