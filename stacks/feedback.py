"""Feedback layer: a row of feedback becomes the next version of an allocation."""

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.function import Foundation, RuntimeFunction
from stacks.rights import allow
from triage.feedback import INBOX
from triage.functions import FEEDBACK


class Feedback(Construct):
    """One function, the only one that may replace a current allocation. It reads no complaint."""

    def __init__(self, scope: Construct, construct_id: str, *, base: Foundation) -> None:
        super().__init__(scope, construct_id)
        data = base.data
        self.feedback = RuntimeFunction(self, "Feedback", function=FEEDBACK, base=base, timeout=Duration.minutes(1))
        # A transaction that puts items needs the right to PutItem only.
        data.complaints_allocation.allow(self.feedback, "GetItem", "PutItem", "Query")
        allow(self.feedback, data.bus.event_bus_arn, "events:PutEvents")
        allow(self.feedback, data.parked.queue_arn, "sqs:SendMessage")
        feedback_rows = {
            # MODIFY too, so that a row whose outcome was lost can be repaired by putting it again.
            "eventName": lambda_.FilterRule.or_("INSERT", "MODIFY"),
            "dynamodb": {"Keys": {"complaint_id": {"S": lambda_.FilterRule.begins_with(INBOX)}}},
        }
        self.feedback.read_stream(data.complaints_allocation, batch_size=10, only=feedback_rows)
