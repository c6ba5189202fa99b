import pytest

from stacks.settings import SETTINGS

TRAIL = "Trail"


@pytest.fixture
def trail(production):
    (found,) = production.stateless.of_type("AWS::CloudTrail::Trail").values()
    return found


def selectors(synthesis) -> list[dict[str, dict[str, set[str]]]]:
    """Return the selectors of the trail: each field with its operator and values."""
    (trail,) = synthesis.stateless.of_type("AWS::CloudTrail::Trail").values()
    assert "EventSelectors" not in trail, "a trail has either these or advanced ones"
    return [
        {
            field["Field"]: {
                operator: {synthesis.readable(value) for value in values}
                for operator, values in field.items()
                if operator != "Field"
            }
            for field in selector["FieldSelectors"]
        }
        for selector in trail["AdvancedEventSelectors"]
    ]


def data_events(synthesis) -> list[tuple[set[str], set[str], dict[str, set[str]]]]:
    """Return types, ARNs and the limit on reading or writing of the selectors of data events."""
    found = [selector for selector in selectors(synthesis) if selector["eventCategory"] == {"Equals": {"Data"}}]
    return [(s["resources.type"]["Equals"], s["resources.ARN"]["Equals"], s.get("readOnly", {})) for s in found]


def management_events(synthesis):
    found = [selector for selector in selectors(synthesis) if selector["eventCategory"] == {"Equals": {"Management"}}]
    return [{name: value for name, value in selector.items() if name != "eventCategory"} for selector in found]


def test_the_embedded_aws_alone_has_no_trail(synthesis):
    trails = synthesis.stateless.of_type("AWS::CloudTrail::Trail")
    assert bool(trails) is SETTINGS[synthesis.environment].trail is (synthesis.environment != "local")


def test_every_request_for_a_complaint_is_recorded_and_every_function_that_people_invoke(production):
    everything: dict[str, set[str]] = {}
    events = data_events(production)
    assert ({"AWS::DynamoDB::Table"}, {"Data/RawComplaints/Table.Arn"}, everything) in events
    invoked = {
        "Audit/ReadNarrative.Arn",
        "Audit/Erase.Arn",
        "Audit/Hold.Arn",
        "Explanations/DeliverExplanation.Arn",
    }
    assert ({"AWS::Lambda::Function"}, invoked, everything) in events


def test_every_write_of_a_record_or_a_chain_is_recorded(production):
    written = {"Data/ComplaintsAllocation/Table.Arn", "Data/AuditChain/Table.Arn"}
    assert ({"AWS::DynamoDB::Table"}, written, {"Equals": {"false"}}) in data_events(production)


def test_only_production_pays_for_a_copy_of_the_accounts_management_events(dev, production):
    assert management_events(dev) == []
    assert len(data_events(dev)) == len(data_events(production)) == 3
    # Without what only reads, such as the uses of keys, which every request for a table brings along.
    assert management_events(production) == [{"readOnly": {"Equals": {"false"}}}]


def test_changes_of_roles_are_recorded_which_iam_tells_one_region_alone(dev, production):
    for synthesis, expected in ((dev, False), (production, True)):
        (trail,) = synthesis.stateless.of_type("AWS::CloudTrail::Trail").values()
        assert trail["IsMultiRegionTrail"] is trail["IncludeGlobalServiceEvents"] is expected


def test_a_selector_has_only_fields_and_operators_that_aws_knows_for_its_category(dev, production):
    """https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html"""
    known = {
        "Management": {"eventCategory", "eventSource", "readOnly"},
        "Data": {"eventCategory", "eventName", "readOnly", "resources.ARN", "resources.type"},
    }
    for selector in [*selectors(dev), *selectors(production)]:
        (category,) = selector["eventCategory"]["Equals"]
        assert selector.keys() <= known[category]
        assert all(selector[field].keys() == {"Equals"} for field in selector.keys() & {"readOnly", "resources.type"})
        if "eventSource" in selector:
            assert selector["eventSource"] in ({"NotEquals": {"kms.amazonaws.com"}},)


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
