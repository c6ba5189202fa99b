import math

import pytest
from botocore.exceptions import EndpointConnectionError

from runtime.model_inference import build
from tests.factories import PUSH, any_item, any_model_reference, any_sha256
from tests.runtime.conftest import BUCKET, Cloud, before, calls, failing
from triage.bundle import Calibration, Thresholds
from triage.errors import (
    BundleCorruptError,
    BundleUnavailableError,
    ComplaintMissingError,
    TransientError,
)
from triage.steps import Failure, InferenceRequest, ModelReference, Outcome
from triage.story import PredictionEntry
from triage.tables import COMPLAINTS_ALLOCATION, RAW_COMPLAINTS

DOWN = EndpointConnectionError(endpoint_url="https://s3")


def request(model: ModelReference, complaint_id: str = "1"):
    return {"complaint_id": complaint_id, "model": model.model_dump(mode="json")}


def story(cloud: Cloud, complaint_id: str = "1") -> list[PredictionEntry]:
    return [PredictionEntry.model_validate(item) for item in cloud.table(COMPLAINTS_ALLOCATION).query(complaint_id)]


@pytest.fixture
def complaint(cloud):
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", narrative="My mortgage was sold. My mortgage!"))


@pytest.fixture
def model(cloud, tmp_path):
    return cloud.mirrored(
        tmp_path, task="product", thresholds=Thresholds(auto=0.7), calibration=Calibration(temperature=8.0)
    )


@pytest.mark.usefixtures("complaint")
def test_what_a_model_says_is_recorded_with_all_it_takes_to_say_it_again(cloud, model):
    result = build(cloud.model_inference, cloud.session())(request(model), None)
    assert Outcome.model_validate(result) == Outcome(model=model)
    (entry,) = story(cloud)
    assert (entry.label, entry.model, entry.model_version) == ("Mortgage", model, model.version)
    assert entry.confidence == pytest.approx(1 / (1 + math.exp(-2 * PUSH / 8)))
    assert (entry.thresholds.auto, entry.temperature) == (0.7, 8.0)
    assert {probability.label for probability in entry.top} == {"Mortgage", "Student loan"}
    assert entry.tokens_seen == entry.tokens_total
    assert entry.expires_at
    assert entry.entry == PredictionEntry.key(model)


@pytest.mark.usefixtures("complaint")
def test_a_stand_in_says_whom_it_stands_in_for(cloud, model):
    failed = Failure(model=any_model_reference(model_id="acme/challenger", stand_in=model), error="ModelFailedError")
    asked = InferenceRequest(complaint_id="1", model=model, instead_of=failed).model_dump(mode="json")
    result = build(cloud.model_inference, cloud.session())(asked, None)
    assert Outcome.model_validate(result) == Outcome(model=model, instead_of=failed)


@pytest.mark.usefixtures("complaint")
def test_a_retry_replays_what_was_recorded_without_asking_for_model_or_text(cloud, model):
    build(cloud.model_inference, cloud.session())(request(model), None)
    recorded = story(cloud)
    session = cloud.session()
    failing(session, "s3.GetObject", DOWN)
    read = calls(session, "dynamodb.GetItem")
    build(cloud.model_inference, session)(request(model), None)
    assert story(cloud) == recorded
    assert {call["TableName"] for call in read} == {COMPLAINTS_ALLOCATION.name}


@pytest.mark.usefixtures("complaint")
def test_a_model_is_fetched_once_for_many_complaints(cloud, model):
    session = cloud.session()
    fetched = calls(session, "s3.GetObject")
    infer = build(cloud.model_inference, session)
    infer(request(model), None)
    once = len(fetched)
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="2"))
    infer(request(model, "2"), None)
    assert len(fetched) == once
    assert story(cloud, "2")


@pytest.mark.usefixtures("complaint")
def test_of_two_inferences_at_once_the_first_is_recorded(cloud, model):
    ours = cloud.session()
    first: list[PredictionEntry] = []

    def be_faster() -> None:
        build(cloud.model_inference, cloud.session())(request(model), None)
        first.extend(story(cloud))

    before(ours, "dynamodb.PutItem", be_faster)
    build(cloud.model_inference, ours)(request(model), None)
    assert story(cloud) == first
    assert len(first) == 1


