"""CloudTrail's record of who touched a narrative or wrote a record, in a bucket that no role of ours may write."""

from aws_cdk import aws_cloudtrail as cloudtrail
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.data import Data, Store
from stacks.findings import IMPORTED_KEY, acknowledge
from stacks.settings import Settings


class Trail(Construct):
    """Records every request for a complaint and every write of a story or chain, refused ones too, with its role.

    invoked: functions that people invoke. Each of their invocations is recorded.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        data: Data,
        store: Store,
        invoked: tuple[lambda_.Function, ...],
        settings: Settings,
    ) -> None:
        super().__init__(scope, construct_id)
        written = [table.table.table_arn for table in (data.complaints_allocation, data.audit_chain)]
        trail = cloudtrail.CfnTrail(
            self,
            "Trail",
            trail_name=settings.trail_name,
            s3_bucket_name=store.bucket.bucket_name,
            kms_key_id=data.keys["records"].key_arn,
            is_logging=True,
            enable_log_file_validation=True,
            event_selectors=[
                cloudtrail.CfnTrail.EventSelectorProperty(
                    read_write_type="All",
                    include_management_events=True,
                    data_resources=[
                        _resources("AWS::DynamoDB::Table", [data.raw_complaints.table.table_arn]),
                        _resources("AWS::Lambda::Function", [function.function_arn for function in invoked]),
                    ],
                ),
                cloudtrail.CfnTrail.EventSelectorProperty(
                    read_write_type="WriteOnly",
                    include_management_events=False,
                    data_resources=[_resources("AWS::DynamoDB::Table", written)],
                ),
            ],
        )
        acknowledge(trail, "CKV_AWS_67", "What it records lies in the one region of the deployment.")
        acknowledge(trail, "CT.CLOUDTRAIL.PR.1", IMPORTED_KEY)
        acknowledge(
            trail, "CT.CLOUDTRAIL.PR.3", "It is evidence for later; alarms on what happens come from our metrics."
        )


def _resources(kind: str, arns: list[str]) -> cloudtrail.CfnTrail.DataResourceProperty:
    return cloudtrail.CfnTrail.DataResourceProperty(type=kind, values=arns)
