"""Labels exports that the tests write. Some tests read the shared sample, if it is present."""

import csv
from collections import Counter
from datetime import date
from pathlib import Path
from zipfile import ZipFile

import pytest

from training.data.complaint_files import ExportError
from training.data.crosswalk import load_crosswalk
from training.data.dataset import LabelledData, load_labelled
from triage.taxonomy import load_taxonomy

SAMPLE = Path(__file__).parents[4] / "shared/data/cfpb.parquet"
NARRATIVE = "Consumer complaint narrative"
MORTGAGE = {
    "Complaint ID": "1",
    "Date received": "2015-04-01",
    "Product": "Mortgage",
    "Sub-product": "VA mortgage",
    "Issue": "Settlement process and costs",
    "Sub-issue": "",
    NARRATIVE: "The closing was moved\x00 four   times.",
    "Tags": "Servicemember",
    "Submitted via": "Web",
}
CARD = {
    **MORTGAGE,
    "Complaint ID": "2",
    "Date received": "2024-06-02",
    "Product": "Credit card",
    "Sub-product": "Store credit card",
    "Issue": "Fees or interest",
    NARRATIVE: "They charge me a fee for a card I sent back.",
    "Tags": "",
}


def export(folder: Path, *rows: dict[str, str], name: str = "export.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(MORTGAGE))
        writer.writeheader()
        writer.writerows(rows)
    return path


def failure(path: Path) -> ExportError:
    with pytest.raises(ExportError) as caught:
        load_labelled(path)
    assert str(path) in str(caught.value)
    return caught.value


@pytest.fixture(scope="module")
def sample() -> LabelledData:
    if not SAMPLE.exists():
        pytest.skip(f"{SAMPLE.name} is not beside the repository")
    return load_labelled(SAMPLE)


def test_labels_are_names_of_the_taxonomy_whatever_the_form(tmp_path):
    data = load_labelled(export(tmp_path, MORTGAGE, CARD))
    assert [(row.product, row.issue) for row in data.rows] == [
        ("Mortgage", "Closing on a mortgage"),
        ("Credit card", "Fees or interest"),
    ]
    assert (data.taxonomy, data.crosswalk) == (load_taxonomy().version, load_crosswalk().version)


def test_a_row_is_cleaned_as_in_serving_and_keeps_day_and_channel(tmp_path):
    row = load_labelled(export(tmp_path, MORTGAGE, CARD)).rows[0]
    assert row.narrative == "The closing was moved four times."
    assert (row.received, row.channel, row.complaint_id) == (date(2015, 4, 1), "Web", "1")


def test_models_learn_from_the_message_of_a_letter_as_serving_reads_it(tmp_path):
    mail = "<p>The closing was moved.</p><blockquote>Which card do you mean?</blockquote>"
    row = load_labelled(export(tmp_path, {**MORTGAGE, "Consumer complaint narrative": mail}, CARD)).rows[0]
    assert row.narrative == "The closing was moved."


@pytest.mark.parametrize(
    ("tags", "vulnerable"),
    [("Servicemember", True), ("Older American, Servicemember", True), ("", False), ("Consumer", False)],
)
def test_vulnerable_is_what_the_form_stated(tmp_path, tags, vulnerable):
    assert load_labelled(export(tmp_path, {**MORTGAGE, "Tags": tags}, CARD)).rows[0].vulnerable is vulnerable


def test_vulnerable_is_unknown_where_the_export_has_no_tags(tmp_path):
    path = tmp_path / "export.csv"
    columns = [name for name in MORTGAGE if name != "Tags"]
    path.write_text(
        "\n".join([",".join(columns), *(",".join(row[name] for name in columns) for row in (MORTGAGE, CARD))])
    )
    data = load_labelled(path)
    assert [row.vulnerable for row in data.rows] == [None, None]
    assert (data.counts("vulnerable"), data.rows[0].label("vulnerable")) == ({}, None)


def test_rows_without_a_narrative_are_left_out_and_counted(tmp_path):
    data = load_labelled(export(tmp_path, {**MORTGAGE, NARRATIVE: ""}, MORTGAGE, {**CARD, NARRATIVE: " \n"}, CARD))
    assert ([row.row for row in data.rows], data.without_narrative) == ([2, 4], 2)


def test_label_space_counts_and_years_are_of_the_rows(tmp_path):
    data = load_labelled(export(tmp_path, MORTGAGE, CARD, {**CARD, "Complaint ID": "3"}))
    assert data.label_space("issue") == ("Closing on a mortgage", "Fees or interest")
    assert data.counts("product") == {"Credit card": 2, "Mortgage": 1}
    assert data.counts("vulnerable") == {"not vulnerable": 2, "vulnerable": 1}
    assert data.years == {2015: 1, 2024: 2}


def test_copies_of_a_letter_share_a_group(tmp_path):
    assert load_labelled(export(tmp_path, CARD, MORTGAGE, {**CARD, "Complaint ID": "3"})).groups.tolist() == [1, 0, 1]


def test_a_task_that_no_export_labels_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"exports have labels for the tasks product, issue, vulnerable.*, not for 'tone'"
    ):
        load_labelled(export(tmp_path, MORTGAGE, CARD)).counts("tone")


