"""Validates requests with the model of the service that botocore contains."""

import re
import tomllib
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber
from botocore.validate import ParamValidator
from pydantic import ValidationError

import training.sagemaker
from training.recipe import CONFIGS, load_recipe
from training.sagemaker.contract import ContractError, recipe_of
from training.sagemaker.request import LOCAL_STORAGE, TrainingJob

EXAMPLE = tomllib.loads((Path(training.sagemaker.__file__).parent / "job.toml").read_text())
SERVICE = botocore.session.get_session().get_service_model("sagemaker")
SHAPE: Any = SERVICE.operation_model("CreateTrainingJob").input_shape
TYPES: Any = SERVICE.shape_for("TrainingInstanceType")


def any_job(**values) -> TrainingJob:
    return TrainingJob.model_validate({**EXAMPLE, **values})


def faults(shape, value, place="") -> list[str]:
    """Return violations of patterns and enumerations, which botocore itself does not check."""
    if shape.type_name == "structure":
        return [f for name, part in value.items() for f in faults(shape.members[name], part, f"{place}.{name}")]
    if shape.type_name == "list":
        return [fault for part in value for fault in faults(shape.member, part, place)]
    if shape.type_name == "map":
        parts = [(shape.key, key) for key in value] + [(shape.value, part) for part in value.values()]
        return [fault for inner, part in parts for fault in faults(inner, part, place)]
    pattern = shape.metadata.get("pattern", "").replace(r"\p{L}\p{Z}\p{N}", r"\w ")
    wrong = pattern and not re.fullmatch(pattern, str(value))
    return [f"{place}: {value}"] if wrong or (getattr(shape, "enum", None) and value not in shape.enum) else []


def accepted(request) -> bool:
    report = ParamValidator().validate(request, SHAPE)
    assert not report.has_errors(), report.generate_report()
    assert not faults(SHAPE, request)
    return True


@pytest.mark.parametrize(
    "values",
    [{}, {"vpc": None}, {"spot": False}, {"instance_type": "ml.m5.xlarge"}, {"overrides": {}, "tags": {}}],
    ids=str,
)
def test_the_service_accepts_the_request(values):
    assert accepted(any_job(**values).request())


def test_the_service_would_not_accept_any_request():
    """Shows that the test above can fail."""
    for path, value in [("RoleArn", "me"), ("ResourceConfig", {"InstanceType": "ml.z9.huge"}), ("TrainingJobName", 1)]:
        with pytest.raises(AssertionError):
            accepted({**any_job().request(), path: value})


def test_a_client_sends_the_request_as_it_is():
    client: Any = botocore.session.get_session().create_client(
        "sagemaker", region_name="eu-west-2", aws_access_key_id="any", aws_secret_access_key="any"
    )
    request = any_job().request()
    answer = {"TrainingJobArn": f"arn:aws:sagemaker:eu-west-2:123456789012:training-job/{request['TrainingJobName']}"}
    with Stubber(client) as stub:
        stub.add_response("create_training_job", answer, request)
        assert client.create_training_job(**request)["TrainingJobArn"] == answer["TrainingJobArn"]


def test_the_container_reads_the_recipe_that_the_job_names():
    job = any_job(recipe="tiny", overrides={"epochs": 3, "learning_rate": 1e-5})
    hyperparameters = job.request()["HyperParameters"]
    assert recipe_of(hyperparameters) == job.trained
    assert job.trained.epochs == 3


def test_the_container_is_started_with_our_command():
    algorithm = any_job().request()["AlgorithmSpecification"]
    assert algorithm["ContainerEntrypoint"] == ["python", "-m", "training.sagemaker"]
    assert algorithm["ContainerArguments"] == ["train"]


def test_an_interrupted_job_finds_its_checkpoints_where_the_container_looks():
    request = any_job().request()
    assert request["EnableManagedSpotTraining"]
    assert request["CheckpointConfig"] == {"S3Uri": EXAMPLE["checkpoints"], "LocalPath": "/opt/ml/checkpoints"}
    assert request["StoppingCondition"]["MaxWaitTimeInSeconds"] > request["StoppingCondition"]["MaxRuntimeInSeconds"]
    assert "MaxWaitTimeInSeconds" not in any_job(spot=False).request()["StoppingCondition"]


def test_what_is_stored_is_encrypted_with_our_keys():
    request = any_job(instance_type="ml.m5.xlarge", volume_key="key/volume", output_key="key/output").request()
    assert request["ResourceConfig"]["VolumeKmsKeyId"] == "key/volume"
    assert request["OutputDataConfig"]["KmsKeyId"] == "key/output"


@pytest.mark.parametrize("family", LOCAL_STORAGE)
def test_no_key_is_sent_for_an_instance_with_disks_of_its_own(family):
    """The service refuses it: the hardware encrypts these disks."""
    assert "VolumeKmsKeyId" not in any_job(instance_type=f"ml.{family}.xlarge").request()["ResourceConfig"]


def test_families_with_disks_of_their_own_exist():
    known = {name.split(".")[1] for name in TYPES.enum}
    assert set(LOCAL_STORAGE) <= known


def test_the_container_reaches_no_network():
    request = any_job().request()
    assert request["EnableNetworkIsolation"]
    assert request["VpcConfig"] == {
        "SecurityGroupIds": EXAMPLE["vpc"]["security_groups"],
        "Subnets": EXAMPLE["vpc"]["subnets"],
    }
    assert "VpcConfig" not in any_job(vpc=None).request()


def test_an_encoder_of_the_hub_needs_a_network():
    from_hub = {"encoder": f"sentence-transformers/all-MiniLM-L6-v2@{'0' * 40}"}
    with pytest.raises(ValidationError, match="but network_isolation is on"):
        any_job(overrides=from_hub)
    assert any_job(overrides=from_hub, network_isolation=False)


def test_a_job_is_tagged_with_its_recipe():
    tags = {tag["Key"]: tag["Value"] for tag in any_job(overrides={}).request()["Tags"]}
    assert tags == {"recipe": load_recipe(CONFIGS / f"{EXAMPLE['recipe']}.toml").reference, **EXAMPLE["tags"]}


def test_a_recipe_that_does_not_exist_is_found_before_a_machine_is_paid_for():
    with pytest.raises(ContractError, match="there is no recipe"):
        any_job(recipe="huge")
    with pytest.raises(ContractError, match="epoch: is not a known field"):
        any_job(overrides={"epoch": 1})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image": "complaints-training:latest"}, "image"),
        ({"training": "complaints/"}, "training"),
        ({"name": "product 2026"}, "name"),
        ({"role": "complaints-training"}, "role"),
        ({"volume_key": ""}, "volume_key"),
        ({"max_wait_seconds": 60}, "max_wait_seconds must be at least max_seconds"),
        ({"instance": "ml.g5.xlarge"}, "instance"),
    ],
)
def test_a_job_that_the_service_or_we_would_refuse_is_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        any_job(**values)
