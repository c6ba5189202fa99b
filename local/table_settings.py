"""DynamoDB tables. `TableV2` becomes a GlobalTable, which keeps half of its settings in its replica of the region."""

from typing import Any

from local.deployed import Resource
from local.session import REGION
from local.setting import Clients, Setting, asked

TYPES = ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")


def own(resource: Resource, name: str) -> Any:
    """A setting of the table, or of its replica here."""
    value = resource.get(name)
    replicas = [r for r in resource.raw.get("Replicas", []) if resource.resolve(r["Region"]) == REGION]
    return value if value is not None or not replicas else resource.resolve(replicas[0].get(name))


def recovery(resource: Resource) -> dict[str, bool]:
    """MiniStack knows no RecoveryPeriodInDays."""
    specification = own(resource, "PointInTimeRecoverySpecification") or {}
    return {"PointInTimeRecoveryEnabled": bool(specification.get("PointInTimeRecoveryEnabled"))}


def protection(resource: Resource) -> bool:
    return bool(own(resource, "DeletionProtectionEnabled"))


def encryption(resource: Resource) -> dict[str, Any] | None:
    """The two templates' SSESpecification, as UpdateTable takes it."""
    specification = resource.get("SSESpecification")
    if not specification or not specification.get("SSEEnabled"):
        return None
    wanted = {"Enabled": True, "SSEType": specification.get("SSEType", "KMS")}
    replicas = [r for r in resource.raw.get("Replicas", []) if resource.resolve(r["Region"]) == REGION]
    replica = resource.resolve(replicas[0].get("SSESpecification")) if replicas else None
    key = (replica or specification).get("KMSMasterKeyId")
    return wanted | ({"KMSMasterKeyId": key} if key else {})


def _table(clients: Clients, resource: Resource) -> dict[str, Any]:
    table: dict[str, Any] = clients.dynamodb.describe_table(TableName=resource.physical_id)["Table"]
    return table


def _ttl_found(clients: Clients, resource: Resource) -> dict[str, Any]:
    found = clients.dynamodb.describe_time_to_live(TableName=resource.physical_id)["TimeToLiveDescription"]
    enabled = found["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    return {"Enabled": enabled, "AttributeName": found.get("AttributeName")}


def _recovery_found(clients: Clients, resource: Resource) -> dict[str, bool]:
    backups = clients.dynamodb.describe_continuous_backups(TableName=resource.physical_id)
    found = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    return {"PointInTimeRecoveryEnabled": found["PointInTimeRecoveryStatus"] == "ENABLED"}


def _encryption_found(clients: Clients, resource: Resource) -> dict[str, Any]:
    found = _table(clients, resource).get("SSEDescription") or {}
    return {
        "Enabled": found.get("Status") == "ENABLED",
        "SSEType": found.get("SSEType"),
        "KMSMasterKeyId": found.get("KMSMasterKeyArn"),
    }


SETTINGS = [
    Setting(
        types=TYPES,
        property="TimeToLiveSpecification",
        wanted=asked("TimeToLiveSpecification"),
        found=_ttl_found,
        apply=lambda clients, table, wanted: clients.dynamodb.update_time_to_live(
            TableName=table.physical_id, TimeToLiveSpecification=wanted
        ),
    ),
    Setting(
        types=TYPES,
        property="PointInTimeRecoverySpecification",
        wanted=recovery,
        found=_recovery_found,
        apply=lambda clients, table, wanted: clients.dynamodb.update_continuous_backups(
            TableName=table.physical_id, PointInTimeRecoverySpecification=wanted
        ),
    ),
    Setting(
        types=TYPES,
        property="DeletionProtectionEnabled",
        wanted=protection,
        found=lambda clients, table: _table(clients, table).get("DeletionProtectionEnabled", False),
        apply=lambda clients, table, wanted: clients.dynamodb.update_table(
            TableName=table.physical_id, DeletionProtectionEnabled=wanted
        ),
    ),
    Setting(
        types=TYPES,
        property="SSESpecification",
        wanted=encryption,
        found=_encryption_found,
        apply=lambda clients, table, wanted: clients.dynamodb.update_table(
            TableName=table.physical_id, SSESpecification=wanted
        ),
    ),
]
