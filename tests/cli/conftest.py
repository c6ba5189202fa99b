import json
from collections.abc import Callable, Iterator
from io import BytesIO

import boto3
import pytest
from moto import mock_aws

from cli import main
from cli.aws.deployment import REGIONS, Deployment
from runtime import erase, hold, read_narrative
from tests.cli.commands import ACCOUNT, MACHINE, Result
from tests.factories import create_table
from triage.errors import TriageError
from triage.functions import EraseEnvironment, HoldEnvironment, ReadNarrativeEnvironment
from triage.tables import TABLES

Ended = tuple[int, str, str]
"""Exit code, standard output, standard error."""

BUCKETS = {"bundles-bucket": "bundles", "evidence-bucket": "evidence", "anchors-bucket": "anchors"}


@pytest.fixture
def shell(monkeypatch, capsys) -> Callable[..., Ended]:
    """Return a function that runs the command as the shell does."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["triage", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.run()
        code = ended.value.code
        assert isinstance(code, int) or code is None
        return code or 0, *capsys.readouterr()

    return run


@pytest.fixture
def triage(shell, monkeypatch, tmp_path):
    """Return a function that runs the command as the shell does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Deployment, "operator", "ann")

    def run(*arguments: object) -> Result:
        return Result(*shell(*arguments))

    return run


@pytest.fixture
def no_credentials(monkeypatch, tmp_path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def aws(no_credentials, monkeypatch) -> Iterator[boto3.Session]:
    """Replace AWS by moto, with nothing in it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    with mock_aws():
        yield boto3.Session(region_name=REGIONS["dev"])


@pytest.fixture
def dev(aws) -> Deployment:
    """The environment `dev` with empty tables and buckets. Changes need no second person."""
    for spec in TABLES:
        create_table(aws.client("dynamodb"), spec)
        publish(aws, f"{spec.name.replace('_', '-')}-table", spec.name)
    for name, bucket in BUCKETS.items():
        aws.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
        publish(aws, name, bucket)
    for name, value in {"second-approver": "no", "retention-days": "90"}.items():
        publish(aws, name, value)
    for name in ("auditor", "privacy-officer"):
        publish(aws, f"{name}-role", f"arn:aws:iam::123456789012:role/{name}")
    return Deployment(aws, "dev")


@pytest.fixture
def deployment(dev: Deployment) -> Deployment:
    """The environment `dev` with a state machine that does nothing and the queue of parked complaints."""
    states = dev.session.client("stepfunctions")
    definition = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    role = f"arn:aws:iam::{ACCOUNT}:role/any"
    states.create_state_machine(name="triage", definition=json.dumps(definition), roleArn=role)
    queue = dev.session.client("sqs").create_queue(QueueName="parked")["QueueUrl"]
    for name, value in {"retention-days": "90", "state-machine": MACHINE, "parked-queue": queue}.items():
        publish(dev.session, name, value)
    return dev


@pytest.fixture
def functions(dev: Deployment, monkeypatch) -> Deployment:
    """The functions of `dev` that people invoke. They run in this process with the caller's rights."""
    told = {
        "code_version": "test",
        "retention_days": 90,
        "raw_complaints_table": "raw_complaints",
        "complaints_allocation_table": "complaints_allocation",
    }
    chained = {**told, "audit_chain_table": "audit_chain"}
    deployed = {
        "erase": erase.build(EraseEnvironment.model_validate(told), dev.session),
        "hold": hold.build(HoldEnvironment.model_validate(chained), dev.session),
        "read-narrative": read_narrative.build(ReadNarrativeEnvironment.model_validate(told), dev.session),
    }

    class Functions:
        def invoke(self, *, FunctionName, Payload):  # noqa: N803  # the names are boto3's
            try:
                said = deployed[FunctionName](json.loads(Payload), None)
            except TriageError as error:
                said = {"errorType": type(error).__name__, "errorMessage": str(error)}
                return {"FunctionError": "Unhandled", "Payload": BytesIO(json.dumps(said).encode())}
            return {"Payload": BytesIO(json.dumps(said).encode())}

    class Acting:
        def client(self, service, **options):
            return Functions() if service == "lambda" else dev.session.client(service, **options)

    for name in deployed:
        publish(dev.session, f"{name}-function", name)
    monkeypatch.setattr(Deployment, "acting_as", lambda self, role: Acting())
    return dev


def publish(session: boto3.Session, name: str, value: str) -> None:
    parameter = f"/complaints-triage/dev/{name}"
    session.client("ssm").put_parameter(Name=parameter, Value=value, Type="String", Overwrite=True)
