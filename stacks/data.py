"""Data layer: everything that holds state, and nothing that runs."""

from typing import Any, get_args

from aws_cdk import Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.findings import acknowledge, acknowledge_wildcard
from stacks.settings import Settings
from triage import tables
from triage.tables import TableSpec

EXPIRY_ATTRIBUTE = "expires_at"
READING = frozenset({"BatchGetItem", "GetItem", "Query", "Scan"})
READING_KEY = ("kms:Decrypt", "kms:DescribeKey")
WRITING_KEY = (*READING_KEY, "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo")
"""What DynamoDB asks of a caller for a table under a customer-managed key (AWS documentation), without wildcards."""


class SpecifiedTable(Construct):
    """A DynamoDB table cut from its `TableSpec`, encrypted with the key of its data class."""

    def __init__(
        self, scope: Construct, construct_id: str, *, spec: TableSpec, key: kms.IKey, settings: Settings
    ) -> None:
        super().__init__(scope, construct_id)
        self.spec = spec
        self.key = key
        self.table = dynamodb.TableV2(
            self,
            "Table",
            partition_key=_attribute(spec, spec.partition_key),
            sort_key=_attribute(spec, spec.sort_key) if spec.sort_key else None,
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=index.name,
                    partition_key=_attribute(spec, index.partition_key),
                    sort_key=_attribute(spec, index.sort_key),
                    projection_type=dynamodb.ProjectionType[index.projection],
                    non_key_attributes=list(index.attributes) or None,
                )
                for index in spec.indexes
            ],
            # Keys only: what reads the stream needs no narrative.
            dynamo_stream=dynamodb.StreamViewType.KEYS_ONLY if spec.streamed else None,
            time_to_live_attribute=EXPIRY_ATTRIBUTE if spec.expires else None,
            encryption=dynamodb.TableEncryptionV2.customer_managed_key(key),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=settings.protected,
            removal_policy=settings.removal_policy,
        )

    def allow(
        self,
        grantee: iam.IGrantable,
        *actions: str,
        index: str | None = None,
        attributes: tuple[str, ...] | None = None,
        partitions: str | None = None,
    ) -> None:
        """Grant DynamoDB actions (without prefix) on the table, or on one index alone, and the use of its key.

        attributes: the only ones that may be named or returned, beside the keys; by default all.
        partitions: the only values of the partition key that may be asked for, as a pattern.
        """
        resource = self.table.table_arn
        if index is not None:
            resource = f"{resource}/index/{self.spec.index(index).name}"
        iam.Grant.add_to_principal(
            grantee=grantee,
            actions=[f"dynamodb:{action}" for action in actions],
            resource_arns=[resource],
            conditions=self._only(attributes, actions, partitions) if attributes is not None else None,
        )
        self.key.grant(grantee, *(READING_KEY if READING.issuperset(actions) else WRITING_KEY))

    def _only(
        self, attributes: tuple[str, ...], actions: tuple[str, ...], partitions: str | None
    ) -> dict[str, dict[str, Any]]:
        """DynamoDB's fine-grained access: without the second condition, all attributes could be had unnamed."""
        reading = READING.issuperset(actions)
        unnamed = {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"} if reading else {"dynamodb:ReturnValues": "NONE"}
        leading = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [partitions]}} if partitions else {}
        # A request cannot name its item where a key is not among them.
        keys = {self.spec.partition_key, *filter(None, [self.spec.sort_key])}
        return leading | {
            "ForAllValues:StringEquals": {"dynamodb:Attributes": sorted({*keys, *attributes})},
            "StringEqualsIfExists": unnamed,
        }


def _attribute(spec: TableSpec, name: str) -> dynamodb.Attribute:
    annotation = next(item.model_fields[name].annotation for item in spec.items if name in item.model_fields)
    return dynamodb.Attribute(name=name, type=_attribute_type(annotation))


def _attribute_type(annotation: object) -> dynamodb.AttributeType:
    """Of text, a literal of texts, or either or none: all keys are text so far, and anything else is refused."""
    if _kinds(annotation) - {type(None)} != {str}:
        raise TypeError(f"a key must be text, not {annotation}")
    return dynamodb.AttributeType.STRING


def _kinds(annotation: object) -> set[type]:
    parts = get_args(annotation)
    if parts:
        return set().union(*map(_kinds, parts))
    return {annotation if isinstance(annotation, type) else type(annotation)}


