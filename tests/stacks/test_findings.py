import pytest
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks

from stacks.findings import acknowledge, logical_id


@pytest.fixture
def bucket(tmp_path):
    """A bucket with two findings in an application of its own: no access logs, and open to plain HTTP."""
    app = App(outdir=str(tmp_path))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return s3.Bucket(Stack(app, "Stack"), "Bucket")


def test_an_acknowledgement_covers_one_finding_and_no_other(bucket, capfd):
    acknowledge(bucket, "AwsSolutions-S1", "A test may read it.")
    with pytest.raises(RuntimeError, match="Validation") as refused:
        bucket.node.root.synth()
    printed = capfd.readouterr()
    said = str(refused.value) + printed.out + printed.err
    assert "AwsSolutions-S10'" in said
    assert "AwsSolutions-S1'" not in said


def test_an_application_whose_findings_are_all_acknowledged_is_synthesized(bucket):
    acknowledge(bucket, "AwsSolutions-S1", "A test may read it.")
    acknowledge(bucket, "AwsSolutions-S10", "A test may read it.")
    assert bucket.node.root.synth().stacks


def test_the_findings_of_other_tools_are_accepted_in_the_metadata_of_their_resource(bucket):
    acknowledge(bucket, "CKV_AWS_18", "A test may read it.")
    acknowledge(bucket, "CT.S3.PR.2", "It is read by nobody.")
    accepted = bucket.node.default_child.get_metadata("accepted")
    assert accepted == {"CKV_AWS_18": "A test may read it.", "CT.S3.PR.2": "It is read by nobody."}


def test_a_logical_id_is_that_of_the_template(bucket):
    assert Stack.of(bucket).resolve(bucket.bucket_arn) == {"Fn::GetAtt": [logical_id(bucket), "Arn"]}


def test_a_group_of_resources_has_no_logical_id(bucket):
    with pytest.raises(TypeError, match="it has no default resource"):
        logical_id(Stack.of(bucket))
