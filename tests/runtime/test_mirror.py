import json
import math
from pathlib import Path
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from runtime import try_model
from runtime.adapters.bundles import REGISTRATION_FILE, S3Bundles
from runtime.adapters.dynamodb import Condition
from runtime.mirror import LONGEST_FAILURE, build
from tests.factories import (
    any_bundle,
    any_hub_model,
    any_model_reference,
    any_revision,
    write_scores,
    write_tokenizer_without_words,
)
from tests.runtime.conftest import BUCKET, Cloud, answering, calls, failing, stream_records
from triage.bundle import MANIFEST_FILE, describe
from triage.strategies.registry import ModelInfo
from triage.tables import MODEL_INFO


@pytest.fixture
def publish(hub):
    """Commit a folder to a new repository, and return its id and the commit."""

    def commit(folder: Path) -> tuple[str, str]:
        model_id = f"acme/model-{uuid4().hex}"
        hub.create_repo(model_id)
        return model_id, hub.upload_folder(repo_id=model_id, folder_path=folder).oid

    return commit


def mirror(
    cloud: Cloud, endpoint: str, model_id: str, revision: str, *, session=None, loadable: int = 10, **row: object
) -> ModelInfo:
    """Register a version, let it be mirrored, and return its row. loadable: megabytes that each engine can load.

    session: of the mirror; without one, models are tried in this process.
    """
    if session is None:
        session = trying(cloud)
    table = cloud.table(MODEL_INFO)
    table.put({"task": "product", **row, "model_id": model_id, "revision": revision})
    event = stream_records({"model_id": model_id, "revision": revision})
    assert build(cloud.mirror(endpoint, loadable=loadable), session)(event, None) is None
    return ModelInfo.model_validate(table.get(model_id, revision))


def trying(cloud: Cloud):
    """A session whose invocations try the model here."""
    session = cloud.session()
    run = try_model.build(cloud.try_model, cloud.session())
    answering(session, "lambda.Invoke", lambda event: run(event, None))
    return session


def stored(cloud: Cloud) -> list[str]:
    found = cloud.session().client("s3").list_objects_v2(Bucket=BUCKET)
    return [item["Key"] for item in found.get("Contents", [])]


@pytest.mark.parametrize("prepare", [any_bundle, any_hub_model], ids=["ours", "plain"])
def test_a_published_bundle_is_mirrored_and_can_be_served(cloud, hub_endpoint, publish, tmp_path, prepare):
    prepare(tmp_path / "published")
    model_id, revision = publish(tmp_path / "published")
    row = mirror(cloud, hub_endpoint, model_id, revision)
    assert row.failure is None
    assert row.bundle is not None
    assert (row.bundle.engine, row.bundle.labels) == ("onnx", 2)
    reference = any_model_reference(model_id=model_id, revision=revision, manifest_sha256=row.bundle.manifest_sha256)
    bundles = S3Bundles(cloud.session().client("s3"), BUCKET)
    manifest = bundles.manifest(reference)
    assert manifest == describe(tmp_path / "published")
    assert row.bundle.size == manifest.size
    bundles.fetch(reference, manifest, tmp_path / "served")
    for file in manifest.served:
        assert (tmp_path / "served" / file.path).read_bytes() == (tmp_path / "published" / file.path).read_bytes()


def test_nothing_but_the_allowed_files_is_copied(cloud, hub_endpoint, publish, tmp_path):
    any_bundle(tmp_path)
    (tmp_path / "modeling.py").write_text("import os")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    (tmp_path / "README.md").write_text("# A model")
    model_id, revision = publish(tmp_path)
    assert mirror(cloud, hub_endpoint, model_id, revision).bundle
    assert {key.rsplit("/", 1)[1] for key in stored(cloud)} == {
        "config.json",
        "model.onnx",
        "tokenizer.json",
        MANIFEST_FILE,
        REGISTRATION_FILE,
    }
    assert all(key.startswith(f"{model_id}/{revision}/") for key in stored(cloud))


def test_an_older_commit_is_mirrored_as_it_was(cloud, hub, hub_endpoint, publish, tmp_path):
    any_bundle(tmp_path, labels=("old", "older"))
    model_id, revision = publish(tmp_path)
    any_bundle(tmp_path, labels=("new", "newer"))
    hub.upload_folder(repo_id=model_id, folder_path=tmp_path)
    row = mirror(cloud, hub_endpoint, model_id, revision)
    assert row.bundle is not None
    manifest = S3Bundles(cloud.session().client("s3"), BUCKET).manifest(
        any_model_reference(model_id=model_id, revision=revision, manifest_sha256=row.bundle.manifest_sha256)
    )
    assert manifest.labels == ("old", "older")


