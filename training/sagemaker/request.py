"""The request that starts a training job, made from typed settings: the parameters of `CreateTrainingJob`."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, PositiveInt, StringConstraints, model_validator

from training.recipe import Recipe
from training.sagemaker.contract import CHANNEL, CHECKPOINTS, ROOT, encoded, metric_definitions, overridden
from triage.contracts import Contract
from triage.validation import Matching

S3Uri = Annotated[
    str,
    Matching(r"^s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/.*)?$", "an S3 address such as s3://bucket/folder/"),
    StringConstraints(max_length=1024),
]
RoleArn = Annotated[
    str,
    Matching(r"^arn:aws[a-z\-]*:iam::\d{12}:role/[\w+=,.@\-/]+$", "the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME"),
]
KmsKey = Annotated[
    str, Matching(r"^[a-zA-Z0-9:/_\-]+$", "the id or ARN of a KMS key"), StringConstraints(max_length=2048)
]
JobName = Annotated[
    str,
    Matching(r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$", "at most 63 letters, digits and hyphens, with no hyphen at an end"),
]
Image = Annotated[
    str,
    Matching(r"^[^\s@]+@sha256:[0-9a-f]{64}$", "an image by digest, NAME@sha256:DIGEST, since tags can move"),
    StringConstraints(max_length=255),
]
InstanceType = Annotated[str, Matching(r"^ml\.[a-z0-9\-]+\.[a-z0-9]+$", "an instance type such as ml.g5.xlarge")]

COMMAND = ("python", "-m", "training.sagemaker")

LOCAL_STORAGE = ("g4dn", "g5", "g6", "g6e", "g7", "g7e", "p3dn", "p4d", "p4de", "p5", "p5e", "p5en", "r5d", "trn1")
"""Instance families with local disks, which the hardware encrypts; SageMaker refuses a volume key for them."""


class Vpc(Contract):
    security_groups: tuple[str, ...] = Field(min_length=1, max_length=5)
    subnets: tuple[str, ...] = Field(min_length=1, max_length=16)


class TrainingJob(Contract):
    """The settings of one job.

    overrides: settings of the recipe that are replaced.
    training: the folder, or the one object, that holds the export. output: where `model.tar.gz` is stored.
    volume_key: encrypts the EBS volume, if the instance has one. output_key: encrypts the model. Checkpoints have the
        default encryption of their bucket.
    spot: use spare capacity, which AWS may take back; the job then continues from its checkpoints.
    max_seconds: for training. max_wait_seconds: for training and for waiting for spare capacity together.
    network_isolation: the container has no network; SageMaker itself downloads the data and stores the model.
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
    instance_type: InstanceType = "ml.g5.xlarge"
    volume_gigabytes: PositiveInt = 50
    max_seconds: PositiveInt = 4 * 3600
    max_wait_seconds: PositiveInt = 8 * 3600
    spot: bool = True
    network_isolation: bool = True
    vpc: Vpc | None = None
    tags: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _can_be_trained_as_asked(self) -> Self:
        # A wrong recipe raises ContractError here, before a machine is paid for.
        encoder = self.trained.encoder
        if self.network_isolation and "@" in encoder:
            raise ValueError(
                f"the encoder {encoder} is downloaded from the Hub, but network_isolation is on: use one from a "
                "package, or set network_isolation = false"
            )
        if self.spot and self.max_wait_seconds < self.max_seconds:
            raise ValueError("max_wait_seconds must be at least max_seconds, which it includes")
        return self

    @property
    def trained(self) -> Recipe:
        return overridden(self.recipe, self.overrides)

    def request(self) -> dict[str, Any]:
        """Return the parameters of `CreateTrainingJob`."""
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
