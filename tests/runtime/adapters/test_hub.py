import os
import socket
from uuid import uuid4

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError

from runtime.adapters.hub import Hub
from tests.factories import any_bundle, any_revision
from triage.bundle import describe
from triage.errors import BundleCorruptError, BundleTooLargeError, BundleUnavailableError, RegistryError

MEGABYTE = 1_000_000


@pytest.fixture
def published(hub, tmp_path):
    """Return the id, commit and folder of a repository with weights that the Hub stores as a large file."""
    folder = tmp_path / "published"
    any_bundle(folder)
    (folder / "model.safetensors").write_bytes(os.urandom(MEGABYTE // 2))
    (folder / "modeling.py").write_text("import os")
    model_id = f"acme/model-{uuid4().hex}"
    hub.create_repo(model_id)
    return model_id, hub.upload_folder(repo_id=model_id, folder_path=folder).oid, folder


def client(endpoint: str, **options: float) -> Hub:
    return Hub(endpoint, **{"token": None, "max_bytes": MEGABYTE, **options})  # type: ignore[arg-type]


def test_the_allowed_files_of_a_commit_are_fetched(hub_endpoint, published, tmp_path):
    model_id, revision, folder = published
    client(hub_endpoint).download(model_id, revision, tmp_path / "mirror")
    assert describe(tmp_path / "mirror") == describe(folder)
    for name in ("model.safetensors", "model.onnx", "tokenizer.json"):
        assert (tmp_path / "mirror" / name).read_bytes() == (folder / name).read_bytes()
    assert not (tmp_path / "mirror/modeling.py").exists()


def test_a_commit_or_repository_that_does_not_exist_is_named(hub_endpoint, published, tmp_path):
    model_id, revision, _ = published
    for name, commit in ((model_id, any_revision()), ("acme/nowhere", revision)):
        with pytest.raises(RegistryError, match=f"{name}@{commit}"):
            client(hub_endpoint).download(name, commit, tmp_path / "mirror")


def test_files_that_are_too_large_together_are_not_fetched(hub_endpoint, published, tmp_path):
    model_id, revision, _ = published
    with pytest.raises(BundleTooLargeError, match="MB are allowed"):
        client(hub_endpoint, max_bytes=MEGABYTE // 2).download(model_id, revision, tmp_path / "mirror")
    assert not list((tmp_path / "mirror").rglob("model.*"))


def test_files_that_are_larger_than_the_hub_announced_are_refused(hub_endpoint, published, tmp_path):
    model_id, revision, _ = published
    hub = client(hub_endpoint, max_bytes=MEGABYTE // 2)
    genuine = hub._files

    def understate(*args):
        sizes, hashes = genuine(*args)
        return dict.fromkeys(sizes, 1), hashes

    hub._files = understate  # type: ignore[method-assign]
    with pytest.raises(BundleTooLargeError, match="MB are allowed"):
        hub.download(model_id, revision, tmp_path / "mirror")


def test_a_hub_that_takes_a_call_and_never_answers_is_unavailable(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(BundleUnavailableError, match="Timeout"):
            client(endpoint, answers_within=0.2).download("acme/model", any_revision(), tmp_path)


def test_a_hub_that_is_down_is_unavailable(dead_endpoint, tmp_path):
    with pytest.raises(BundleUnavailableError):
        client(dead_endpoint).download("acme/model", any_revision(), tmp_path)


def test_a_hub_that_answers_with_an_error_is_unavailable(hub_endpoint, published, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        response = httpx2.Response(503, request=httpx2.Request("GET", hub_endpoint))
        raise HfHubHTTPError("503 Service Unavailable", response=response)

    hub = client(hub_endpoint)
    monkeypatch.setattr(hub._api, "snapshot_download", fail)
    with pytest.raises(BundleUnavailableError):
        hub.download(published[0], published[1], tmp_path / "mirror")


def test_a_large_file_that_is_not_what_the_hub_names_is_corrupt(hub_endpoint, published, tmp_path):
    model_id, revision, _ = published
    hub = client(hub_endpoint)
    hub.download(model_id, revision, tmp_path / "mirror")
    genuine = hub._api.snapshot_download

    def tamper(*args, **kwargs):
        result = genuine(*args, **kwargs)
        (tmp_path / "mirror/model.safetensors").write_bytes(b"other weights")
        return result

    hub._api.snapshot_download = tamper  # type: ignore[method-assign]
    with pytest.raises(BundleCorruptError, match=r"model\.safetensors"):
        hub.download(model_id, revision, tmp_path / "mirror")


def test_no_token_of_the_machine_is_sent(hub_endpoint, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert client(hub_endpoint)._api.token is False
