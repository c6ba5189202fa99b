"""After `cdk deploy`: set the properties that MiniStack's CloudFormation drops, and fail if one does not hold.

`SETTINGS` covers the properties that the local templates use. A part of a template that is not understood here is
refused with its name, so that it cannot be dropped again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import boto3
from botocore.exceptions import ClientError

from local.deployed import NotAppliedError, Resource, deployed_stacks, resources
from local.session import REGION

BUCKET, TABLE, FUNCTION = "AWS::S3::Bucket", "AWS::DynamoDB::GlobalTable", "AWS::Lambda::Function"

Clients = Callable[[str], Any]
"""Gives the client of a service; untyped, because the arguments of its calls come from templates."""

_LIFECYCLE_KEYS = {"Status", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"}
"""The parts of a lifecycle rule that have the same name in CloudFormation and in the API."""

_MAPPING_KEYS = {"EventSourceArn", "FunctionName", "StartingPosition", "Tags"}
"""The properties of an event source mapping that an update cannot change."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One property that MiniStack's CloudFormation drops.

    found: reads what is set now. apply: sets it. wanted: gives what the template asks for in the form of the API, or
    None if it asks for nothing; by default the property itself.
    """

    type: str
    property: str
    found: Callable[[Clients, Resource], Any]
    apply: Callable[[Clients, Resource, Any], object]
    wanted: Callable[[Resource], Any] | None = None

    def wanted_by(self, resource: Resource) -> Any:
        return self.wanted(resource) if self.wanted else resource.get(self.property)


def set_dropped_properties(aws: boto3.Session, *, on_progress: Callable[[str], None]) -> list[str]:
    """Set what was dropped of every deployed stack, and return the names of the stacks.

    Raises: NotAppliedError naming the resource and the property.
    """
    stacks = deployed_stacks(aws)
    clients = cast(Clients, cache(aws.client))
    applied = apply(clients, [resource for stack in stacks for resource in resources(aws, stack)])
    on_progress(f"Set {applied} properties that MiniStack's CloudFormation leaves out")
    return stacks


def apply(clients: Clients, resources: Iterable[Resource], settings: Iterable[Setting] | None = None) -> int:
    """Set each property that does not hold, check that it holds then, and return how many were set."""
    settings = SETTINGS if settings is None else list(settings)
    return sum(
        _apply(clients, resource, setting)
        for resource in resources
        for setting in settings
        if setting.type == resource.type
    )


def _apply(clients: Clients, resource: Resource, setting: Setting) -> bool:
    wanted = setting.wanted_by(resource)
    if wanted is None or holds(setting.found(clients, resource), wanted):
        return False
    setting.apply(clients, resource, wanted)
    found = setting.found(clients, resource)
    if not holds(found, wanted):
        raise NotAppliedError(f"{resource}: {setting.property} is {found!r} although {wanted!r} was set")
    return True


def holds(found: Any, wanted: Any) -> bool:
    """Whether everything that is wanted was found. A service may add further fields."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            name in found and holds(found[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)


def lifecycle(bucket: Resource) -> list[dict[str, Any]] | None:
    """Return the lifecycle rules as the API takes them. Raises NotAppliedError at a part that is not understood."""
    configuration = bucket.get("LifecycleConfiguration")
    if not configuration:
        return None
    rules = []
    for rule in configuration["Rules"]:
        if unknown := rule.keys() - _LIFECYCLE_KEYS - {"ExpirationInDays"}:
            raise NotAppliedError(f"{bucket}: a lifecycle rule has {sorted(unknown)}; extend {__name__}")
        expiration = {"Expiration": {"Days": rule["ExpirationInDays"]}} if "ExpirationInDays" in rule else {}
        same = {name: value for name, value in rule.items() if name in _LIFECYCLE_KEYS}
        rules.append({"Filter": {"Prefix": ""}} | same | expiration)
    return rules


