import pytest

from stacks.settings import SETTINGS

TRAIL = "Trail"


@pytest.fixture
def trail(production):
    (found,) = production.stateless.of_type("AWS::CloudTrail::Trail").values()
    return found


def recorded(production, selector):
    return {r["Type"]: {production.readable(value) for value in r["Values"]} for r in selector["DataResources"]}


def test_the_embedded_aws_alone_has_no_trail(synthesis):
    trails = synthesis.stateless.of_type("AWS::CloudTrail::Trail")
    assert bool(trails) is SETTINGS[synthesis.environment].trail is (synthesis.environment != "local")


def test_every_request_for_a_complaint_is_recorded_and_every_function_that_people_invoke(trail, production):
    selector, _ = trail["EventSelectors"]
    assert (selector["ReadWriteType"], selector["IncludeManagementEvents"]) == ("All", True)
    assert recorded(production, selector) == {
        "AWS::DynamoDB::Table": {"Data/RawComplaints/Table.Arn"},
        "AWS::Lambda::Function": {
            "Audit/ReadNarrative.Arn",
            "Audit/Erase.Arn",
            "Audit/Hold.Arn",
            "Explanations/DeliverExplanation.Arn",
        },
    }


def test_every_write_of_a_record_or_a_chain_is_recorded(trail, production):
    _, selector = trail["EventSelectors"]
    assert (selector["ReadWriteType"], selector["IncludeManagementEvents"]) == ("WriteOnly", False)
    written = {"Data/ComplaintsAllocation/Table.Arn", "Data/AuditChain/Table.Arn"}
    assert recorded(production, selector) == {"AWS::DynamoDB::Table": written}


def test_the_files_of_the_trail_are_sealed_and_encrypted(trail, production):
    assert (trail["IsLogging"], trail["EnableLogFileValidation"]) == (True, True)
    assert production.readable(trail["KMSKeyId"]) == "Data/RecordsKey.Arn"
    assert production.readable(trail["S3BucketName"]) == "Data/Trails/Bucket"


def test_only_the_service_of_aws_reaches_the_bucket_of_the_trail(production):
    policy = production.stateful.of_type("AWS::S3::BucketPolicy")["Data/Trails/Bucket/Policy"]["PolicyDocument"]
    allowed = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    assert {str(statement["Principal"]) for statement in allowed} == {"{'Service': 'cloudtrail.amazonaws.com'}"}
    conditions = [statement["Condition"]["StringEquals"]["aws:SourceArn"] for statement in allowed]
    trails = {production.readable(source, production.stateful).rpartition(":")[2] for source in conditions}
    assert trails == {f"trail/{SETTINGS['prod'].trail_name}"}
    for role in production.stateless.of_type("AWS::IAM::Role"):
        assert not [where for _, where in production.permissions(role) if "Trails" in where]


def test_the_files_of_the_trail_expire_with_the_complaints(production):
    bucket = production.stateful.of_type("AWS::S3::Bucket")["Data/Trails/Bucket"]
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == SETTINGS[production.environment].retention_days