def test_the_fingerprint_does_not_depend_on_the_order_of_the_rows(tmp_path):
    fingerprints = {load_labelled(export(tmp_path, *rows)).fingerprint for rows in ((MORTGAGE, CARD), (CARD, MORTGAGE))}
    assert len(fingerprints) == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (NARRATIVE, "The closing was moved five times."),
        ("Issue", "Other"),
        ("Tags", "Older American"),
        ("Tags", ""),
        ("Date received", "2015-04-02"),
        ("Submitted via", "Phone"),
        ("Complaint ID", "9"),
    ],
)
def test_the_fingerprint_changes_with_what_is_learnt_from(tmp_path, column, value):
    before = load_labelled(export(tmp_path, MORTGAGE, CARD)).fingerprint
    after = load_labelled(export(tmp_path, {**MORTGAGE, column: value}, CARD)).fingerprint
    assert (before == after) is (value == "Older American"), "both tags are one label"


def test_an_unknown_name_is_an_error_with_row_and_column(tmp_path):
    error = failure(export(tmp_path, MORTGAGE, {**CARD, "Issue": "Fee or interest"}))
    assert (error.row, error.column) == (2, "issue")
    assert "'Fee or interest' is unknown under 'Credit card'; the nearest known name is 'Fees or interest'" in str(
        error
    )


def test_every_unknown_name_is_told_at_once_each_with_its_rows(tmp_path):
    def row(number: int, **names: str) -> dict[str, str]:
        return {**CARD, "Complaint ID": str(number), **names}

    rows = [row(3), row(4, Issue="Fee or interest"), row(5, Product="Cards"), row(6, Issue="Fee or interest")]
    error = failure(export(tmp_path, MORTGAGE, *rows))
    assert (error.row, error.column) == (3, "issue")
    assert "issue 'Fee or interest' is unknown under 'Credit card'" in str(error)
    assert "(2 rows, first row 3); product 'Cards' is unknown" in str(error)
    assert "(1 rows, first row 4)" in str(error)


def test_very_many_unknown_names_are_counted(tmp_path):
    rows = [{**CARD, "Complaint ID": str(number), "Issue": f"issue {number}"} for number in range(10, 40)]
    error = failure(export(tmp_path, MORTGAGE, *rows))
    assert str(error).count("is unknown") == 20
    assert "and 10 more names" in str(error)


def test_of_two_exports_the_newer_counts(tmp_path):
    older, newer = export(tmp_path, MORTGAGE, CARD), tmp_path / "newer.csv"
    (tmp_path / "older.csv").write_bytes(older.read_bytes())
    newer.write_bytes(export(tmp_path, {**MORTGAGE, "Issue": "Other"}).read_bytes())
    with ZipFile(tmp_path / "both.zip", "w") as archive:
        archive.write(tmp_path / "older.csv", "2024.csv")
        archive.write(newer, "2025.csv")
    data = load_labelled(tmp_path / "both.zip", min_products=1)
    corrected = load_labelled(newer, min_products=1).rows[0].issue
    assert corrected != load_labelled(tmp_path / "older.csv").rows[0].issue
    assert [(row.complaint_id, row.issue) for row in data.rows][-1] == (MORTGAGE["Complaint ID"], corrected)
    assert (len(data.rows), data.corrected) == (2, 1)


