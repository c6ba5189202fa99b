import pytest

from stacks.data import EXPIRY_ATTRIBUTE, _attribute_type
from stacks.settings import SETTINGS
from triage import tables
from triage.audit.chain import KEPT_LONGER_DAYS
from triage.complaint import RawComplaint
from triage.outbox import ALLOCATED, PARKED, STARTED
from triage.tables import TABLES

BUCKETS = ("Data/Bundles/Bucket", "Data/Evidence/Bucket")
TRAILS = "Data/Trails/Bucket"
UNDELIVERED = "Data/Undelivered/Store/Bucket"
ANCHORS = "Data/Anchors/Bucket"
QUEUES = ("Data/Parked", "Data/Undelivered/Queue")


def path(spec) -> str:
    """Return the construct path of the table with this specification."""
    return f"Data/{spec.name.title().replace('_', '')}/Table"


def keys(schema) -> list[tuple[str, str]]:
    return [(key["AttributeName"], key["KeyType"]) for key in schema]


def replica(table):
    (only,) = table["Replicas"]
    return only


@pytest.fixture(params=TABLES, ids=lambda spec: spec.name)
def spec(request):
    return request.param


@pytest.fixture
def table(spec, synthesis):
    return synthesis.stateful.of_type("AWS::DynamoDB::GlobalTable")[path(spec)]


def test_there_is_a_table_for_each_specification_and_no_other(synthesis):
    assert synthesis.stateful.of_type("AWS::DynamoDB::GlobalTable").keys() == set(map(path, TABLES))


def test_the_keys_of_a_table_come_from_its_specification(spec, table):
    expected = [(spec.partition_key, "HASH"), *([(spec.sort_key, "RANGE")] if spec.sort_key else [])]
    assert keys(table["KeySchema"]) == expected


def test_every_key_is_text(spec, table):
    assert {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]} == dict.fromkeys(
        spec.keys, "S"
    )


def test_a_key_that_is_no_text_is_refused():
    with pytest.raises(TypeError, match="keys have to be text"):
        _attribute_type(int | None)


