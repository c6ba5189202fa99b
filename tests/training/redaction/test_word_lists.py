import pyarrow
import pyarrow.parquet
import pytest

from training.redaction.word_lists import build, by_initial, ordinary_words, read_half


@pytest.fixture
def names(tmp_path):
    for file, lines in {
        "male.first": "JOHN 1\nMARK 2",
        "female.first": "MARY 1",
        "all.last": "SMITH 1\nBANK 2",
    }.items():
        (tmp_path / f"dist.{file}").write_text(lines)
    return tmp_path


def test_a_first_name_that_is_a_word_of_complaints_is_ambiguous(names):
    lists = build({"mark", "account"}, names)
    assert {"john", "mary"} <= lists["given"] and "mark" in lists["ambiguous"] and "account" in lists["ordinary"]
    assert not lists["given"] & lists["ambiguous"]


def test_a_word_that_is_never_a_name_is_in_no_list_of_names(names):
    assert "smith" in build(set(), names)["surnames"] and "bank" not in build(set(), names)["surnames"]


def test_a_word_seen_once_is_not_yet_ordinary():
    assert ordinary_words(["The bank", "the a a b"]) == {"the"}


def test_the_two_halves_of_an_export_share_no_complaint(tmp_path):
    path = tmp_path / "export.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"complaint_id": ["1", "2", "3"], "narrative": ["a", "b", "c"]}), path)
    assert list(read_half(path, even=True)) == ["b"]
    assert list(read_half(path, even=False)) == ["a", "c"]


def test_a_list_has_one_line_for_each_initial():
    assert by_initial({"bb", "a", "ba"}) == ["a", "ba bb"]