def bucket_encryption(bucket: Resource) -> list[dict[str, Any]] | None:
    """Return the rules of encryption under the names that the API has for their parts."""
    names = {
        "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
        "BucketKeyEnabled": "BucketKeyEnabled",
    }
    configuration = bucket.get("BucketEncryption")
    return configuration and [
        {names[name]: value for name, value in rule.items()}
        for rule in configuration["ServerSideEncryptionConfiguration"]
    ]


def replica(table: Resource) -> Mapping[str, Any]:
    """Return the replica of this region: it holds most settings of a global table."""
    replicas: list[Mapping[str, Any]] = table.get("Replicas") or []
    return next((replica for replica in replicas if replica["Region"] == REGION), {})


def recovery(table: Resource) -> dict[str, bool]:
    """Return whether point-in-time recovery is on. MiniStack has no RecoveryPeriodInDays."""
    specification = replica(table).get("PointInTimeRecoverySpecification", {})
    return {"PointInTimeRecoveryEnabled": bool(specification.get("PointInTimeRecoveryEnabled"))}


def table_encryption(table: Resource) -> dict[str, Any] | None:
    """Return the encryption as UpdateTable takes it; the replica names the key."""
    specification = table.get("SSESpecification")
    if not specification or not specification.get("SSEEnabled"):
        return None
    key = replica(table).get("SSESpecification", {})
    return {"Enabled": True, "SSEType": specification.get("SSEType", "KMS"), **key}


def _found_or_none(read: Callable[[], Any], missing: str) -> Any:
    """Call `read`, and return None if it fails with the error code `missing`."""
    try:
        return read()
    except ClientError as error:
        if error.response["Error"]["Code"] != missing:
            raise
        return None