def test_a_commit_that_does_not_exist_is_written_into_the_row(cloud, hub_endpoint, publish, tmp_path):
    any_bundle(tmp_path)
    model_id, _ = publish(tmp_path)
    row = mirror(cloud, hub_endpoint, model_id, any_revision())
    assert row.bundle is None
    assert str(row.failure).startswith("RegistryError: the Hub has no")
    assert stored(cloud) == []


def test_a_repository_that_does_not_exist_is_written_into_the_row(cloud, hub_endpoint):
    assert "RegistryError" in str(mirror(cloud, hub_endpoint, "acme/nowhere", any_revision()).failure)


def test_a_bundle_that_needs_remote_code_is_refused(cloud, hub_endpoint, publish, tmp_path):
    any_bundle(tmp_path)
    (tmp_path / "config.json").write_text('{"auto_map": {}, "id2label": {"0": "a", "1": "b"}}')
    row = mirror(cloud, hub_endpoint, *publish(tmp_path))
    assert str(row.failure).startswith("BundleUnsafeError")
    assert stored(cloud) == []


def test_pickles_alone_are_refused(cloud, hub_endpoint, publish, tmp_path):
    any_hub_model(tmp_path)
    (tmp_path / "model.onnx").rename(tmp_path / "pytorch_model.bin")
    assert str(mirror(cloud, hub_endpoint, *publish(tmp_path)).failure).startswith("BundleUnsafeError")


def test_a_file_that_differs_from_its_manifest_is_corrupt(cloud, hub_endpoint, publish, tmp_path):
    any_bundle(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    assert str(mirror(cloud, hub_endpoint, *publish(tmp_path)).failure).startswith("BundleCorruptError")
    assert stored(cloud) == []


def test_a_bundle_that_is_too_large_is_refused_before_it_is_fetched(cloud, hub_endpoint, publish, tmp_path):
    any_bundle(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(bytes(11_000_000))
    row = mirror(cloud, hub_endpoint, *publish(tmp_path))
    assert str(row.failure).startswith("BundleTooLargeError: 11 MB, at most 10 MB")


@pytest.mark.parametrize("engine", ["onnx", "transformers"])
def test_a_bundle_that_its_engine_cannot_load_is_refused(cloud, hub_endpoint, publish, tmp_path, engine):
    any_hub_model(tmp_path)
    (tmp_path / "model.onnx").unlink()
    weights = {"onnx": "model.onnx", "transformers": "model.safetensors"}[engine]
    (tmp_path / weights).write_bytes(bytes(4_000_000))
    row = mirror(cloud, hub_endpoint, *publish(tmp_path), loadable=3)
    assert str(row.failure).startswith(
        f"BundleTooLargeError: the {engine} engine would load 4 MB, and its functions have memory for 3 MB; register a"
    )
    assert stored(cloud) == []


def test_weights_that_no_engine_loads_do_not_count(cloud, hub_endpoint, publish, tmp_path):
    any_hub_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(bytes(4_000_000))
    bundle = mirror(cloud, hub_endpoint, *publish(tmp_path), loadable=3).bundle
    assert bundle and bundle.engine == "onnx"


def test_what_is_not_fetched_does_not_count_as_large(cloud, hub_endpoint, publish, tmp_path):
    any_bundle(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(11_000_000))
    assert mirror(cloud, hub_endpoint, *publish(tmp_path)).bundle


def test_a_bundle_for_another_task_is_refused(cloud, hub_endpoint, publish, tmp_path):
    any_bundle(tmp_path, task="issue")
    row = mirror(cloud, hub_endpoint, *publish(tmp_path), task="product")
    assert row.failure == (
        "RegistryError: the bundle is for the task issue, but was registered for product; register it for issue"
    )
    assert stored(cloud) == []


def test_a_hub_that_is_down_is_written_into_the_row(cloud, dead_endpoint):
    row = mirror(cloud, dead_endpoint, "acme/model", any_revision())
    assert row.bundle is None
    assert row.failure


def test_a_hub_that_is_down_is_unavailable(cloud, dead_endpoint):
    row = mirror(cloud, dead_endpoint, "acme/model", any_revision())
    assert str(row.failure).startswith("BundleUnavailableError: the Hub did not answer")


def test_a_bucket_that_is_down_is_written_into_the_row(cloud, hub_endpoint, publish, tmp_path):
    any_bundle(tmp_path)
    session = cloud.session()
    failing(session, "s3.PutObject", ClientError({"Error": {"Code": "SlowDown", "Message": "later"}}, "PutObject"))
    row = mirror(cloud, hub_endpoint, *publish(tmp_path), session=session)
    assert row.bundle is None
    assert row.failure


@pytest.mark.parametrize("operation", ["GetObject", "PutObject"])
def test_a_bucket_that_is_down_is_unavailable(cloud, hub_endpoint, publish, tmp_path, operation):
    any_bundle(tmp_path)
    session = cloud.session()
    failing(session, f"s3.{operation}", ClientError({"Error": {"Code": "SlowDown", "Message": "later"}}, operation))
    row = mirror(cloud, hub_endpoint, *publish(tmp_path), session=session)
    assert str(row.failure).startswith("BundleUnavailableError")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"model_id": "acme/model", "revision": "main", "task": "product"}, "revision"),
        ({"model_id": "nonsense", "revision": any_revision(), "task": "product"}, "model_id"),
        ({"model_id": "acme/model", "revision": any_revision()}, "task"),
        ({"model_id": "acme/model", "revision": any_revision(), "task": "product", "note": "mine"}, "note"),
    ],
)
def test_a_row_written_by_hand_is_told_what_is_wrong_with_it(cloud, dead_endpoint, row, problem):
    table = cloud.table(MODEL_INFO)
    table.put(row)
    event = stream_records({"model_id": row["model_id"], "revision": row["revision"]})
    build(cloud.mirror(dead_endpoint), cloud.session())(event, None)
    assert table.get(row["model_id"], row["revision"])["failure"].startswith(f"{problem}: ")


