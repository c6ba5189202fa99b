"""The account's record of who touched a narrative, kept apart from whatever could alter it."""

from aws_cdk import aws_cloudtrail as cloudtrail
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.data import Data, Store


class Trail(Construct):
    """Every request for a complaint, also one that is refused, with the role and the session that made it.

    invoked: functions that people invoke; each invocation is recorded, too.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, data: Data, store: Store, invoked: tuple[lambda_.Function, ...]
    ) -> None:
        super().__init__(scope, construct_id)
        recorded = {
            "AWS::DynamoDB::Table": [data.raw_complaints.table.table_arn],
            "AWS::Lambda::Function": [function.function_arn for function in invoked],
        }
        cloudtrail.CfnTrail(
            self,
            "Trail",
            s3_bucket_name=store.bucket.bucket_name,
            kms_key_id=data.keys["records"].key_arn,
            is_logging=True,
            enable_log_file_validation=True,
            event_selectors=[
                cloudtrail.CfnTrail.EventSelectorProperty(
                    read_write_type="All",
                    include_management_events=True,
                    data_resources=[
                        cloudtrail.CfnTrail.DataResourceProperty(type=kind, values=resources)
                        for kind, resources in recorded.items()
                    ],
                )
            ],
        )
