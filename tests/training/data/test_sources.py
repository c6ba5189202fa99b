import pyarrow
import pyarrow.parquet
import pytest
from huggingface_hub import HfApi, constants

from tests.training.data.exports import any_export
from training.data.complaint_files import read_export
from training.data.dataset import load_labelled
from training.data.sources import SourceError, located, parsed
from training.snapshot import Terms, publish_snapshot, splits_of, stated_tags, write_snapshot

SHA = "0d5317a87d7703dc927cb29ed6fb0a82d1819904"


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """Keep downloads out of the user's cache."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HOME", str(home))
        patch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        yield home


@pytest.fixture(scope="module")
def published(endpoint, tmp_path_factory):
    """Return the id of a published snapshot, and its commit."""
    folder = tmp_path_factory.mktemp("snapshot")
    export = any_export(folder)
    data = load_labelled(export)
    snapshot = write_snapshot(
        data,
        folder,
        name="bank/read",
        splits=splits_of(data, test_from=None, seed=0),
        tags=stated_tags(export),
        redact=lambda narrative: narrative,
        terms=Terms(licence="other", language="en", redaction="none"),
    )
    return snapshot, publish_snapshot(snapshot, dataset_id="bank/read", endpoint=endpoint)


def uploaded(endpoint, name, **files):
    """Upload another publisher's dataset and return the sha of the commit. card: README.md."""
    api = HfApi(endpoint=endpoint)
    api.create_repo(name, repo_type="dataset", exist_ok=True)
    for path, content in files.items():
        path = "README.md" if path == "card" else path.replace("__", "/") + ".parquet"
        api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=name, repo_type="dataset")
    return api.dataset_info(name).sha


def parquet(folder, *ids):
    pyarrow.parquet.write_table(pyarrow.table({"complaint_id": list(ids)}), folder / "any")
    return (folder / "any").read_bytes()


def ids(path):
    return [row.complaint_id for row in read_export(path)]


def refusal(source, **options) -> str:
    with pytest.raises(SourceError) as caught:
        located(source, **options)
    assert str(caught.value).startswith(source)
    return str(caught.value)


@pytest.mark.parametrize("config", ["time", "grouped"])
def test_a_config_of_a_snapshot_is_read_as_one_export(published, endpoint, config):
    snapshot, sha = published
    path = located(f"hf://bank/read@{sha}:{config}", endpoint=endpoint)
    assert load_labelled(path).fingerprint == snapshot.fingerprints[config]


def test_without_a_name_the_default_config_is_read(published, endpoint):
    _, sha = published
    assert ids(located(f"hf://bank/read@{sha}", endpoint=endpoint)) == ids(
        located(f"hf://datasets/bank/read@{sha}:time", endpoint=endpoint)
    )


def test_a_split_alone_is_the_file_of_the_hub(published, endpoint):
    snapshot, sha = published
    path = located(f"hf://bank/read@{sha}:time/test", endpoint=endpoint)
    assert path.read_bytes() == (snapshot.folder / "data/time/test.parquet").read_bytes()


@pytest.mark.parametrize("part", ["", ":grouped/train"])
def test_a_second_read_does_not_ask_the_hub(published, endpoint, part):
    source = f"hf://bank/read@{published[1]}{part}"
    assert located(source, endpoint=endpoint) == located(source, endpoint="http://127.0.0.1:9")


def test_a_dataset_without_a_card_is_all_its_parquet_files(endpoint, tmp_path):
    sha = uploaded(endpoint, "other/bare", one=parquet(tmp_path, "1"), more__two=parquet(tmp_path, "2"))
    assert sorted(ids(located(f"hf://other/bare@{sha}", endpoint=endpoint))) == ["1", "2"]


@pytest.mark.parametrize(
    "files",
    ["data/*.parquet", "[data/a.parquet, data/b.parquet]", "[{split: train, path: [data/a.parquet, data/b.parquet]}]"],
)
def test_the_card_says_which_files_a_config_has(endpoint, tmp_path, files):
    card = f"---\nconfigs:\n- config_name: default\n  data_files: {files}\n---\n".encode()
    contents = {"data__a": parquet(tmp_path, "1"), "data__b": parquet(tmp_path, "2"), "c": parquet(tmp_path, "3")}
    sha = uploaded(endpoint, "other/carded", card=card, **contents)
    assert ids(located(f"hf://other/carded@{sha}", endpoint=endpoint)) == ["1", "2"]


@pytest.mark.parametrize("revision", ["main", "v1", SHA[:12], SHA.upper()])
def test_a_revision_that_is_no_commit_is_refused(revision):
    assert f"{revision!r} is not the 40-digit sha of a commit" in refusal(f"hf://bank/read@{revision}")


@pytest.mark.parametrize("source", ["hf://bank/read", "hf://bank/read:time"])
def test_a_source_without_a_commit_is_refused(source):
    assert "names no commit" in refusal(source)


@pytest.mark.parametrize("source", ["hf://read", f"hf://a/b/c@{SHA}", f"hf://a/b@{SHA}:", f"hf://a/b@{SHA}:x/y/z"])
def test_a_malformed_address_is_refused(source):
    assert "is not an address" in refusal(source)


def test_an_address_says_dataset_commit_config_and_split():
    wanted = parsed(f"hf://a/b@{SHA}:time/test")
    assert (wanted.dataset, wanted.revision, wanted.config, wanted.split) == ("a/b", SHA, "time", "test")


@pytest.mark.parametrize(
    ("part", "message"),
    [(":random", "has the configs time, grouped"), (":time/dev", "has the splits train, validation, test")],
)
def test_a_missing_config_or_split_is_refused_with_the_existing_ones(published, endpoint, part, message):
    assert message in refusal(f"hf://bank/read@{published[1]}{part}", endpoint=endpoint)


def test_several_configs_of_which_none_is_the_default_have_to_be_named(endpoint, tmp_path):
    card = b"---\nconfigs:\n- config_name: a\n  data_files: a.parquet\n- config_name: b\n  data_files: b.parquet\n---\n"
    sha = uploaded(endpoint, "other/two", card=card, a=parquet(tmp_path, "1"))
    assert "has the configs a, b. Add one" in refusal(f"hf://other/two@{sha}", endpoint=endpoint)
    assert "has none of the files" in refusal(f"hf://other/two@{sha}:b", endpoint=endpoint)


def test_files_that_do_not_go_together_are_refused(endpoint, tmp_path):
    sha = uploaded(endpoint, "other/mixed", a=parquet(tmp_path, "1"), b=parquet(tmp_path, ["2"]))
    assert "its files have different columns" in refusal(f"hf://other/mixed@{sha}", endpoint=endpoint)


def test_an_unknown_dataset_or_commit_is_refused(published, endpoint):
    for source in (f"hf://bank/nothing@{SHA}", f"hf://bank/read@{SHA}"):
        assert "no such dataset or commit" in refusal(source, endpoint=endpoint)


def test_a_hub_that_does_not_answer_is_named_so():
    assert "the Hub did not answer" in refusal(f"hf://bank/never@{SHA}", endpoint="http://127.0.0.1:9")