def test_a_complaint_that_does_not_exist_is_named(cloud, model):
    with pytest.raises(ComplaintMissingError, match="1 is not"):
        build(cloud.model_inference, cloud.session())(request(model), None)


@pytest.mark.usefixtures("complaint")
@pytest.mark.parametrize("operation", ["s3.GetObject", "s3.HeadObject"])
def test_a_bundle_store_that_does_not_answer_is_transient(cloud, model, operation):
    session = cloud.session()
    failing(session, operation, DOWN)
    with pytest.raises(BundleUnavailableError):
        build(cloud.model_inference, session)(request(model), None)
    assert issubclass(BundleUnavailableError, TransientError)
    assert story(cloud) == []


@pytest.mark.usefixtures("complaint")
def test_a_bundle_that_is_not_there_is_unavailable(cloud):
    with pytest.raises(BundleUnavailableError):
        build(cloud.model_inference, cloud.session())(request(any_model_reference()), None)


def flip(cloud: Cloud, model: ModelReference, name: str) -> bytes:
    """Flip one bit of a stored file, and return its original content."""
    client = cloud.session().client("s3")
    key = f"{model.model_id}/{model.revision}/{name}"
    intact = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    client.put_object(Bucket=BUCKET, Key=key, Body=bytes([*intact[:-1], intact[-1] ^ 1]))
    return intact


@pytest.mark.usefixtures("complaint")
@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json", "triage.json"])
def test_a_file_that_changed_in_the_store_is_corrupt(cloud, model, name):
    flip(cloud, model, name)
    with pytest.raises(BundleCorruptError):
        build(cloud.model_inference, cloud.session())(request(model), None)
    assert story(cloud) == []


@pytest.mark.usefixtures("complaint")
def test_a_manifest_other_than_the_registered_one_is_corrupt(cloud, model):
    other = model.model_copy(update={"manifest_sha256": any_sha256("other")})
    with pytest.raises(BundleCorruptError, match="was registered"):
        build(cloud.model_inference, cloud.session())(request(other), None)


@pytest.mark.usefixtures("complaint")
def test_a_repaired_bundle_is_used_by_a_warm_function(cloud, model):
    infer = build(cloud.model_inference, cloud.session())
    intact = flip(cloud, model, "model.onnx")
    with pytest.raises(BundleCorruptError):
        infer(request(model), None)
    cloud.session().client("s3").put_object(
        Bucket=BUCKET, Key=f"{model.model_id}/{model.revision}/model.onnx", Body=intact
    )
    infer(request(model), None)
    assert story(cloud)


@pytest.mark.usefixtures("complaint")
def test_a_model_that_is_all_but_certain_is_recorded(cloud, tmp_path):
    certain = cloud.mirrored(tmp_path, calibration=Calibration(temperature=0.02))
    build(cloud.model_inference, cloud.session())(request(certain), None)
    assert story(cloud)[0].label == "Mortgage"


@pytest.mark.parametrize(
    "narrative",
    ["\U0001f600" * 70_000, "mortgage " * 30_000, "\u200b", "[PAD]" * 100, "a\u0301" * 1000],
    ids=["emoji", "long", "zero width", "special", "combining"],
)
def test_any_text_that_fits_into_an_item_is_judged(cloud, model, narrative):
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1", narrative=narrative))
    build(cloud.model_inference, cloud.session())(request(model), None)
    (entry,) = story(cloud)
    assert entry.tokens_seen <= entry.tokens_total


def test_two_models_of_one_task_have_an_entry_each(cloud, tmp_path):
    cloud.table(RAW_COMPLAINTS).put(any_item(complaint_id="1"))
    infer = build(cloud.model_inference, cloud.session())
    for name in ("one", "other"):
        infer(request(cloud.mirrored(tmp_path / name, model_id=f"acme/{name}")), None)
    assert {entry.model.model_id for entry in story(cloud)} == {"acme/one", "acme/other"}
