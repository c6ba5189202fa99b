"""Lists published snapshots and describes them."""

import os

import pytest
from huggingface_hub import HfApi, constants

from tests.hub import served
from training.data.splits import PARTS
from training.snapshot import PublicationError, describe, publish_snapshot, published


@pytest.fixture
def endpoint(tmp_path):
    """A Hub for this test alone, so that it finds no datasets of other tests."""
    with served(tmp_path / "hub") as address:
        yield address


def test_snapshots_are_found_and_what_others_published_is_not(endpoint, snapshot):
    api = HfApi(endpoint=endpoint)
    for name in ("megabank/b", "local/a"):
        publish_snapshot(snapshot, dataset_id=name, endpoint=endpoint)
    api.create_repo("megabank/other", repo_type="dataset")
    api.create_repo("megabank/a-model")
    assert published(endpoint) == ["local/a", "megabank/b"]


def test_on_the_public_hub_only_datasets_of_the_account_are_found(endpoint, snapshot, monkeypatch):
    for name in ("stranger/b", "local/a"):
        publish_snapshot(snapshot, dataset_id=name, endpoint=endpoint)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    assert published(None, token=os.environ["HF_TOKEN"]) == ["local/a"]


def test_on_the_public_hub_a_token_is_needed(endpoint, monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "absent"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(PublicationError, match="set HF_TOKEN"):
        published(None)


def test_a_snapshot_is_described_by_its_card(endpoint, snapshot):
    sha = publish_snapshot(snapshot, dataset_id="megabank/a", endpoint=endpoint)
    told = describe("megabank/a", endpoint=endpoint)
    counts = {config: {part: parts[part].rows for part in PARTS} for config, parts in snapshot.configs.items()}
    assert (told.dataset, told.revision, told.rows) == ("megabank/a", sha, counts)


def test_a_hub_that_does_not_answer_is_an_error():
    with pytest.raises(PublicationError, match="did not answer"):
        describe("megabank/a", endpoint="http://127.0.0.1:9")
