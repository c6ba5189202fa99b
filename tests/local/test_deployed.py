import pytest

from local.deployed import NotAppliedError, Resource, deployed

RESOURCES = {
    "Key": {"Type": "AWS::KMS::Key"},
    "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Ref": "Key"}}},
    "Rule": {"Type": "AWS::Events::Rule"},
    "NotDeployed": {"Type": "AWS::KMS::Key"},
}
PHYSICAL = {"Key": "a-key", "Bucket": "a-bucket", "Rule": "r"}
EXPORTS = {"Other:Queue": "a-queue"}


def deployed_resources() -> dict[str, Resource]:
    return {resource.logical_id: resource for resource in deployed("Stack", RESOURCES, PHYSICAL, EXPORTS)}


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ({"Enabled": True}, {"Enabled": True}),
        ({"Ref": "Bucket"}, "a-bucket"),
        ({"Fn::GetAtt": ["Key", "Arn"]}, "arn:aws:kms:us-east-1:000000000000:key/a-key"),
        ({"Fn::ImportValue": "Other:Queue"}, "a-queue"),
        ([{"Destination": {"Ref": "Key"}}], [{"Destination": "a-key"}]),
    ],
)
def test_a_property_is_read_as_it_was_deployed(value, resolved):
    assert deployed_resources()["Bucket"].resolve(value) == resolved


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::GetAtt": ["Rule", "Arn"]},
        {"Fn::GetAtt": ["Key", "KeyId"]},
        {"Fn::ImportValue": "Other:Topic"},
        {"Fn::If": ["Condition", 1, 2]},
        {"Ref": "NotDeployed"},
        {"Fn::GetAtt": ["NotDeployed", "Arn"]},
    ],
)
def test_a_property_that_cannot_be_read_is_refused(value):
    with pytest.raises(NotAppliedError, match="Stack: cannot read"):
        deployed_resources()["Bucket"].resolve(value)


def test_only_deployed_resources_are_returned():
    assert deployed_resources().keys() == PHYSICAL.keys()


def test_a_resource_resolves_its_properties():
    bucket = deployed_resources()["Bucket"]
    assert bucket.get("BucketName") == "a-key"
    assert bucket.get("Tags") is None
