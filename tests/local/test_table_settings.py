import pytest

from local.deployed import Resource
from local.table_settings import encryption, protection, recovery


def any_table(**properties) -> Resource:
    return Resource(
        stack="Stack",
        logical_id="Table",
        physical_id="a-table",
        type="AWS::DynamoDB::GlobalTable",
        raw=properties,
        resolve=lambda value: value,
    )


def a_replica(**properties):
    return [{"Region": "eu-west-2"}, {"Region": "us-east-1", **properties}]


@pytest.mark.parametrize(
    ("table", "protected"),
    [
        (any_table(DeletionProtectionEnabled=True), True),
        (any_table(Replicas=a_replica(DeletionProtectionEnabled=True)), True),
        (any_table(Replicas=a_replica(DeletionProtectionEnabled=False)), False),
        (any_table(), False),
    ],
)
def test_protection_is_read_from_either_kind_of_table(table, protected):
    assert protection(table) is protected


def test_recovery_is_off_where_nothing_is_said():
    assert recovery(any_table()) == {"PointInTimeRecoveryEnabled": False}


def test_recovery_is_read_from_the_replica_of_this_region():
    table = any_table(Replicas=a_replica(PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}))
    assert recovery(table) == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        (any_table(), None),
        (any_table(SSESpecification={"SSEEnabled": False}), None),
        (any_table(SSESpecification={"SSEEnabled": True}), {"Enabled": True, "SSEType": "KMS"}),
        (
            any_table(SSESpecification={"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": "key"}),
            {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "key"},
        ),
        (
            any_table(
                SSESpecification={"SSEEnabled": True, "SSEType": "KMS"},
                Replicas=a_replica(SSESpecification={"KMSMasterKeyId": "key"}),
            ),
            {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "key"},
        ),
    ],
)
def test_encryption_is_worded_as_the_api_takes_it(table, wanted):
    assert encryption(table) == wanted