class Store(Construct):
    """A bucket of objects that are never changed: versioned, encrypted, and closed to the public.

    unlogged, whole: why its reads need no log of their own, and why a role may have all of its objects.
    expires: the age at which objects go; by default they stay.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        key: kms.IKey,
        settings: Settings,
        unlogged: str,
        whole: str,
        expires: Duration | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._key = key
        self._whole = whole
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=settings.https_only,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=expires,
                    noncurrent_version_expiration=Duration.days(90),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            removal_policy=settings.removal_policy,
        )
        acknowledge(self.bucket, "AwsSolutions-S1", unlogged)
        if not settings.https_only:
            acknowledge(self.bucket, "AwsSolutions-S10", "The embedded AWS listens on loopback without TLS.")

    def allow(self, role: iam.Role, *actions: str) -> None:
        """Grant S3 actions (without prefix) on the bucket's objects, and the use of its key."""
        iam.Grant.add_to_principal(
            grantee=role,
            actions=[f"s3:{action}" for action in actions],
            resource_arns=[self.bucket.arn_for_objects("*")],
        )
        self._key.grant(role, "kms:Decrypt", "kms:GenerateDataKey")
        stack = Stack.of(self)
        export = stack.resolve(stack.export_value(self.bucket.bucket_arn))["Fn::ImportValue"]
        acknowledge_wildcard(role, f"{export}/*", self._whole)

    def allow_listing(self, role: iam.Role) -> None:
        """To whoever may not list, S3 says of an object that is not there that it may not be read."""
        iam.Grant.add_to_principal(grantee=role, actions=["s3:ListBucket"], resource_arns=[self.bucket.bucket_arn])


class Data(Construct):
    """Keys, tables, the buckets of bundles and of evidence, the queue of parked complaints and the bus."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.keys = {
            data_class: kms.Key(
                self,
                f"{data_class.title()}Key",
                enable_key_rotation=True,
                removal_policy=settings.removal_policy,
                description=f"complaints-triage {settings.environment}: {data_class}",
            )
            for data_class in ("narratives", "records")
        }
        self.raw_complaints = self._table("RawComplaints", tables.RAW_COMPLAINTS, settings)
        self.complaints_allocation = self._table("ComplaintsAllocation", tables.COMPLAINTS_ALLOCATION, settings)
        self.audit_chain = self._table("AuditChain", tables.AUDIT_CHAIN, settings)
        self.model_info = self._table("ModelInfo", tables.MODEL_INFO, settings)
        self.model_strategy = self._table("ModelStrategy", tables.MODEL_STRATEGY, settings)
        self.champion_ledger = self._table("ChampionLedger", tables.CHAMPION_LEDGER, settings)
        self.tables = (
            self.raw_complaints,
            self.complaints_allocation,
            self.audit_chain,
            self.model_info,
            self.model_strategy,
            self.champion_ledger,
        )
        self.bundles = Store(
            self,
            "Bundles",
            key=self.keys["records"],
            settings=settings,
            unlogged="It holds published model weights, no personal data; each load checks their hashes.",
            whole="Every object of this bucket is a file of a registered model.",
        )
        self.evidence = Store(
            self,
            "Evidence",
            key=self.keys["records"],
            settings=settings,
            unlogged="It holds figures about models, no personal data; the ledger holds the hash of each document.",
            whole="Every object of this bucket is the evidence for a change of a strategy.",
        )
        self.trails = self._trails(settings) if settings.trail else None
        self.parked = sqs.Queue(
            self,
            "Parked",
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=self.keys["records"],
            enforce_ssl=settings.https_only,
            retention_period=Duration.days(14),
            removal_policy=settings.removal_policy,
        )
        acknowledge(
            self.parked,
            "AwsSolutions-SQS3",
            "This queue is itself where undeliverable complaints end; people empty it.",
        )
        if not settings.https_only:
            acknowledge(self.parked, "AwsSolutions-SQS4", "The embedded AWS listens on loopback without TLS.")
        self.bus = events.EventBus(self, "Bus", description=f"complaints-triage {settings.environment}")

    def _trails(self, settings: Settings) -> Store:
        """Where AWS records who touches narratives: its own service writes, and no role of ours may."""
        key = self.keys["records"]
        store = Store(
            self,
            "Trails",
            key=key,
            settings=settings,
            unlogged="It is the log itself; reads of it are management events of the trail.",
            whole="No role of ours is given any of it.",
            expires=Duration.days(settings.retention_days),
        )
        account = Stack.of(self).account
        service = iam.ServicePrincipal(
            "cloudtrail.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": account}}
        )
        for action, resource in (
            ("s3:GetBucketAcl", store.bucket.bucket_arn),
            ("s3:PutObject", store.bucket.arn_for_objects(f"AWSLogs/{account}/*")),
        ):
            store.bucket.add_to_resource_policy(
                iam.PolicyStatement(actions=[action], resources=[resource], principals=[service])
            )
        key.grant(service, "kms:DescribeKey", "kms:GenerateDataKey")
        return store

    def _table(self, construct_id: str, spec: TableSpec, settings: Settings) -> SpecifiedTable:
        return SpecifiedTable(self, construct_id, spec=spec, key=self.keys[spec.data_class], settings=settings)
