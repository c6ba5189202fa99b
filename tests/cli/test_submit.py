import json

from tests.cli.commands import ENV, export
from tests.factories import any_allocation, any_item
from tests.stories import any_erasure


def test_submitted_complaints_are_put_without_what_their_export_decided(triage, deployment, tmp_path):
    file = export(tmp_path, any_item(complaint_id="1", product="Mortgage"), any_item(complaint_id="2"))
    totals = triage("submit", file, "--json", *ENV).json
    assert (totals["submitted"], totals["duplicates"], totals["rejected"]) == (2, 0, 0)
    assert deployment.complaints.get("1") == any_item(complaint_id="1")


def test_a_limit_submits_the_first_complaints(triage, deployment, tmp_path):
    file = export(tmp_path, any_item(complaint_id="1"), any_item(complaint_id="2"))
    assert triage("submit", file, "--limit", 1, "--json", *ENV).json["submitted"] == 1
    assert deployment.complaints.get("2") is None


def test_complaints_submitted_again_are_counted_and_untouched(triage, deployment, tmp_path):
    triage("submit", export(tmp_path, any_item(narrative="first")), *ENV)
    result = triage("submit", export(tmp_path, any_item(narrative="first")), "--json", *ENV)
    assert (result.code, result.json["duplicates"]) == (0, 1)


