"""MLOps layer: a row in `model_info` becomes a verified bundle in S3."""

from aws_cdk import Duration, Size
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.data import Data
from stacks.function import RuntimeFunction
from stacks.packages import Packages
from stacks.settings import Settings
from triage.environment import MirrorEnvironment

MAX_BUNDLE_MEGABYTES = 2000


class MLOps(Construct):
    def __init__(
        self, scope: Construct, construct_id: str, *, data: Data, packages: Packages, settings: Settings
    ) -> None:
        super().__init__(scope, construct_id)
        self.mirror = RuntimeFunction(
            self,
            "Mirror",
            module="mirror",
            package=packages.control,
            environment=MirrorEnvironment(
                code_version=packages.code_version,
                model_info_table=data.model_info.table.table_name,
                bundles_bucket=data.bundles.bucket.bucket_name,
                hub_endpoint=settings.hub_endpoint,
                hub_token_secret=settings.hub_token_secret,
                hf_home=settings.hub_home,
                max_bundle_megabytes=MAX_BUNDLE_MEGABYTES,
            ),
            settings=settings,
            timeout=Duration.minutes(10),
            memory_megabytes=1024,
            storage=Size.gibibytes(6),
        )
        data.model_info.allow(self.mirror, "GetItem", "UpdateItem")
        data.bundles.allow(self.mirror.execution_role, "GetObject", "PutObject")
        data.bundles.allow_listing(self.mirror.execution_role)
        if settings.hub_token_secret is not None:
            secretsmanager.Secret.from_secret_name_v2(self, "HubToken", settings.hub_token_secret).grant_read(
                self.mirror
            )
        # Every change of a row, not only new ones: clearing `failure` asks for another try.
        self.mirror.add_event_source(
            sources.DynamoEventSource(
                data.model_info.table,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=1,
                retry_attempts=10,
                max_record_age=Duration.hours(1),
            )
        )
