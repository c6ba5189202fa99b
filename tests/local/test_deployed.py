import pytest

from local.deployed import NotAppliedError, Template

RESOURCES = {
    "Key": {"Type": "AWS::KMS::Key"},
    "Parked": {"Type": "AWS::SQS::Queue"},
    "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Ref": "AWS::AccountId"}}},
    "Rule": {"Type": "AWS::Events::Rule"},
    "NotDeployedError": {"Type": "AWS::KMS::Key"},
}
PHYSICAL = {"Key": "a-key", "Parked": "http://localhost:4566/000000000000/parked", "Bucket": "a-bucket", "Rule": "r"}


def any_template() -> Template:
    return Template("Stack", RESOURCES, PHYSICAL, {"Other:Key": "arn:of:another:stack"})


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ({"Enabled": True}, {"Enabled": True}),
        ({"Ref": "Bucket"}, "a-bucket"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Fn::GetAtt": ["Key", "Arn"]}, "arn:aws:kms:us-east-1:000000000000:key/a-key"),
        ({"Fn::GetAtt": ["Parked", "Arn"]}, "arn:aws:sqs:us-east-1:000000000000:parked"),
        ({"Fn::ImportValue": "Other:Key"}, "arn:of:another:stack"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Bucket"}]]}, "a-a-bucket"),
        ([{"Destination": {"Ref": "Key"}}], [{"Destination": "a-key"}]),
    ],
)
def test_a_property_is_read_as_it_was_deployed(value, resolved):
    assert any_template().resolve(value) == resolved


@pytest.mark.parametrize(
    "value", [{"Fn::GetAtt": ["Rule", "Arn"]}, {"Fn::If": ["Condition", 1, 2]}, {"Ref": "NotDeployedError"}]
)
def test_what_cannot_be_read_is_refused(value):
    with pytest.raises(NotAppliedError, match="Stack"):
        any_template().resolve(value)


def test_only_what_was_deployed_is_a_resource():
    assert {resource.logical_id for resource in any_template()} == set(PHYSICAL)


def test_a_resource_resolves_its_properties():
    bucket = next(resource for resource in any_template() if resource.logical_id == "Bucket")
    assert bucket.get("BucketName") == "000000000000"
    assert bucket.get("Tags") is None