@pytest.mark.parametrize("column", ["Product", "Issue", "Date received", NARRATIVE])
def test_an_absent_column_is_called_absent(tmp_path, column):
    with (tmp_path / "export.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [name for name in CARD if name != column], extrasaction="ignore")
        writer.writeheader()
        writer.writerows([MORTGAGE, CARD])
    error = failure(tmp_path / "export.csv")
    assert error.row is None
    assert ": is absent. Export it too; the column is called" in str(error)
    assert "empty" not in str(error)


@pytest.mark.parametrize(
    ("column", "field"), [("Product", "product"), ("Issue", "issue"), ("Date received", "received_at")]
)
def test_a_missing_value_is_an_error_with_row_and_column(tmp_path, column, field):
    error = failure(export(tmp_path, MORTGAGE, {**CARD, column: ""}))
    assert (error.row, error.column) == (2, field)
    assert "is empty" in str(error)


def test_a_malformed_date_is_an_error_with_row_and_column(tmp_path):
    error = failure(export(tmp_path, MORTGAGE, {**CARD, "Date received": "soon"}))
    assert (error.row, error.column) == (2, "Date received")


@pytest.mark.parametrize(("rows", "message"), [((), "holds no complaint"), (({**CARD, NARRATIVE: ""},), "all 1 rows")])
def test_a_file_without_complaints_is_an_error(tmp_path, rows, message):
    assert message in str(failure(export(tmp_path, *rows)))


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "export.csv").write_bytes(b"")
    assert "has no header line" in str(failure(tmp_path / "export.csv"))


def test_a_single_product_is_an_error_with_row_and_column(tmp_path):
    path = export(tmp_path, CARD, {**CARD, "Complaint ID": "3"})
    error = failure(path)
    assert (error.row, error.column) == (2, "product")
    assert "has 1 product(s), Credit card, in all 2 rows" in str(error)
    assert len(load_labelled(path, min_products=1).rows) == 2


def test_a_wrong_encoding_is_an_error_with_its_row(tmp_path):
    error = failure(export(tmp_path, MORTGAGE, {**CARD, NARRATIVE: "A fee of £5"}, encoding="cp1252"))
    assert error.row == 2
    assert "is not UTF-8" in str(error)


def test_a_corrupted_file_is_an_error(tmp_path):
    (tmp_path / "export.parquet").write_bytes(b"PAR1" + b"\x00" * 64)
    assert "cannot be read" in str(failure(tmp_path / "export.parquet"))


def test_no_error_quotes_a_narrative(tmp_path):
    for rows in ((CARD,), (CARD, {**MORTGAGE, "Issue": "?"}), (CARD, {**MORTGAGE, "Product": ""})):
        assert CARD[NARRATIVE] not in str(failure(export(tmp_path, *rows)))


def test_the_real_sample_is_labelled_from_first_to_last(sample):
    assert (len(sample.rows), sample.without_narrative) == (14_825, 0)
    assert len(sample.label_space("product")) == 11
    assert all(load_taxonomy().has_issue(row.product, row.issue) for row in sample.rows)
    assert sample.counts("vulnerable") == {"not vulnerable": 11_710, "vulnerable": 2_622}
    assert list(sample.years) == list(range(2015, 2027))


def test_equal_letters_of_the_real_sample_share_a_group(sample):
    groups_of_text: dict[str, set[int]] = {}
    for row, group in zip(sample.rows, sample.groups.tolist(), strict=True):
        groups_of_text.setdefault(row.narrative, set()).add(group)
    assert max(map(len, groups_of_text.values())) == 1
    assert Counter(sample.groups.tolist()).most_common(1)[0][1] > 10


def test_a_row_of_an_archive_is_named_by_its_file_and_its_number_there(tmp_path):
    with ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(export(tmp_path, MORTGAGE, CARD, name="a.csv"), "a.csv")
        archive.write(export(tmp_path, MORTGAGE, {**CARD, "Product": "Credit cart"}, name="b.csv"), "b.csv")
    with pytest.raises(
        ExportError, match=r"two\.zip, b\.csv, row 2, column 'product': product 'Credit cart' is unknown"
    ):
        load_labelled(tmp_path / "two.zip")


def test_a_value_that_is_missing_says_what_its_column_is_called(tmp_path):
    with pytest.raises(ExportError, match="the column is called received_at or date_received"):
        load_labelled(export(tmp_path, MORTGAGE, {**CARD, "Date received": ""}))


@pytest.mark.parametrize("tags", ["older american", "SERVICEMEMBER", "VIP; Older  American"])
def test_a_tag_is_recognised_in_every_spelling(tmp_path, tags):
    *_, row = load_labelled(export(tmp_path, MORTGAGE, {**CARD, "Tags": tags})).rows
    assert row.vulnerable is True