def test_one_bad_row_does_not_keep_the_next_from_being_mirrored(cloud, hub_endpoint, publish, tmp_path):
    any_bundle(tmp_path)
    model_id, revision = publish(tmp_path)
    keys = [{"model_id": name, "revision": revision} for name in ("nonsense", model_id)]
    for key in keys:
        cloud.table(MODEL_INFO).put({**key, "task": "product"})
    build(cloud.mirror(hub_endpoint), trying(cloud))(stream_records(*keys), None)
    assert cloud.table(MODEL_INFO).get(model_id, revision)["bundle"]


@pytest.mark.parametrize("operation", ["dynamodb.GetItem", "dynamodb.UpdateItem"])
def test_a_table_that_is_down_raises_nothing_and_leaves_the_row(cloud, dead_endpoint, operation):
    key = {"model_id": "acme/model", "revision": any_revision()}
    cloud.table(MODEL_INFO).put({**key, "task": "product"})
    session = cloud.session()
    failing(session, operation, ClientError({"Error": {"Code": "InternalServerError", "Message": "no"}}, "any"))
    build(cloud.mirror(dead_endpoint), session)(stream_records(key), None)
    assert cloud.table(MODEL_INFO).get(*key.values()) == {**key, "task": "product"}


def test_a_row_that_is_gone_or_was_judged_is_left_alone(cloud, dead_endpoint):
    table = cloud.table(MODEL_INFO)
    keys = {"model_id": "acme/model", "revision": any_revision()}
    session = cloud.session()
    written = calls(session, "dynamodb.UpdateItem")
    run = build(cloud.mirror(dead_endpoint), session)
    run(stream_records(keys), None)
    for done in ({"failure": "BundleUnsafeError: pickles"}, {"bundle": {"engine": "onnx"}}):
        table.put({**keys, "task": "product", **done})
        run(stream_records(keys), None)
    assert written == []
    assert table.get("acme/model", any_revision("gone")) is None


@pytest.fixture
def mirrored(cloud, hub_endpoint, publish, tmp_path):
    """Return an active mirrored model, and a function that processes its row again without a Hub."""
    any_bundle(tmp_path)
    model = mirror(cloud, hub_endpoint, *publish(tmp_path), registered_by="ann")
    key = {"model_id": model.model_id, "revision": model.revision}
    table = cloud.table(MODEL_INFO)
    table.update(*key.values(), assign={"state": "champion"}, condition=Condition("attribute_exists(#id)", id="task"))
    run = build(cloud.mirror("http://127.0.0.1:9"), cloud.session())
    return table, key, lambda: run(stream_records(key), None)


BY_HAND = [
    {"task": "issue"},
    {"registered_by": "eve"},
    {"bundle": {"engine": "onnx", "manifest_sha256": "0" * 64}},
    {"bundle": "gone"},
    {"note": "mine"},
    {"failure": "so I say"},
]


@pytest.mark.parametrize("edit", BY_HAND, ids=lambda edit: next(iter(edit)))
def test_what_may_not_change_is_put_back_and_measured_for_the_alarm(mirrored, capsys, edit):
    table, key, look = mirrored
    before = table.get(*key.values())
    table.put(before | edit)
    look()
    assert table.get(*key.values()) == before
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert line["RegistryEdited"] == [1.0]
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [[]]
    look()
    assert "_aws" not in capsys.readouterr().out


