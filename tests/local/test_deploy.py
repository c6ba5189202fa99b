import json
import sys

import pytest

from local import deploy, up
from local.session import session
from local.state import Instance, Ports, Process, State
from tests.local.test_state import open_to_others

TEMPLATE = {
    "Resources": {
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": []}}},
        "Table": {
            "Type": "AWS::DynamoDB::GlobalTable",
            "Properties": {
                "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
                "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
                "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS"},
                "Replicas": [
                    {
                        "Region": "us-east-1",
                        "DeletionProtectionEnabled": True,
                        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                        "SSESpecification": {"KMSMasterKeyId": {"Fn::GetAtt": ["Key", "Arn"]}},
                    }
                ],
            },
        },
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "LifecycleConfiguration": {
                    "Rules": [{"NoncurrentVersionExpiration": {"NoncurrentDays": 3}, "Status": "Enabled"}]
                }
            },
        },
    },
    "Outputs": {"Table": {"Value": {"Ref": "Table"}}, "Bucket": {"Value": {"Ref": "Bucket"}}},
}


def any_instance(folder, **ports) -> Instance:
    return Instance(state=folder, ports=Ports(**ports), supervisor=Process(pid=1, started=1))


def test_what_a_deployment_leaves_in_the_state_folder_is_its_owners_alone(tmp_path):
    state = State(tmp_path / "state").create()
    copied = "import pathlib, sys; path = pathlib.Path(sys.argv[1]); path.write_text(''); path.chmod(0o644)"
    command = [sys.executable, "-c", copied, str(state.deployment / "copied.py")]
    with deploy._alone(state.deployment / "lock"):
        deploy._run_cdk(command, {}, tmp_path, state, lambda line: None)
    assert {"copied.py", "lock", "deploy.log"} <= {path.name for path in state.folder.rglob("*")}
    assert not open_to_others(state.folder)


def test_changed_sources_are_deployed_again(tmp_path):
    source = tmp_path / "app.py"
    source.write_text("one")
    first = deploy.fingerprint_of([source], any_instance(tmp_path), None)
    assert deploy.fingerprint_of([source], any_instance(tmp_path), None) == first
    source.write_text("two")
    assert deploy.fingerprint_of([source], any_instance(tmp_path), None) != first


def test_changed_addresses_are_deployed_again(tmp_path):
    first = deploy.fingerprint_of([], any_instance(tmp_path), None)
    assert deploy.fingerprint_of([], any_instance(tmp_path, hub=9), None) != first


@pytest.mark.parametrize(
    ("line", "news"),
    [
        ("✅  Stateful", True),
        (" ❌ Stateful failed: no", True),
        ("Stateful | 1/2 | 7:41 PM | CREATE_FAILED | AWS::SQS::Queue | Parked", True),
        ("Stateful | 1/2 | 7:41 PM | CREATE_COMPLETE | AWS::SQS::Queue | Parked", False),
        ("", False),
    ],
)
def test_only_results_and_failures_are_shown(line, news):
    assert deploy.is_news(line) is news


@pytest.fixture
def instance(tmp_path):
    state = tmp_path / "state"
    yield up.start(state, on_progress=print)
    up.down(state, on_progress=print)


@pytest.fixture
def assembly(tmp_path):
    """Write a synthesized application as `cdk synth` does, which itself would take seconds."""
    folder = tmp_path / "cdk.out"
    folder.mkdir()
    stack = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://000000000000/us-east-1",
        "properties": {
            "templateFile": "Stack.template.json",
            "stackTemplateAssetObjectUrl": f"s3://{deploy.ASSET_BUCKET}/template.json",
        },
        "dependencies": ["Stack.assets"],
    }
    assets = {"type": "cdk:asset-manifest", "properties": {"file": "Stack.assets.json"}}
    template = {
        "source": {"path": "Stack.template.json", "packaging": "file"},
        "destinations": {
            "here": {"bucketName": deploy.ASSET_BUCKET, "objectKey": "template.json", "region": "us-east-1"}
        },
    }
    artifacts = {"Stack": stack, "Stack.assets": assets}
    (folder / "manifest.json").write_text(json.dumps({"version": "36.0.0", "artifacts": artifacts}))
    (folder / "Stack.assets.json").write_text(json.dumps({"version": "36.0.0", "files": {"template": template}}))
    (folder / "Stack.template.json").write_text(json.dumps(TEMPLATE))
    return folder


@pytest.mark.system
def test_a_deployment_holds_what_its_template_says_and_is_not_repeated(instance, assembly):
    said: list[str] = []
    deploy.deploy(instance, on_progress=said.append, app=str(assembly))
    outputs = json.loads((State(instance.state).deployment / "outputs.json").read_text())["Stack"]
    aws = session(instance)
    dynamodb, s3 = aws.client("dynamodb"), aws.client("s3")

    table = dynamodb.describe_table(TableName=outputs["Table"])["Table"]
    assert table["DeletionProtectionEnabled"] is True
    assert table["SSEDescription"]["KMSMasterKeyArn"].startswith("arn:aws:kms:us-east-1:000000000000:key/")
    ttl = dynamodb.describe_time_to_live(TableName=outputs["Table"])["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    rules = s3.get_bucket_lifecycle_configuration(Bucket=outputs["Bucket"])["Rules"]
    assert rules[0]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 3}

    deploy.deploy(instance, on_progress=said.append, app=str(assembly))
    assert said[-1] == "Nothing has changed since the last deployment"

    aws.client("cloudformation").delete_stack(StackName="Stack")
    assert not deploy.is_current(aws, "any")


@pytest.mark.system
def test_a_failed_deployment_shows_the_last_lines_of_cdk(instance, tmp_path):
    with pytest.raises(deploy.NotDeployedError, match="nowhere"):
        deploy.deploy(instance, on_progress=print, app=str(tmp_path / "nowhere"))
