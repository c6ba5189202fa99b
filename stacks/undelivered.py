"""What AWS could not deliver to a function or state machine: kept, announced, and delivered again by a command."""

from typing import cast

import jsii
from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.last_queue import LastQueue
from stacks.settings import Settings
from stacks.store import Store

KEPT = Duration.days(90)


class Undelivered(Construct):
    """A queue whose alarm calls people, and a bucket for the records of streams.

    queue: gets the whole event of what was invoked asynchronously, and a notice of each object of the bucket.
    store: gets batches of records. To a queue AWS would send only their place in the stream, which keeps them for a
    day. They hold keys and nothing else.
    """

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.Key, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self._key = key
        self.queue = LastQueue(self, "Queue", key=key, settings=settings)
        account = {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        eventbridge = iam.ServicePrincipal("events.amazonaws.com", conditions=account)
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.queue.queue_arn], principals=[eventbridge])
        )
        # EventBridge does not tell a key for which account it works, so the condition is the queue.
        stack = Stack.of(self)
        queues = stack.format_arn(service="sqs", resource=f"{stack.stack_name}-*")
        sends = {"ArnLike": {"kms:EncryptionContext:aws:sqs:arn": queues}}
        key.grant(iam.ServicePrincipal("events.amazonaws.com", conditions=sends), "kms:Decrypt", "kms:GenerateDataKey*")
        self.store = Store(
            self,
            "Store",
            key=key,
            settings=settings,
            why_unlogged="It holds ids of records that a function did not get, and no record.",
            why_all_objects="AWS names the objects by mapping, shard and time.",
            expires=KEPT,
            announced=True,
        )
        # Not by CDK's own switch, which deploys a function that sets it.
        cast(
            s3.CfnBucket, self.store.bucket.node.default_child
        ).notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
        )

    def announce_objects(self, scope: Construct) -> events.Rule:
        """Send a notice of each object to the queue, by a rule in `scope`, and return the rule.

        S3 itself could send it too, but begins with a test message, which would raise the alarm.
        """
        bucket = self.store.bucket
        return events.Rule(
            scope,
            "UndeliveredStored",
            event_pattern=events.EventPattern(
                source=["aws.s3"], detail_type=["Object Created"], detail={"bucket": {"name": [bucket.bucket_name]}}
            ),
            targets=[cast(events.IRuleTarget, _Queue(self.queue))],
        )

    def allow_sending(self, role: iam.Role) -> None:
        """Let a role send what was invoked asynchronously and failed."""
        iam.Grant.add_to_principal(grantee=role, actions=["sqs:SendMessage"], resource_arns=[self.queue.queue_arn])
        self._key.grant(role, "kms:Decrypt", "kms:GenerateDataKey")

    def records_of(self, role: iam.Role) -> lambda_.IEventSourceDlq:
        """Return the destination for records of a stream, which the role of their function has to be able to write."""
        self.store.allow(role, "PutObject")
        bucket = self.store.bucket.bucket_arn
        iam.Grant.add_to_principal(grantee=role, actions=["s3:ListBucket"], resource_arns=[bucket])
        return cast(lambda_.IEventSourceDlq, _Records(bucket))

    def after(self, target: events.IRuleTarget) -> events.IRuleTarget:
        """Return the target of a rule so that events that do not reach it go to the queue."""
        return cast(events.IRuleTarget, _Delivered(target, self.queue))


@jsii.implements(lambda_.IEventSourceDlq)
class _Records:
    """A bucket, without the rights to read it that CDK's own class would grant."""

    def __init__(self, bucket_arn: str) -> None:
        self._bucket_arn = bucket_arn

    def bind(
        self, target: lambda_.IEventSourceMapping, target_handler: lambda_.IFunction
    ) -> lambda_.DlqDestinationConfig:
        return lambda_.DlqDestinationConfig(destination=self._bucket_arn)


@jsii.implements(events.IRuleTarget)
class _Delivered:
    """A target with a dead-letter queue. CDK's own would have the queue's policy name rules of another stack."""

    def __init__(self, target: events.IRuleTarget, queue: sqs.IQueue) -> None:
        self._target = target
        self._queue = queue

    def bind(self, rule: events.IRule, id: str | None = None) -> events.RuleTargetConfig:
        bound = self._target.bind(rule, id)
        return events.RuleTargetConfig(
            arn=bound.arn,
            input=bound.input,
            role=bound.role,
            retry_policy=bound.retry_policy,
            target_resource=bound.target_resource,
            dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self._queue.queue_arn),
        )


@jsii.implements(events.IRuleTarget)
class _Queue:
    """The queue itself: what it does not take at once is sent to it later."""

    def __init__(self, queue: sqs.IQueue) -> None:
        self._queue = queue

    def bind(self, rule: events.IRule, id: str | None = None) -> events.RuleTargetConfig:
        arn = self._queue.queue_arn
        return events.RuleTargetConfig(arn=arn, dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=arn))
