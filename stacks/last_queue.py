"""Queues where things end that could not be processed, until people empty them."""

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.findings import acknowledge, acknowledge_plain_http
from stacks.settings import Settings


class LastQueue(sqs.Queue):
    """Encrypted with our key; keeps a message as long as SQS can, 14 days. It has no dead-letter queue, being one."""

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey, settings: Settings) -> None:
        super().__init__(
            scope,
            construct_id,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=settings.https_only,
            retention_period=Duration.days(14),
            removal_policy=settings.removal_policy,
        )
        for rule in ("AwsSolutions-SQS3", "CT.SQS.PR.1"):
            acknowledge(self, rule, "This is where what cannot be processed ends; people empty it.")
        acknowledge_plain_http(self, "AwsSolutions-SQS4", settings)
