import pytest

from runtime import model_inference
from runtime.shadow_inference import build
from tests.factories import any_item
from tests.runtime.conftest import Cloud
from triage.steps import ModelReference, Outcome
from triage.story import SHADOW, PredictionEntry
from triage.tables import COMPLAINTS_ALLOCATION, RAW_COMPLAINTS


@pytest.fixture
def shadow(cloud: Cloud, tmp_path) -> ModelReference:
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", narrative="My mortgage was sold."))
    return cloud.mirrored(tmp_path).model_copy(update={"arm": "next", "bucket": 7, "shadow": True})


def story(cloud: Cloud) -> list[PredictionEntry]:
    return [PredictionEntry.model_validate(item) for item in cloud.table(COMPLAINTS_ALLOCATION).query("1")]


def request(model: ModelReference):
    return {"complaint_id": "1", "model": model.model_dump(mode="json")}


def test_what_a_shadow_says_is_recorded_apart_with_arm_and_bucket(cloud, shadow):
    result = build(cloud.shadow_inference, cloud.session())(request(shadow), None)
    assert Outcome.model_validate(result) == Outcome(model=shadow)
    (entry,) = story(cloud)
    assert (entry.label, entry.model.arm, entry.model.bucket, entry.model.shadow) == ("Mortgage", "next", 7, True)
    assert entry.entry.startswith(SHADOW)


def test_a_shadow_is_asked_once(cloud, shadow):
    build(cloud.shadow_inference, cloud.session())(request(shadow), None)
    recorded = story(cloud)
    build(cloud.shadow_inference, cloud.session())(request(shadow), None)
    assert story(cloud) == recorded


def test_the_same_version_may_answer_one_complaint_and_shadow_it_without_a_collision(cloud, shadow):
    build(cloud.shadow_inference, cloud.session())(request(shadow), None)
    answering = shadow.model_copy(update={"shadow": False})
    model_inference.build(cloud.model_inference, cloud.session())(request(answering), None)
    assert sorted(entry.model.shadow for entry in story(cloud)) == [False, True]
