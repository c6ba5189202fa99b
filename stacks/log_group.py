"""Log groups, encrypted with our key."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.data import Data
from stacks.findings import IMPORTED_KEY, acknowledge
from stacks.settings import Settings


class EncryptedLogGroup(logs.LogGroup):
    """Keeps log lines as long as the environment says, encrypted with the key of records.

    name: by default CloudFormation chooses one.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, data: Data, settings: Settings, name: str | None = None
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            log_group_name=name,
            encryption_key=data.keys["records"],
            retention=settings.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(self, "CT.CLOUDWATCH.PR.3", IMPORTED_KEY)
        if settings.log_retention is not logs.RetentionDays.ONE_YEAR:
            acknowledge(self, "CT.CLOUDWATCH.PR.2", "Nobody looks at older logs of this environment.")
