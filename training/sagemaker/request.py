"""The request that starts a training job: typed settings become what `CreateTrainingJob` takes."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, PositiveInt, StringConstraints, model_validator

from training.recipe import Recipe
from training.sagemaker.contract import CHANNEL, CHECKPOINTS, ROOT
from training.sagemaker.hyperparameters import encoded, overridden
from training.sagemaker.metrics import metric_definitions
from triage.contracts import Contract

S3Uri = Annotated[str, StringConstraints(pattern=r"^s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/.*)?$", max_length=1024)]
RoleArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z\-]*:iam::\d{12}:role/[\w+=,.@\-/]+$")]
KmsKey = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9:/_\-]+$", max_length=2048)]
JobName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")]
Image = Annotated[str, StringConstraints(pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$", max_length=255)]
"""By digest: tags move."""

COMMAND = ("python", "-m", "training.sagemaker")

LOCAL_STORAGE = ("g4dn", "g5", "g6", "g6e", "g7", "g7e", "p3dn", "p4d", "p4de", "p5", "p5e", "p5en", "r5d", "trn1")
"""Families of instances with disks of their own, which the hardware encrypts; a key for a volume is refused there."""


class Vpc(Contract):
    security_groups: tuple[str, ...] = Field(min_length=1, max_length=5)
    subnets: tuple[str, ...] = Field(min_length=1, max_length=16)


class TrainingJob(Contract):
    """One job.

    overrides: settings that differ from the recipe's file.
    training: the folder, or the one object, that holds the export. output: where `model.tar.gz` goes.
    volume_key: of the EBS volume, where the instance has one. output_key: of the model; checkpoints are encrypted as
        their bucket does by default.
    spot: spare capacity, which may be taken away; the job then goes on from its checkpoints.
    max_seconds: of training. max_wait_seconds: of training and of waiting for spare capacity together.
    network_isolation: the container reaches nothing; SageMaker itself fetches and stores.
    """

    name: JobName
    recipe: str
    overrides: Mapping[str, str | int | float | bool] = {}
    image: Image
    role: RoleArn
    training: S3Uri
    output: S3Uri
    checkpoints: S3Uri
    volume_key: KmsKey
    output_key: KmsKey
    instance_type: str = Field(default="ml.g5.xlarge", pattern=r"^ml\.[a-z0-9\-]+\.[a-z0-9]+$")
    volume_gigabytes: PositiveInt = 50
    max_seconds: PositiveInt = 4 * 3600
    max_wait_seconds: PositiveInt = 8 * 3600
    spot: bool = True
    network_isolation: bool = True
    vpc: Vpc | None = None
    tags: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _can_be_trained_as_asked(self) -> Self:
        # Raises ContractError itself: a wrong recipe is found before a machine is paid for.
        encoder = self.trained.encoder
        if self.network_isolation and "@" in encoder:
            raise ValueError(f"the encoder {encoder} is fetched from the Hub, which network_isolation forbids")
        if self.spot and self.max_wait_seconds < self.max_seconds:
            raise ValueError("max_wait_seconds includes max_seconds")
        return self

    @property
    def trained(self) -> Recipe:
        return overridden(self.recipe, self.overrides)

    def request(self) -> dict[str, Any]:
        """Parameters of `CreateTrainingJob`."""
        optional: dict[str, Any] = {}
        if self.vpc is not None:
            optional["VpcConfig"] = {
                "SecurityGroupIds": list(self.vpc.security_groups),
                "Subnets": list(self.vpc.subnets),
            }
        return {
            "TrainingJobName": self.name,
            "HyperParameters": encoded(self.recipe, self.overrides),
            "AlgorithmSpecification": {
                "TrainingImage": self.image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": list(COMMAND),
                "ContainerArguments": ["train"],
                "MetricDefinitions": metric_definitions(list(self.trained.tasks)),
            },
            "RoleArn": self.role,
            "InputDataConfig": [self._channel()],
            "OutputDataConfig": {"S3OutputPath": self.output, "KmsKeyId": self.output_key},
            "ResourceConfig": self._resources(),
            "StoppingCondition": self._stopping(),
            "CheckpointConfig": {"S3Uri": self.checkpoints, "LocalPath": str(ROOT / CHECKPOINTS)},
            "EnableManagedSpotTraining": self.spot,
            "EnableNetworkIsolation": self.network_isolation,
            "Tags": [{"Key": key, "Value": value} for key, value in self._all_tags().items()],
            **optional,
        }

    def _channel(self) -> dict[str, Any]:
        source = {"S3DataType": "S3Prefix", "S3Uri": self.training, "S3DataDistributionType": "FullyReplicated"}
        return {"ChannelName": CHANNEL, "DataSource": {"S3DataSource": source}, "InputMode": "File"}

    def _resources(self) -> dict[str, Any]:
        resources = {
            "InstanceType": self.instance_type,
            "InstanceCount": 1,
            "VolumeSizeInGB": self.volume_gigabytes,
        }
        family = self.instance_type.split(".")[1]
        return resources if family in LOCAL_STORAGE else {**resources, "VolumeKmsKeyId": self.volume_key}

    def _stopping(self) -> dict[str, int]:
        waiting = {"MaxWaitTimeInSeconds": self.max_wait_seconds} if self.spot else {}
        return {"MaxRuntimeInSeconds": self.max_seconds, **waiting}

    def _all_tags(self) -> dict[str, str]:
        return {"recipe": self.trained.reference, **self.tags}
