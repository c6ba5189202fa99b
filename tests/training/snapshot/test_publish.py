"""Publishes snapshots to a Hub on loopback, and reads them back with `datasets`."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from huggingface_hub import HfApi

from training.data.splits import PARTS
from training.snapshot import PublicationError, publish_snapshot

LOAD = """
import json, sys
from datasets import load_dataset
name, sha, *configs = sys.argv[1:]
loaded = {config: load_dataset(name, config, revision=sha) for config in configs}
print(json.dumps({config: {split: part["complaint_id"][:] for split, part in data.items()}
    for config, data in loaded.items()}))
"""


@pytest.fixture
def dataset_id(request):
    """The id of a repository that no other test uses."""
    return f"bank/{request.node.name}"


def commits(endpoint, dataset_id):
    return HfApi(endpoint=endpoint).list_repo_commits(dataset_id, repo_type="dataset")


def test_a_snapshot_is_one_commit_and_publishing_again_changes_nothing(endpoint, dataset_id, snapshot):
    first = publish_snapshot(snapshot, dataset_id=dataset_id, endpoint=endpoint)
    assert publish_snapshot(snapshot, dataset_id=dataset_id, endpoint=endpoint) == first
    newest, initial = commits(endpoint, dataset_id)
    assert (newest.commit_id, initial.commit_id != first) == (first, True)


def test_other_terms_are_another_version(endpoint, dataset_id, snapshot, write, tmp_path):
    first = publish_snapshot(snapshot, dataset_id=dataset_id, endpoint=endpoint)
    second = publish_snapshot(write(tmp_path, redaction="rules-8"), dataset_id=dataset_id, endpoint=endpoint)
    assert first != second
    assert len(commits(endpoint, dataset_id)) == 3


def test_the_commit_holds_the_snapshot_and_nothing_else(endpoint, dataset_id, write, tmp_path):
    snapshot = write(tmp_path)
    (tmp_path / "notes.txt").write_text("private")
    api = HfApi(endpoint=endpoint)
    api.create_repo(dataset_id, repo_type="dataset")
    api.upload_file(path_or_fileobj=b"old", path_in_repo="old.csv", repo_id=dataset_id, repo_type="dataset")
    sha = publish_snapshot(snapshot, dataset_id=dataset_id, endpoint=endpoint)
    held = api.list_repo_files(dataset_id, repo_type="dataset", revision=sha)
    assert set(held) - {".gitattributes"} == snapshot.names


def test_a_dataset_is_private_unless_it_is_made_public(endpoint, dataset_id, snapshot):
    publish_snapshot(snapshot, dataset_id=dataset_id, endpoint=endpoint)
    publish_snapshot(snapshot, dataset_id=f"{dataset_id}-2", endpoint=endpoint, private=False)
    api = HfApi(endpoint=endpoint)
    assert [api.dataset_info(name).private for name in (dataset_id, f"{dataset_id}-2")] == [True, False]


def test_a_hub_that_does_not_answer_is_named_so(snapshot):
    with pytest.raises(PublicationError, match="the Hub refused bank/never, or did not answer"):
        publish_snapshot(snapshot, dataset_id="bank/never", endpoint="http://127.0.0.1:9")


def test_a_missing_file_is_not_blamed_on_the_hub(endpoint, dataset_id, snapshot, tmp_path):
    with pytest.raises(FileNotFoundError):
        empty = replace(snapshot, folder=tmp_path)
        publish_snapshot(snapshot, dataset_id=dataset_id, endpoint=endpoint)
        publish_snapshot(empty, dataset_id=dataset_id, endpoint=endpoint)


def test_load_dataset_gives_every_config_and_split(endpoint, dataset_id, snapshot, data, splits, tmp_path):
    sha = publish_snapshot(snapshot, dataset_id=dataset_id, endpoint=endpoint)
    # In a process of its own: datasets reads the address of the Hub when it is imported.
    run = subprocess.run(
        [sys.executable, "-c", LOAD, dataset_id, sha, *splits],
        env={**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = {
        config: {part: [data.rows[row].complaint_id for row in getattr(split, part)] for part in PARTS}
        for config, split in splits.items()
    }
    assert json.loads(run.stdout) == expected