def test_the_indexes_of_a_table_come_from_its_specification(spec, table):
    found = {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes", [])}
    assert found.keys() == {index.name for index in spec.indexes}
    for index in spec.indexes:
        assert keys(found[index.name]["KeySchema"]) == [(index.partition_key, "HASH"), (index.sort_key, "RANGE")]
        projection = found[index.name]["Projection"]
        assert projection["ProjectionType"] == index.projection
        assert set(projection.get("NonKeyAttributes", [])) == set(index.attributes)


def test_no_index_of_raw_complaints_carries_what_a_customer_wrote_or_who_it_is(synthesis):
    table = synthesis.stateful.of_type("AWS::DynamoDB::GlobalTable")[path(tables.RAW_COMPLAINTS)]
    for index in table["GlobalSecondaryIndexes"]:
        readable = {name for name, _ in keys(index["KeySchema"])} | set(index["Projection"]["NonKeyAttributes"])
        assert index["Projection"]["ProjectionType"] == "INCLUDE"
        # The table's own key is projected into every index.
        assert all(name.startswith("triage_") for name in readable - {"complaint_id"})


def test_the_sweeper_finds_the_outbox_in_its_index():
    index = tables.RAW_COMPLAINTS.index("by_triage_state")
    assert index.partition_key == "triage_state"
    assert {*index.attributes, index.sort_key} <= RawComplaint.model_fields.keys()
    assert len({STARTED, ALLOCATED, PARKED}) == 3


def test_a_stream_carries_keys_and_nothing_else(spec, table):
    expected = {"StreamViewType": "KEYS_ONLY"} if spec.streamed else None
    assert table.get("StreamSpecification") == expected


def test_complaints_and_their_stories_expire_and_the_registry_does_not():
    expiring = {spec for spec in TABLES if spec.expires}
    assert expiring == {tables.RAW_COMPLAINTS, tables.COMPLAINTS_ALLOCATION, tables.AUDIT_CHAIN}


def test_expiry_follows_the_specification_by_an_attribute_of_every_item(spec, table):
    expected = {"AttributeName": EXPIRY_ATTRIBUTE, "Enabled": True} if spec.expires else None
    assert table.get("TimeToLiveSpecification") == expected
    if spec.expires:
        assert all(EXPIRY_ATTRIBUTE in item.model_fields for item in spec.items)


def test_every_table_can_be_restored_to_a_point_in_time(table):
    assert replica(table)["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_only_production_protects_its_tables_against_deletion(table, synthesis):
    assert replica(table).get("DeletionProtectionEnabled", False) is (synthesis.environment == "prod")


def test_a_table_is_encrypted_with_the_key_of_its_data_class(spec, table, synthesis):
    assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    key = synthesis.readable(replica(table)["SSESpecification"]["KMSMasterKeyId"], synthesis.stateful)
    assert key == f"Data/{spec.data_class.title()}Key.Arn"


def test_narratives_share_their_key_with_nothing_else():
    assert [spec for spec in TABLES if spec.data_class == "narratives"] == [tables.RAW_COMPLAINTS]


def test_no_item_but_the_raw_complaint_has_room_for_a_narrative():
    holders = {item for spec in TABLES for item in spec.items if "narrative" in item.model_fields}
    assert holders == {RawComplaint}


def test_a_key_is_rotated_and_is_the_accounts_own(synthesis):
    for key in synthesis.stateful.of_type("AWS::KMS::Key").values():
        assert key["EnableKeyRotation"] is True
        allowed = [statement for statement in key["KeyPolicy"]["Statement"] if statement["Effect"] == "Allow"]
        principals = [statement["Principal"] for statement in allowed]
        accounts = [synthesis.readable(p["AWS"], synthesis.stateful) for p in principals if "AWS" in p]
        assert accounts == ["arn:<AWS::Partition>:iam::<AWS::AccountId>:root"]
        # Under the records' key alarms publish to a topic, CloudTrail writes to a bucket, EventBridge to a queue, and
        # CloudWatch to log groups.
        named = [p["Service"] for p in principals if "Service" in p]
        services = {each for service in named for each in (service if isinstance(service, list) else [service])}
        logs = f"logs.{SETTINGS[synthesis.environment].region}.amazonaws.com"
        assert services <= {"cloudwatch.amazonaws.com", "cloudtrail.amazonaws.com", "events.amazonaws.com", logs}


@pytest.mark.parametrize("path", [*BUCKETS, UNDELIVERED, ANCHORS])
def test_a_bucket_is_private_versioned_and_encrypted_with_our_key(synthesis, path):
    bucket = synthesis.stateful.of_type("AWS::S3::Bucket")[path]
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["PublicAccessBlockConfiguration"].keys() == {
        "BlockPublicAcls",
        "BlockPublicPolicy",
        "IgnorePublicAcls",
        "RestrictPublicBuckets",
    }
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["BucketKeyEnabled"] is True
    default = rule["ServerSideEncryptionByDefault"]
    assert default["SSEAlgorithm"] == "aws:kms"
    assert synthesis.readable(default["KMSMasterKeyID"], synthesis.stateful) == "Data/RecordsKey.Arn"


def test_neither_a_bundle_nor_evidence_in_use_ever_expires(synthesis):
    buckets = synthesis.stateful.of_type("AWS::S3::Bucket")
    assert buckets.keys() - {TRAILS, UNDELIVERED, ANCHORS} == {*BUCKETS}
    for rule in (rule for path in BUCKETS for rule in buckets[path]["LifecycleConfiguration"]["Rules"]):
        assert not {"ExpirationInDays", "ExpirationDate", "Transitions"} & rule.keys()


def test_anchors_are_kept_as_long_as_chains_and_nobody_may_delete_one_before_in_production(synthesis):
    settings = SETTINGS[synthesis.environment]
    bucket = synthesis.stateful.of_type("AWS::S3::Bucket")[ANCHORS]
    days = settings.retention_days + KEPT_LONGER_DAYS
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == days
    if settings.anchor_mode is None:
        assert not {"ObjectLockEnabled", "ObjectLockConfiguration"} & bucket.keys()
        return
    assert bucket["ObjectLockEnabled"] is True
    locked = {"DefaultRetention": {"Mode": settings.anchor_mode, "Days": days}}
    assert bucket["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled", "Rule": locked}


def test_production_locks_anchors_against_everybody_and_dev_can_be_deleted():
    assert (SETTINGS["prod"].anchor_mode, SETTINGS["dev"].anchor_mode) == ("COMPLIANCE", None)


def test_there_is_no_queue_beside_those(synthesis):
    assert synthesis.stateful.of_type("AWS::SQS::Queue").keys() == {*QUEUES}
    assert not synthesis.stateless.of_type("AWS::SQS::Queue")


@pytest.mark.parametrize("path", QUEUES)
def test_a_queue_is_encrypted_and_keeps_what_people_have_not_read(synthesis, path):
    queue = synthesis.stateful.of_type("AWS::SQS::Queue")[path]
    assert synthesis.readable(queue["KmsMasterKeyId"], synthesis.stateful) == "Data/RecordsKey.Arn"
    longest = 14 * 24 * 60 * 60
    assert queue["MessageRetentionPeriod"] == longest


@pytest.mark.parametrize(
    ("policy", "service"),
    [("AWS::S3::BucketPolicy", "s3:*"), ("AWS::SQS::QueuePolicy", "sqs:*")],
)
def test_bucket_and_queue_refuse_plain_http_on_aws(synthesis, policy, service):
    """The embedded AWS has no TLS, and would enforce the policy."""
    statements = [
        statement
        for properties in synthesis.stateful.of_type(policy).values()
        for statement in properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
    ]
    if synthesis.environment == "local":
        assert not statements
        return
    assert len(statements) == (len({*BUCKETS, TRAILS, UNDELIVERED, ANCHORS}) if service == "s3:*" else len(QUEUES))
    for statement in statements:
        assert statement["Principal"] == {"AWS": "*"}
        assert statement["Action"] == service
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_policies_against_plain_http_cover_the_bucket_its_objects_and_the_queue(production):
    def resources(kind):
        statements = (
            statement
            for properties in production.stateful.of_type(kind).values()
            for statement in properties["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Deny"
        )
        named = (s["Resource"] if isinstance(s["Resource"], list) else [s["Resource"]] for s in statements)
        return {production.readable(resource, production.stateful) for group in named for resource in group}

    buckets = {*BUCKETS, TRAILS, UNDELIVERED, ANCHORS}
    assert resources("AWS::S3::BucketPolicy") == {f"{bucket}.Arn{part}" for bucket in buckets for part in ("", "/*")}
    assert resources("AWS::SQS::QueuePolicy") == {f"{queue}.Arn" for queue in QUEUES}


def test_allocations_are_announced_on_a_bus_of_their_own(synthesis):
    assert synthesis.stateful.of_type("AWS::Events::EventBus").keys() == {"Data/Bus"}


def test_no_other_account_may_announce_anything_or_read_a_table(synthesis):
    for template in synthesis.templates:
        assert not template.of_type("AWS::Events::EventBusPolicy")
        assert not [bus for bus in template.of_type("AWS::Events::EventBus").values() if "Policy" in bus]
    for table in synthesis.stateful.of_type("AWS::DynamoDB::GlobalTable").values():
        assert "ResourcePolicy" not in replica(table)
