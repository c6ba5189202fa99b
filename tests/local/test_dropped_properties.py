from typing import Any, cast

import pytest

from local.deployed import NotAppliedError, Resource
from local.dropped_properties import (
    BUCKET,
    SETTINGS,
    TABLE,
    Clients,
    Setting,
    apply,
    bucket_encryption,
    holds,
    lifecycle,
    recovery,
    table_encryption,
)


class Fake:
    """A service that stores one value, or ignores it."""

    def __init__(self, value: Any = None, *, keeps: bool = True) -> None:
        self.value = value
        self.keeps = keeps
        self.calls: list[Any] = []

    def put(self, wanted: Any) -> None:
        self.calls.append(wanted)
        if self.keeps:
            self.value = wanted


def any_setting(fake: Fake) -> Setting:
    return Setting(
        type="AWS::Thing",
        property="Property",
        found=lambda clients, resource: fake.value,
        apply=lambda clients, resource, wanted: fake.put(wanted),
    )


def any_resource(kind: str = "AWS::Thing", **properties: Any) -> Resource:
    return Resource(
        stack="Stack", logical_id="It", physical_id="it", type=kind, properties=properties, resolve=lambda value: value
    )


def applied(setting: Setting, resource: Resource) -> int:
    return apply(cast(Clients, None), [resource], [setting])


def test_a_missing_property_is_set_once():
    fake = Fake()
    assert applied(any_setting(fake), any_resource(Property=3)) == 1
    assert applied(any_setting(fake), any_resource(Property=3)) == 0
    assert fake.calls == [3]


def test_a_property_that_the_template_does_not_set_is_left_alone():
    fake = Fake("something")
    assert applied(any_setting(fake), any_resource()) == 0
    assert fake.calls == []


def test_a_resource_of_another_type_is_left_alone():
    fake = Fake()
    assert applied(any_setting(fake), any_resource("AWS::Other", Property=3)) == 0


def test_what_does_not_hold_is_refused_by_resource_and_property():
    with pytest.raises(NotAppliedError, match=r"Stack/It .*: Property is None although 3 was set"):
        applied(any_setting(Fake(keeps=False)), any_resource(Property=3))


@pytest.mark.parametrize(
    ("found", "wanted", "held"),
    [
        ({"a": 1, "added": 2}, {"a": 1}, True),
        ({"a": {"b": 1, "added": 2}}, {"a": {"b": 1}}, True),
        ({}, {"a": None}, False),
        ([{"a": 1, "added": 2}], [{"a": 1}], True),
        ([1, 2], [1], False),
        (None, {"a": 1}, False),
        (3, 3, True),
    ],
)
def test_fields_that_a_service_adds_do_no_harm(found, wanted, held):
    assert holds(found, wanted) is held


@pytest.mark.parametrize(
    "part",
    [
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 30}},
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
    ],
)
def test_a_lifecycle_rule_is_written_as_the_api_takes_it(part):
    bucket = any_resource(BUCKET, LifecycleConfiguration={"Rules": [{"Status": "Enabled", **part}]})
    assert lifecycle(bucket) == [{"Filter": {"Prefix": ""}, "Status": "Enabled", **part}]


def test_a_bucket_without_rules_keeps_its_lifecycle_and_encryption():
    assert lifecycle(any_resource(BUCKET)) is None
    assert bucket_encryption(any_resource(BUCKET)) is None


def test_a_part_of_a_lifecycle_rule_that_is_not_understood_is_refused():
    bucket = any_resource(BUCKET, LifecycleConfiguration={"Rules": [{"Status": "Enabled", "Novel": 1}]})
    with pytest.raises(NotAppliedError, match=r"Stack/It .*: a lifecycle rule has \['Novel'\]"):
        lifecycle(bucket)


def test_bucket_encryption_is_written_as_the_api_takes_it():
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "key"}
    rule = {"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": default}
    bucket = any_resource(BUCKET, BucketEncryption={"ServerSideEncryptionConfiguration": [rule]})
    assert bucket_encryption(bucket) == [{"BucketKeyEnabled": True, "ApplyServerSideEncryptionByDefault": default}]


def a_table(*, replica: dict[str, Any] | None = None, **properties: Any) -> Resource:
    """A global table with a replica in another region, and one in this region with the properties of `replica`."""
    replicas = [{"Region": "eu-west-2"}, {"Region": "us-east-1", **(replica or {})}]
    return any_resource(TABLE, Replicas=replicas, **properties)


@pytest.mark.parametrize(
    ("table", "protected"),
    [
        (a_table(replica={"DeletionProtectionEnabled": True}), True),
        (a_table(replica={"DeletionProtectionEnabled": False}), False),
        (a_table(), False),
    ],
)
def test_protection_is_read_from_the_replica_of_this_region(table, protected):
    (setting,) = (setting for setting in SETTINGS if setting.property == "DeletionProtectionEnabled")
    assert setting.wanted_by(table) is protected


def test_recovery_is_off_if_the_template_says_nothing():
    assert recovery(a_table()) == {"PointInTimeRecoveryEnabled": False}


def test_recovery_is_read_from_the_replica_of_this_region():
    table = a_table(replica={"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}})
    assert recovery(table) == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        (a_table(), None),
        (a_table(SSESpecification={"SSEEnabled": False}), None),
        (a_table(SSESpecification={"SSEEnabled": True}), {"Enabled": True, "SSEType": "KMS"}),
        (
            a_table(
                SSESpecification={"SSEEnabled": True, "SSEType": "KMS"},
                replica={"SSESpecification": {"KMSMasterKeyId": "key"}},
            ),
            {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "key"},
        ),
    ],
)
def test_table_encryption_is_written_as_the_api_takes_it(table, wanted):
    assert table_encryption(table) == wanted


def test_an_event_source_mapping_keeps_its_source_and_gets_everything_else():
    mapping = any_resource("AWS::Lambda::EventSourceMapping", EventSourceArn="arn", FunctionName="seal", BatchSize=3)
    (setting,) = (setting for setting in SETTINGS if setting.type == mapping.type)
    assert setting.wanted_by(mapping) == {"BatchSize": 3}


def test_a_lifecycle_rule_expires_objects_under_the_name_that_the_api_has_for_it():
    rule = {"Status": "Enabled", "ExpirationInDays": 44}
    (wanted,) = lifecycle(any_resource(BUCKET, LifecycleConfiguration={"Rules": [rule]})) or []
    assert wanted == {"Filter": {"Prefix": ""}, "Status": "Enabled", "Expiration": {"Days": 44}}
