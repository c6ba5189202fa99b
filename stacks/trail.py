"""CloudTrail's record of who touched a narrative or wrote a record, in a bucket that no role of ours may write."""

from aws_cdk import aws_cloudtrail as cloudtrail
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.data import Data
from stacks.findings import IMPORTED_KEY, acknowledge
from stacks.settings import Settings
from stacks.store import Store

TABLE, FUNCTION = "AWS::DynamoDB::Table", "AWS::Lambda::Function"
Matching = dict[str, list[str]]


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
        # Without what only reads: every request for a table would bring uses of its key along.
        management = [_selector("Changes of resources", "Management", readOnly=_is("false"))]
        trail = cloudtrail.CfnTrail(
            self,
            "Trail",
            trail_name=settings.trail_name,
            s3_bucket_name=store.bucket.bucket_name,
            kms_key_id=data.keys["records"].key_arn,
            is_logging=True,
            # Changes of roles are events of IAM, which CloudTrail records in another region alone.
            is_multi_region_trail=settings.trail_management,
            include_global_service_events=settings.trail_management,
            enable_log_file_validation=True,
            advanced_event_selectors=[
                *(management if settings.trail_management else ()),
                _data("Requests for complaints", TABLE, [data.raw_complaints.table.table_arn]),
                _data("Invocations by people", FUNCTION, [function.function_arn for function in invoked]),
                _data("Writes of records", TABLE, written, readOnly=_is("false")),
            ],
        )
        if not settings.trail_management:
            acknowledge(trail, "CKV_AWS_67", "All that it records here lies in the region of the deployment.")
        acknowledge(trail, "CT.CLOUDTRAIL.PR.1", IMPORTED_KEY)
        acknowledge(
            trail, "CT.CLOUDTRAIL.PR.3", "It is evidence for later; alarms on what happens come from our metrics."
        )


def _data(
    name: str, kind: str, arns: list[str], **fields: Matching
) -> cloudtrail.CfnTrail.AdvancedEventSelectorProperty:
    return _selector(name, "Data", **{"resources.type": _is(kind), "resources.ARN": _is(*arns)}, **fields)


def _selector(name: str, category: str, **fields: Matching) -> cloudtrail.CfnTrail.AdvancedEventSelectorProperty:
    """Return a selector of the events in which every field matches."""
    return cloudtrail.CfnTrail.AdvancedEventSelectorProperty(
        name=name,
        field_selectors=[
            cloudtrail.CfnTrail.AdvancedFieldSelectorProperty(field=field, **matching)
            for field, matching in {"eventCategory": _is(category), **fields}.items()
        ],
    )


def _is(*values: str) -> Matching:
    return {"equal_to": list(values)}