def test_another_complaint_with_the_same_id_is_told_and_kept(triage, deployment, tmp_path):
    items = (any_item(complaint_id="1", narrative=narrative) for narrative in ("first", "second", "third"))
    result = triage("submit", export(tmp_path, *items), "--json", *ENV)
    assert result.code == 1
    assert (result.json["submitted"], result.json["conflicts"], result.json["duplicates"]) == (3, 2, 0)
    assert "2 of 3 rows were not put, 2 of them because another complaint has their id" in result.err
    kept = [json.loads(line)["narrative"] for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
    assert {*kept, deployment.complaints.get("1")["narrative"]} == {"first", "second", "third"}


def test_an_erased_complaint_is_brought_back_only_on_purpose(triage, deployment, tmp_path):
    deployment.story.put(any_erasure(complaint_id="1"))
    deployment.story.put({"complaint_id": "1", "entry": "HOLD#2026", "code_version": "test"})
    file = export(tmp_path, any_item(complaint_id="1"))
    refused = triage("submit", file, *ENV)
    assert refused.code == 1 and "1 was erased at 2026-03-02T15:00:00.000Z; use --again" in refused.err
    assert deployment.complaints.get("1") is None
    assert triage("submit", file, "--again", *ENV).code == 0
    assert deployment.complaints.get("1")
    assert triage("submit", file, *ENV).code == 0


def test_refused_rows_are_kept_to_be_mended(triage, deployment, tmp_path):
    file = export(tmp_path, any_item(complaint_id="1"), any_item(complaint_id=None, narrative="a secret"))
    result = triage("submit", file, "--json", *ENV)
    assert result.code == 1
    assert result.json["rejected"] == 1
    assert "row 2 refused: it has no complaint_id" in result.err
    rejected = tmp_path / "rejected.jsonl"
    assert json.loads(rejected.read_text()) == {"narrative": "a secret"}
    assert rejected.stat().st_mode & 0o077 == 0
    assert "secret" not in result.err + result.out


def test_a_mended_file_of_refused_rows_can_be_submitted(triage, deployment, tmp_path):
    triage("submit", export(tmp_path, any_item(complaint_id="1"), any_item(complaint_id=None)), *ENV)
    rejected = tmp_path / "rejected.jsonl"
    mended = json.loads(rejected.read_text()) | {"complaint_id": "2"}
    assert triage("submit", export(tmp_path, mended, name="mended.jsonl"), "--json", *ENV).json["submitted"] == 1
    assert deployment.complaints.get("2")


def test_a_submission_can_be_waited_for(triage, deployment, tmp_path):
    deployment.story.put(any_allocation(route="review", journey="specialist"))
    totals = triage("submit", export(tmp_path, any_item()), "--wait", "--json", *ENV).json
    assert (totals["allocated"], totals["review"], totals["specialist"]) == (1, 1, 1)


def test_an_allocation_that_does_not_come_in_time_is_a_failure_with_its_totals(triage, deployment, tmp_path):
    result = triage("submit", export(tmp_path, any_item()), "--wait", "--timeout", 0.1, "--json", *ENV)
    assert result.code == 1
    assert result.json["allocated"] == 0
    assert "1 complaints had no allocation after 0.1 s, such as 8123456" in result.err


def test_allocations_are_shown_to_people(triage, deployment, tmp_path):
    deployment.story.put(any_allocation(product_team="student-loan"))
    result = triage("submit", export(tmp_path, any_item()), "--wait", *ENV)
    assert result.code == 0
    assert "student-loan" in result.out


def test_an_export_that_cannot_be_read_says_where(triage, deployment, tmp_path):
    (tmp_path / "complaints.csv").write_text("narrative\nno ids")
    result = triage("submit", tmp_path / "complaints.csv", *ENV)
    assert result.code == 1
    assert "has no complaint ids" in result.err


def test_a_file_that_does_not_exist_is_wrong_usage(triage, deployment):
    assert triage("submit", "absent.csv", *ENV).code == 2


def test_a_file_that_fails_in_the_middle_says_how_many_rows_were_submitted(triage, deployment, tmp_path):
    rows = [{"complaint_id": str(number), "narrative": "late"} for number in range(1, 1_501)]
    file = export(tmp_path, *rows, {"narrative": "a secret"}, name="complaints.jsonl")
    file.write_text(f"{file.read_text()}\n{{broken")
    result = triage("submit", file, "--json", *ENV)
    assert result.code == 1
    assert "row 1502: is not JSON" in result.err
    assert "The 1,501 rows before it were submitted, 1 refused." in result.err
    assert (result.json["submitted"], result.json["rejected"]) == (1_501, 1)
    assert deployment.complaints.get("1500")
    assert json.loads((tmp_path / "rejected.jsonl").read_text()) == {"narrative": "a secret"}


def test_refused_rows_that_are_handed_in_again_are_kept_once(triage, deployment, tmp_path):
    rejected = tmp_path / "rejected.jsonl"
    file = export(tmp_path, any_item(complaint_id=None, narrative="a"), any_item(complaint_id=None, narrative="b"))
    for handed_in in (file, file, rejected, rejected):
        triage("submit", handed_in, *ENV)
        assert [json.loads(line)["narrative"] for line in rejected.read_text().splitlines()] == ["a", "b"]
    assert rejected.stat().st_mode & 0o077 == 0


def test_what_is_corrected_in_the_file_of_refused_rows_leaves_it(triage, deployment, tmp_path):
    rejected = export(
        tmp_path, any_item(complaint_id="1"), any_item(complaint_id=None, narrative="b"), name="rejected.jsonl"
    )
    triage("submit", rejected, *ENV)
    assert deployment.complaints.get("1")
    assert [json.loads(line)["narrative"] for line in rejected.read_text().splitlines()] == ["b"]


def test_what_was_not_read_stays_in_the_file_of_refused_rows(triage, deployment, tmp_path):
    rejected = export(tmp_path, *(any_item(complaint_id=str(n)) for n in range(1, 4)), name="rejected.jsonl")
    triage("submit", rejected, "--limit", 1, *ENV)
    assert [json.loads(line)["complaint_id"] for line in rejected.read_text().splitlines()] == ["2", "3"]


def test_refused_rows_are_not_written_into_a_table(triage, deployment, tmp_path):
    file = tmp_path / "complaints.csv"
    file.write_text("narrative,complaint_id\nlate,1\n")
    result = triage("submit", file, "--rejects", file, *ENV)
    assert result.code == 2
    assert "the file that is read: name another" in result.err
    assert deployment.complaints.get("1") is None
