import pytest
from huggingface_hub import HfApi, snapshot_download

from training.bundle.hub import CARD_FILE
from training.bundle.publish import publish
from triage.bundle import MANIFEST_FILE, Manifest, describe, hash_files
from triage.errors import BundleCorruptError


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "tokenizer.json").write_text("{}")
    # Large enough to be uploaded as an LFS file.
    (tmp_path / "model.onnx").write_bytes(bytes(2_000_000))
    (tmp_path / CARD_FILE).write_text("# A model")
    write_manifest(tmp_path)
    return tmp_path


def write_manifest(folder):
    manifest = Manifest(
        engine="onnx", weights="model.onnx", labels=("card", "loan"), max_length=64, files=hash_files(folder)
    )
    (folder / MANIFEST_FILE).write_bytes(manifest.document())


@pytest.fixture
def model_id(request):
    """The id of a repository that no other test uses."""
    return f"bank/{request.node.name}"


def commits(endpoint, model_id):
    return HfApi(endpoint=endpoint).list_repo_commits(model_id)


def test_what_is_published_is_what_is_downloaded(endpoint, model_id, bundle, tmp_path_factory):
    sha = publish(bundle, model_id=model_id, endpoint=endpoint)
    folder = snapshot_download(
        model_id, revision=sha, endpoint=endpoint, local_dir=tmp_path_factory.mktemp("download") / "model"
    )
    assert describe(type(bundle)(folder)) == describe(bundle)


def test_a_bundle_is_one_commit(endpoint, model_id, bundle):
    sha = publish(bundle, model_id=model_id, endpoint=endpoint)
    newest, initial = commits(endpoint, model_id)
    assert newest.commit_id == sha
    assert initial.commit_id != sha


def test_publishing_again_changes_nothing(endpoint, model_id, bundle):
    first = publish(bundle, model_id=model_id, endpoint=endpoint)
    assert publish(bundle, model_id=model_id, endpoint=endpoint) == first
    assert len(commits(endpoint, model_id)) == 2


def test_other_content_is_another_version_without_the_files_it_lacks(endpoint, model_id, bundle):
    (bundle / "vocab.txt").write_text("a\n")
    write_manifest(bundle)
    first = publish(bundle, model_id=model_id, endpoint=endpoint)
    (bundle / "vocab.txt").unlink()
    write_manifest(bundle)
    second = publish(bundle, model_id=model_id, endpoint=endpoint)
    assert second != first
    assert "vocab.txt" not in HfApi(endpoint=endpoint).list_repo_files(model_id, revision=second)


def test_files_that_are_not_of_the_bundle_stay_here(endpoint, model_id, bundle):
    (bundle / "notes.txt").write_text("private")
    sha = publish(bundle, model_id=model_id, endpoint=endpoint)
    assert "notes.txt" not in HfApi(endpoint=endpoint).list_repo_files(model_id, revision=sha)


def test_a_bundle_that_was_tampered_with_is_not_uploaded(bundle):
    (bundle / "config.json").write_text("{}")
    with pytest.raises(BundleCorruptError, match=r"config\.json"):
        publish(bundle, model_id="bank/never", endpoint="http://127.0.0.1:9")
