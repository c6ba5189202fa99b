"""Buckets of objects that are never changed."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.findings import acknowledge, acknowledge_plain_http, acknowledge_wildcard
from stacks.rights import allow
from stacks.settings import Settings

EVERY_OBJECT = "EveryObject"
"""The filter of a bucket's metrics that leaves nothing out."""


class Store(Construct):
    """A bucket of objects that are never changed: versioned, encrypted and closed to the public.

    why_unlogged: why its reads need no access log.
    why_all_objects: why a role may get every object of it.
    expires: the age at which objects are deleted; by default they stay.
    measured: whether its requests are counted, so that an alarm sees that nobody writes to it.
    announced: whether a queue hears of each object.
    lock: S3 Object Lock's mode and time, during which nobody may delete or replace a version; by default none.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        key: kms.IKey,
        settings: Settings,
        why_unlogged: str,
        why_all_objects: str,
        expires: Duration | None = None,
        measured: bool = False,
        announced: bool = False,
        lock: s3.ObjectLockRetention | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._key = key
        self._why_all_objects = why_all_objects
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=settings.https_only,
            versioned=True,
            object_lock_enabled=lock is not None or None,
            object_lock_default_retention=lock,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=expires,
                    noncurrent_version_expiration=Duration.days(90),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            metrics=[s3.BucketMetrics(id=EVERY_OBJECT)] if measured else None,
            removal_policy=settings.removal_policy,
            auto_delete_objects=settings.empties_buckets,
        )
        for rule in ("AwsSolutions-S1", "CKV_AWS_18", "CT.S3.PR.2"):
            acknowledge(self.bucket, rule, why_unlogged)
        if not announced:
            acknowledge(self.bucket, "CT.S3.PR.4", "Nothing has to happen when an object is put.")
        if lock is None:
            acknowledge(self.bucket, "CT.S3.PR.9", "Versions are kept, and a hash of each is recorded elsewhere.")
        acknowledge_plain_http(self.bucket, "AwsSolutions-S10", settings)

    def allow(self, role: iam.Role, *actions: str) -> None:
        """Grant S3 actions, without their prefix, on the bucket's objects, and the use of its key."""
        allow(role, self.bucket.arn_for_objects("*"), *(f"s3:{action}" for action in actions))
        self._key.grant(role, "kms:Decrypt", "kms:GenerateDataKey")
        stack = Stack.of(self)
        export = stack.resolve(stack.export_value(self.bucket.bucket_arn))["Fn::ImportValue"]
        acknowledge_wildcard(role, f"{export}/*", self._why_all_objects)
