"""A mirrored model is tried on letters, and what is wrong with it is raised."""

import pytest

from runtime.adapters.bundles import S3Bundles
from runtime.try_model import build
from tests.factories import any_hub_model, any_model_reference, any_sha256, write_scores
from tests.runtime.conftest import BUCKET, Cloud, calls
from triage.bundle import describe
from triage.errors import BundleUnavailableError, BundleUnfitError
from triage.steps import ModelReference, Trial, Tried


def tried(cloud: Cloud, model: ModelReference, session=None) -> Tried:
    event = Trial(model=model).model_dump(mode="json")
    return Tried.model_validate(build(cloud.try_model, session or cloud.session())(event, None))


def test_a_model_that_reads_passes_and_no_complaint_is_read(cloud, tmp_path):
    session = cloud.session()
    read = calls(session, "dynamodb.GetItem")
    model = cloud.mirrored(tmp_path)
    assert tried(cloud, model, session) == Tried(model=model)
    assert read == []


def test_a_model_that_does_not_read_makes_the_step_fail(cloud, tmp_path):
    any_hub_model(tmp_path)
    write_scores(tmp_path, [1.0, 0.0])
    manifest = describe(tmp_path)
    model = any_model_reference(manifest_sha256=manifest.sha256)
    S3Bundles(cloud.session().client("s3"), BUCKET).store(
        tmp_path, manifest, model_id=model.model_id, revision=model.revision
    )
    with pytest.raises(BundleUnfitError, match="the same scores"):
        tried(cloud, model)


def test_nothing_of_a_model_stays_after_its_trial(cloud, tmp_path):
    session = cloud.session()
    fetched = calls(session, "s3.GetObject")
    model = cloud.mirrored(tmp_path)
    for _ in range(2):
        tried(cloud, model, session)
    assert len(fetched) % 2 == 0 and fetched


def test_a_bundle_that_is_not_there_is_unavailable(cloud):
    with pytest.raises(BundleUnavailableError):
        tried(cloud, any_model_reference(manifest_sha256=any_sha256("x")))
