"""Data layer: tables, buckets, keys, queue and bus; everything that holds state, and nothing that runs."""

from typing import Any, get_args

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.findings import acknowledge
from stacks.last_queue import LastQueue
from stacks.settings import Settings
from stacks.store import Store
from stacks.undelivered import Undelivered
from triage import tables
from triage.tables import TableSpec

EXPIRY_ATTRIBUTE = "expires_at"
READING = frozenset({"BatchGetItem", "ConditionCheckItem", "GetItem", "Query", "Scan"})
READING_KEY = ("kms:Decrypt", "kms:DescribeKey")
WRITING_KEY = (*READING_KEY, "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo")
"""The rights on a customer-managed key that DynamoDB asks of a caller (AWS documentation), without wildcards."""


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
            # Keys only, because no reader of the stream needs a narrative.
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
        """Grant DynamoDB actions, without their prefix, on the table or on one index, and the use of its key.

        attributes: the only attributes that a request may name, beside the keys; by default all of them.
        partitions: a pattern that the partition key of a request has to match.
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
        """Return the conditions of DynamoDB's fine-grained access.

        Without the condition on Select or ReturnValues, a request that names no attribute would get all of them.
        """
        reading = READING.issuperset(actions)
        unnamed = {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"} if reading else {"dynamodb:ReturnValues": "NONE"}
        leading = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [partitions]}} if partitions else {}
        # A request names its item by the keys, so they are always allowed.
        keys = {self.spec.partition_key, *filter(None, [self.spec.sort_key])}
        return leading | {
            "ForAllValues:StringEquals": {"dynamodb:Attributes": sorted({*keys, *attributes})},
            "StringEqualsIfExists": unnamed,
        }


def _attribute(spec: TableSpec, name: str) -> dynamodb.Attribute:
    annotation = next(item.model_fields[name].annotation for item in spec.items if name in item.model_fields)
    return dynamodb.Attribute(name=name, type=_attribute_type(annotation))


def _attribute_type(annotation: object) -> dynamodb.AttributeType:
    """Return the type of a key: text, also where the field is a literal of texts or optional.

    Raises: TypeError for any other annotation.
    """
    if _kinds(annotation) - {type(None)} != {str}:
        raise TypeError(f"a key is {annotation}: keys have to be text; declare the field as str")
    return dynamodb.AttributeType.STRING


def _kinds(annotation: object) -> set[type]:
    parts = get_args(annotation)
    if parts:
        return set().union(*map(_kinds, parts))
    return {annotation if isinstance(annotation, type) else type(annotation)}


def _lock(settings: Settings) -> s3.ObjectLockRetention | None:
    """Return how S3 Object Lock keeps anchors: as long as the chains."""
    match settings.anchor_mode:
        case "COMPLIANCE":
            return s3.ObjectLockRetention.compliance(settings.chain_retention)
        case "GOVERNANCE":
            return s3.ObjectLockRetention.governance(settings.chain_retention)
        case None:
            return None


class Data(Construct):
    """Keys, tables, buckets, the queue of parked complaints and the bus."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.keys = {data_class: self._key(data_class, settings) for data_class in ("narratives", "records")}
        self._let_log_groups_use(self.keys["records"])
        self.tables: list[SpecifiedTable] = []
        self.raw_complaints = self._table("RawComplaints", tables.RAW_COMPLAINTS, settings)
        self.complaints_allocation = self._table("ComplaintsAllocation", tables.COMPLAINTS_ALLOCATION, settings)
        self.audit_chain = self._table("AuditChain", tables.AUDIT_CHAIN, settings)
        self.model_info = self._table("ModelInfo", tables.MODEL_INFO, settings)
        self.model_strategy = self._table("ModelStrategy", tables.MODEL_STRATEGY, settings)
        self.champion_ledger = self._table("ChampionLedger", tables.CHAMPION_LEDGER, settings)
        self.bundles = Store(
            self,
            "Bundles",
            key=self.keys["records"],
            settings=settings,
            why_unlogged="It holds published model weights, no personal data; each load checks their hashes.",
            why_all_objects="Every object of this bucket is a file of a registered model.",
        )
        self.evidence = Store(
            self,
            "Evidence",
            key=self.keys["records"],
            settings=settings,
            why_unlogged="It holds figures about models, no personal data; the ledger holds the hash of each document.",
            why_all_objects="Every object of this bucket is the evidence for a change of a strategy.",
        )
        self.anchors = Store(
            self,
            "Anchors",
            key=self.keys["records"],
            settings=settings,
            why_unlogged="Its objects are empty: their names hold hashes, and no id.",
            why_all_objects="A function may add an anchor of any chain; what is locked it cannot replace.",
            expires=settings.chain_retention,
            lock=_lock(settings),
        )
        self.trails = self._trails(settings) if settings.trail else None
        self.parked = LastQueue(self, "Parked", key=self.keys["records"], settings=settings)
        self.undelivered = Undelivered(self, "Undelivered", key=self.keys["records"], settings=settings)
        self.bus = events.EventBus(self, "Bus", description=f"complaints-triage {settings.environment}")
        for policy in self.node.find_all():
            # Whatever stays still refuses plain HTTP.
            if isinstance(policy, (s3.BucketPolicy, sqs.QueuePolicy)):
                policy.apply_removal_policy(settings.removal_policy)
        if settings.empties_buckets:
            self._accept_the_function_that_empties_buckets()

    def _accept_the_function_that_empties_buckets(self) -> None:
        """Accept what tools ask of a function that runs while a stack is deleted, and that the CDK brings along."""
        handler = Stack.of(self).node.find_child("Custom::S3AutoDeleteObjectsCustomResourceProvider").node
        for rule in ("CKV_AWS_115", "CKV_AWS_116", "CKV_AWS_117", "CT.LAMBDA.PR.3"):
            acknowledge(handler.find_child("Handler"), rule, "The CDK's own; it runs once, when the stack is deleted.")

    def _key(self, data_class: str, settings: Settings) -> kms.Key:
        key = kms.Key(
            self,
            f"{data_class.title()}Key",
            enable_key_rotation=True,
            removal_policy=settings.removal_policy,
            description=f"complaints-triage {settings.environment}: {data_class}",
        )
        # A grant outlives the policy of whoever made it, and no policy shows it.
        key.add_to_resource_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["kms:CreateGrant"],
                resources=["*"],
                conditions={
                    "BoolIfExists": {"kms:GrantIsForAWSResource": "false", "aws:PrincipalIsAWSService": "false"}
                },
            )
        )
        return key

    def _let_log_groups_use(self, key: kms.Key) -> None:
        stack = Stack.of(self)
        groups = stack.format_arn(
            service="logs", resource="log-group", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        service = iam.ServicePrincipal(
            f"logs.{stack.region}.amazonaws.com",
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )
        # As AWS's documentation for encrypted log groups asks.
        key.grant(service, "kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*")

    def _trails(self, settings: Settings) -> Store:
        """Build the bucket for CloudTrail's records of who touches narratives. Only CloudTrail may write to it."""
        key = self.keys["records"]
        store = Store(
            self,
            "Trails",
            key=key,
            settings=settings,
            why_unlogged="It is the log itself; reads of it are management events of the trail.",
            why_all_objects="No role of this application may read it.",
            expires=Duration.days(settings.retention_days),
            measured=True,
        )
        stack = Stack.of(self)
        trail = stack.format_arn(service="cloudtrail", resource="trail", resource_name=settings.trail_name)
        service = iam.ServicePrincipal(
            "cloudtrail.amazonaws.com", conditions={"StringEquals": {"aws:SourceArn": trail}}
        )
        for action, resource in (
            ("s3:GetBucketAcl", store.bucket.bucket_arn),
            ("s3:PutObject", store.bucket.arn_for_objects(f"AWSLogs/{stack.account}/*")),
        ):
            store.bucket.add_to_resource_policy(
                iam.PolicyStatement(actions=[action], resources=[resource], principals=[service])
            )
        # Decrypt, because the bucket has an S3 bucket key: without it AWS refuses to create the trail.
        key.grant(service, "kms:DescribeKey", "kms:GenerateDataKey*", "kms:Decrypt")
        return store

    def _table(self, construct_id: str, spec: TableSpec, settings: Settings) -> SpecifiedTable:
        table = SpecifiedTable(self, construct_id, spec=spec, key=self.keys[spec.data_class], settings=settings)
        self.tables.append(table)
        return table