def _time_to_live_found(clients: Clients, table: Resource) -> dict[str, Any]:
    found = clients("dynamodb").describe_time_to_live(TableName=table.physical_id)["TimeToLiveDescription"]
    enabled = found["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    return {"Enabled": enabled, "AttributeName": found.get("AttributeName")}


def _recovery_found(clients: Clients, table: Resource) -> dict[str, bool]:
    backups = clients("dynamodb").describe_continuous_backups(TableName=table.physical_id)
    found = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    return {"PointInTimeRecoveryEnabled": found["PointInTimeRecoveryStatus"] == "ENABLED"}


def _described(clients: Clients, table: Resource) -> Any:
    return clients("dynamodb").describe_table(TableName=table.physical_id)["Table"]


def _table_encryption_found(clients: Clients, table: Resource) -> dict[str, Any]:
    found = _described(clients, table).get("SSEDescription") or {}
    return {
        "Enabled": found.get("Status") == "ENABLED",
        "SSEType": found.get("SSEType"),
        "KMSMasterKeyId": found.get("KMSMasterKeyArn"),
    }


def _retention_found(clients: Clients, group: Resource) -> Any:
    groups = clients("logs").describe_log_groups(logGroupNamePrefix=group.physical_id)["logGroups"]
    return next((found.get("retentionInDays") for found in groups if found["logGroupName"] == group.physical_id), None)


SETTINGS = [
    Setting(
        type=BUCKET,
        property="LifecycleConfiguration",
        wanted=lifecycle,
        found=lambda clients, bucket: _found_or_none(
            lambda: clients("s3").get_bucket_lifecycle_configuration(Bucket=bucket.physical_id)["Rules"],
            "NoSuchLifecycleConfiguration",
        ),
        apply=lambda clients, bucket, wanted: clients("s3").put_bucket_lifecycle_configuration(
            Bucket=bucket.physical_id, LifecycleConfiguration={"Rules": wanted}
        ),
    ),
    Setting(
        type=BUCKET,
        property="BucketEncryption",
        wanted=bucket_encryption,
        found=lambda clients, bucket: clients("s3").get_bucket_encryption(Bucket=bucket.physical_id)[
            "ServerSideEncryptionConfiguration"
        ]["Rules"],
        apply=lambda clients, bucket, wanted: clients("s3").put_bucket_encryption(
            Bucket=bucket.physical_id, ServerSideEncryptionConfiguration={"Rules": wanted}
        ),
    ),
    Setting(
        type=BUCKET,
        property="VersioningConfiguration",
        found=lambda clients, bucket: clients("s3").get_bucket_versioning(Bucket=bucket.physical_id),
        apply=lambda clients, bucket, wanted: clients("s3").put_bucket_versioning(
            Bucket=bucket.physical_id, VersioningConfiguration=wanted
        ),
    ),
    Setting(
        type=BUCKET,
        property="PublicAccessBlockConfiguration",
        found=lambda clients, bucket: _found_or_none(
            lambda: clients("s3").get_public_access_block(Bucket=bucket.physical_id)["PublicAccessBlockConfiguration"],
            "NoSuchPublicAccessBlockConfiguration",
        ),
        apply=lambda clients, bucket, wanted: clients("s3").put_public_access_block(
            Bucket=bucket.physical_id, PublicAccessBlockConfiguration=wanted
        ),
    ),
    Setting(
        # After the versioning, without which MiniStack refuses it.
        type=BUCKET,
        property="ObjectLockConfiguration",
        found=lambda clients, bucket: _found_or_none(
            lambda: clients("s3").get_object_lock_configuration(Bucket=bucket.physical_id)["ObjectLockConfiguration"],
            "ObjectLockConfigurationNotFoundError",
        ),
        apply=lambda clients, bucket, wanted: clients("s3").put_object_lock_configuration(
            Bucket=bucket.physical_id, ObjectLockConfiguration=wanted
        ),
    ),
    Setting(
        type=TABLE,
        property="TimeToLiveSpecification",
        found=_time_to_live_found,
        apply=lambda clients, table, wanted: clients("dynamodb").update_time_to_live(
            TableName=table.physical_id, TimeToLiveSpecification=wanted
        ),
    ),
    Setting(
        type=TABLE,
        property="PointInTimeRecoverySpecification",
        wanted=recovery,
        found=_recovery_found,
        apply=lambda clients, table, wanted: clients("dynamodb").update_continuous_backups(
            TableName=table.physical_id, PointInTimeRecoverySpecification=wanted
        ),
    ),
    Setting(
        type=TABLE,
        property="DeletionProtectionEnabled",
        wanted=lambda table: bool(replica(table).get("DeletionProtectionEnabled")),
        found=lambda clients, table: _described(clients, table).get("DeletionProtectionEnabled", False),
        apply=lambda clients, table, wanted: clients("dynamodb").update_table(
            TableName=table.physical_id, DeletionProtectionEnabled=wanted
        ),
    ),
    Setting(
        type=TABLE,
        property="SSESpecification",
        wanted=table_encryption,
        found=_table_encryption_found,
        apply=lambda clients, table, wanted: clients("dynamodb").update_table(
            TableName=table.physical_id, SSESpecification=wanted
        ),
    ),
    Setting(
        type=FUNCTION,
        property="ReservedConcurrentExecutions",
        found=lambda clients, function: (
            clients("lambda")
            .get_function_concurrency(FunctionName=function.physical_id)
            .get("ReservedConcurrentExecutions")
        ),
        apply=lambda clients, function, wanted: clients("lambda").put_function_concurrency(
            FunctionName=function.physical_id, ReservedConcurrentExecutions=wanted
        ),
    ),
    Setting(
        type="AWS::Lambda::EventSourceMapping",
        property="batching, retries and filters",
        wanted=lambda mapping: {name: mapping.get(name) for name in mapping.properties if name not in _MAPPING_KEYS},
        found=lambda clients, mapping: clients("lambda").get_event_source_mapping(UUID=mapping.physical_id),
        apply=lambda clients, mapping, wanted: clients("lambda").update_event_source_mapping(
            UUID=mapping.physical_id, **wanted
        ),
    ),
    Setting(
        type="AWS::Logs::LogGroup",
        property="RetentionInDays",
        found=_retention_found,
        apply=lambda clients, group, wanted: clients("logs").put_retention_policy(
            logGroupName=group.physical_id, retentionInDays=wanted
        ),
    ),
]
