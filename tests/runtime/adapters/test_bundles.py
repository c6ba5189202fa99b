import io

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import EndpointConnectionError
from urllib3.exceptions import ProtocolError

from runtime.adapters.bundles import S3Bundles
from tests.factories import any_bundle, any_model_reference, any_sha256
from tests.runtime.conftest import BUCKET, calls, failing
from triage.bundle import MANIFEST_FILE, hash_files, verify
from triage.errors import BundleCorruptError, BundleUnavailableError

DOWN = EndpointConnectionError(endpoint_url="https://s3")


@pytest.fixture
def manifest(tmp_path):
    folder = tmp_path / "published"
    any_bundle(folder)
    (folder / "onnx").mkdir()
    (folder / "onnx/model.onnx").write_bytes(b"another graph")
    (folder / "model.safetensors").write_bytes(b"another format")
    return any_bundle(folder, files=hash_files(folder))


@pytest.fixture
def model(manifest):
    return any_model_reference(manifest_sha256=manifest.sha256)


@pytest.fixture
def bundles(cloud, tmp_path, manifest, model):
    """A store that holds the bundle."""
    bundles = S3Bundles(cloud.session().client("s3"), BUCKET)
    bundles.store(tmp_path / "published", manifest, model_id=model.model_id, revision=model.revision)
    return bundles


def test_what_is_stored_is_fetched(bundles, model, manifest, tmp_path):
    assert bundles.manifest(model) == manifest
    with pytest.raises(BundleCorruptError):
        verify(tmp_path / "served", manifest.served)
    bundles.fetch(model, manifest, tmp_path / "served")
    verify(tmp_path / "served", manifest.served)


def test_weights_in_another_format_are_stored_and_not_fetched(bundles, model, manifest, tmp_path):
    bundles.fetch(model, manifest, tmp_path / "served")
    assert not (tmp_path / "served/model.safetensors").exists()
    other = manifest.model_copy(update={"weights": "model.safetensors"})
    bundles.fetch(model, other, tmp_path / "other")
    assert (tmp_path / "other/model.safetensors").read_bytes() == b"another format"


def test_only_the_graph_that_is_loaded_is_fetched(bundles, model, manifest, tmp_path):
    bundles.fetch(model, manifest, tmp_path / "served")
    assert not (tmp_path / "served/onnx/model.onnx").exists()


def test_versions_do_not_touch_each_other(cloud, bundles, model, manifest, tmp_path):
    other = any_bundle(tmp_path / "other", labels=("a", "b"))
    bundles.store(tmp_path / "other", other, model_id=model.model_id, revision="b" * 40)
    assert bundles.manifest(model) == manifest


def test_the_manifest_is_stored_last(cloud, manifest, model, tmp_path):
    session = cloud.session()
    written = calls(session, "s3.PutObject")
    S3Bundles(session.client("s3"), BUCKET).store(
        tmp_path / "published", manifest, model_id=model.model_id, revision=model.revision
    )
    assert written[-1]["Key"].endswith(MANIFEST_FILE)
    assert len(written) == len(manifest.files) + 1


def test_another_manifest_than_the_registered_one_is_corrupt(bundles, model):
    with pytest.raises(BundleCorruptError):
        bundles.manifest(model.model_copy(update={"manifest_sha256": any_sha256("other")}))


def test_a_bundle_that_is_not_there_is_unavailable(bundles, model, manifest, tmp_path):
    elsewhere = model.model_copy(update={"revision": "b" * 40})
    with pytest.raises(BundleUnavailableError, match="NoSuchKey"):
        bundles.manifest(elsewhere)
    with pytest.raises(BundleUnavailableError):
        bundles.fetch(elsewhere, manifest, tmp_path / "served")


def test_what_was_fetched_before_is_not_fetched_again(cloud, bundles, model, manifest, tmp_path):
    bundles.fetch(model, manifest, tmp_path / "served")
    session = cloud.session()
    failing(session, "s3.GetObject", DOWN)
    broken = S3Bundles(session.client("s3"), BUCKET)
    broken.fetch(model, manifest, tmp_path / "served")
    with pytest.raises(BundleUnavailableError):
        broken.fetch(model, manifest, tmp_path / "elsewhere")


def test_what_was_fetched_in_part_is_fetched_again(bundles, model, manifest, tmp_path):
    bundles.fetch(model, manifest, tmp_path / "served")
    (tmp_path / "served/model.onnx").write_bytes(b"half")
    (tmp_path / "served/tokenizer.json").unlink()
    with pytest.raises(BundleCorruptError):
        verify(tmp_path / "served", manifest.served)
    bundles.fetch(model, manifest, tmp_path / "served")
    verify(tmp_path / "served", manifest.served)


class Cut(io.BytesIO):
    """A body whose connection breaks."""

    def read(self, *args, **kwargs):
        raise ProtocolError("connection broken")

    def stream(self, *args, **kwargs):
        raise ProtocolError("connection broken")


def test_a_download_that_breaks_off_once_is_repeated(cloud, bundles, model, manifest, tmp_path):
    session = cloud.session()
    broken: list[object] = []

    def break_once(request, **_):
        if not broken:
            broken.append(request)
            return AWSResponse(request.url, 200, HTTPHeaders(), Cut())
        return None

    session.events.register_first("before-send.s3.GetObject", break_once)
    S3Bundles(session.client("s3"), BUCKET).fetch(model, manifest, tmp_path / "served")
    assert broken
    verify(tmp_path / "served", manifest.served)


def test_a_download_that_keeps_breaking_off_is_unavailable(cloud, bundles, model, manifest, tmp_path):
    session = cloud.session()
    session.events.register_first(
        "before-send.s3.GetObject",
        lambda request, **_: AWSResponse(request.url, 200, HTTPHeaders(), Cut()),
    )
    with pytest.raises(BundleUnavailableError):
        S3Bundles(session.client("s3"), BUCKET).fetch(model, manifest, tmp_path / "served")