def test_what_is_taken_out_of_a_row_is_put_back(mirrored):
    table, key, look = mirrored
    before = table.get(*key.values())
    table.put({name: value for name, value in before.items() if name in (*key, "state")})
    look()
    assert table.get(*key.values()) == before


def test_a_row_that_was_deleted_comes_back_without_taking_part(mirrored):
    table, key, look = mirrored
    before = table.get(*key.values())
    table.delete(*key.values())
    look()
    assert table.get(*key.values()) == before | {"state": "registered"}


def test_a_deleted_row_that_is_registered_again_before_it_came_back_raises_no_alarm(mirrored, capsys):
    table, key, look = mirrored
    before = table.get(*key.values())
    again = {"task": before["task"], "state": "registered", "registered_by": "bob"}
    table.put({**key, **again, "registered_at": "2030-01-01T00:00:00.000Z"})
    look()
    assert table.get(*key.values()) == {k: v for k, v in before.items() if k != "activated_at"} | {
        "state": "registered"
    }
    assert "RegistryEdited" not in capsys.readouterr().out


@pytest.mark.parametrize("change", [{"state": "retired"}, {"activated_at": "2026-01-01T00:00:00.000Z"}])
def test_what_may_change_stays_changed(mirrored, capsys, change):
    table, key, look = mirrored
    changed = table.get(*key.values()) | change
    table.put(changed)
    look()
    assert table.get(*key.values()) == changed
    assert "_aws" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (write_tokenizer_without_words, "BundleUnfitError: tried on letters, it fails: "),
        (lambda folder: write_scores(folder, [math.nan, 0.0]), "NaN or infinite"),
        (lambda folder: write_scores(folder, [1.0, 2.0, 3.0]), "3 scores for 2 labels"),
        (lambda folder: write_scores(folder, [1.0, 0.0]), "the same scores to 6 different letters"),
    ],
    ids=["knows no word", "not a number", "other labels", "constant"],
)
def test_a_model_that_cannot_read_is_not_registered_and_its_row_says_why(
    cloud, hub_endpoint, publish, tmp_path, spoil, reason
):
    any_hub_model(tmp_path)
    spoil(tmp_path)
    row = mirror(cloud, hub_endpoint, *publish(tmp_path))
    assert row.bundle is None
    assert reason in str(row.failure)
    assert not any(key.endswith(REGISTRATION_FILE) for key in stored(cloud))


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (
            {"errorType": "Sandbox.Timedout", "errorMessage": "x"},
            "BundleUnfitError: loading it and reading letters needs",
        ),
        (
            {"errorType": "Runtime.ExitError", "errorMessage": "signal: killed"},
            "BundleUnfitError: loading it and reading",
        ),
        ({"errorMessage": "2026 id Task timed out after 60.00 seconds"}, "BundleUnfitError: loading it and reading"),
        (
            {"errorType": "BundleUnavailableError", "errorMessage": "S3"},
            "BundleUnavailableError: the model could not be",
        ),
        (None, "BundleUnfitError: tried on letters"),
    ],
    ids=["time", "memory", "time as told by Lambda", "bucket", "no document"],
)
def test_a_trial_that_ends_without_a_verdict_is_told_in_the_row(
    cloud, hub_endpoint, publish, tmp_path, failure, reason
):
    any_bundle(tmp_path)
    session = cloud.session()
    answering(session, "lambda.Invoke", lambda event: failure, failed=True)
    row = mirror(cloud, hub_endpoint, *publish(tmp_path), session=session)
    assert row.bundle is None
    assert str(row.failure).startswith(reason)


def test_a_trial_that_cannot_be_asked_for_is_unavailable(cloud, hub_endpoint, publish, tmp_path):
    any_bundle(tmp_path)
    session = cloud.session()
    failing(session, "lambda.Invoke", ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke"))
    row = mirror(cloud, hub_endpoint, *publish(tmp_path), session=session)
    assert str(row.failure).startswith("BundleUnavailableError: the model could not be tried")


def test_a_reason_that_quotes_a_long_name_is_cut(cloud, hub_endpoint, publish, tmp_path):
    any_bundle(tmp_path)
    session = cloud.session()
    long = {"errorType": "BundleUnfitError", "errorMessage": "x" * 90_000}
    answering(session, "lambda.Invoke", lambda event: long, failed=True)
    assert len(str(mirror(cloud, hub_endpoint, *publish(tmp_path), session=session).failure)) == LONGEST_FAILURE
