"""Feedback layer: from the stream of `complaints_allocation` to the next version of an allocation."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from stacks.data import Data
from stacks.function import RuntimeFunction
from stacks.packages import Packages
from stacks.settings import Settings
from triage.environment import FeedbackEnvironment
from triage.feedback import INBOX


class Feedback(Construct):
    """One function, which alone may replace a current allocation. It reads no complaint."""

    def __init__(
        self, scope: Construct, construct_id: str, *, data: Data, packages: Packages, settings: Settings
    ) -> None:
        super().__init__(scope, construct_id)
        self.feedback = RuntimeFunction(
            self,
            "Feedback",
            module="feedback",
            package=packages.control,
            environment=FeedbackEnvironment(
                code_version=packages.code_version,
                complaints_allocation_table=data.complaints_allocation.table.table_name,
                bus_name=data.bus.event_bus_name,
                parked_queue_url=data.parked.queue_url,
                retention_days=settings.retention_days,
            ),
            settings=settings,
            timeout=Duration.minutes(1),
        )
        # A transaction of puts asks for the right to put.
        data.complaints_allocation.allow(self.feedback, "GetItem", "PutItem", "Query")
        for action, resource in (
            ("events:PutEvents", data.bus.event_bus_arn),
            ("sqs:SendMessage", data.parked.queue_arn),
        ):
            iam.Grant.add_to_principal(grantee=self.feedback, actions=[action], resource_arns=[resource])
        self._read_inbox(data)

    def _read_inbox(self, data: Data) -> None:
        """Also rows that are put again: that is how one is healed whose record was lost."""
        handed_in = {"dynamodb": {"Keys": {"complaint_id": {"S": lambda_.FilterRule.begins_with(INBOX)}}}}
        written = {"eventName": lambda_.FilterRule.or_("INSERT", "MODIFY")}
        self.feedback.add_event_source(
            sources.DynamoEventSource(
                data.complaints_allocation.table,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=10,
                retry_attempts=10,
                max_record_age=Duration.hours(1),
                bisect_batch_on_error=True,
                filters=[lambda_.FilterCriteria.filter(written | handed_in)],
            )
        )
