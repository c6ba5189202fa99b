import pytest
from huggingface_hub import HfApi, constants

from cli.errors import CommandError, WrongUsageError
from cli.source import readable
from tests.hub import served


def test_a_file_is_read_where_it_lies_and_the_hub_is_not_asked_for(tmp_path):
    path = tmp_path / "complaints.csv"
    path.touch()

    def endpoint():
        raise AssertionError("the Hub was asked for")

    assert readable(str(path), endpoint=endpoint) == path


@pytest.mark.parametrize(("name", "problem"), [("missing.csv", "does not exist"), (".", "is not a file")])
def test_a_source_that_is_not_a_file_is_an_error(tmp_path, name, problem):
    with pytest.raises(WrongUsageError, match=problem):
        readable(str(tmp_path / name))


def test_a_dataset_is_fetched_from_the_hub_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with served(tmp_path / "hub") as address:
        hub = HfApi(endpoint=address)
        hub.create_repo("acme/complaints", repo_type="dataset")
        content = b"PAR1"
        commit = hub.upload_file(
            repo_id="acme/complaints", repo_type="dataset", path_in_repo="rows.parquet", path_or_fileobj=content
        )
        found = readable(f"hf://acme/complaints@{commit.oid}", endpoint=lambda: address)
    assert found.read_bytes() == content


def test_a_dataset_that_names_no_commit_is_refused():
    with pytest.raises(CommandError, match="names no commit"):
        readable("hf://acme/complaints")
