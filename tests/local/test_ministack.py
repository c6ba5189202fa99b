"""`local.ministack` makes MiniStack behave as AWS does; some tests show remaining differences."""

import io
import json
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local.keys import Keys
from local.processes import is_healthy, until
from local.session import loopback_session
from local.state import LOOPBACK, ROOT, State, any_free_port

pytestmark = pytest.mark.system

ROLE = "arn:aws:iam::000000000000:role/anyone"
CODE = """
import os, time

class ModelUnavailable(Exception):
    pass

def handler(event, context):
    print("pid", os.getpid())
    if event.get("fail"):
        raise ModelUnavailable("not today")
    time.sleep(event.get("seconds", 0))
    return {"pid": os.getpid()}
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    port, state = any_free_port(), State(tmp_path_factory.mktemp("state")).create()
    command = [sys.executable, "-m", "local.ministack", "--port", str(port), "--workers", "2"]
    command += ["--state", str(state.folder)]
    with subprocess.Popen(command, cwd=ROOT) as server:
        assert until(lambda: is_healthy(port), seconds=20)
        yield loopback_session(f"http://{LOOPBACK}:{port}", Keys.of(state).credentials)
        server.terminate()


@pytest.fixture(scope="module")
def function(aws):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("index.py", CODE)
    aws.client("iam").create_role(RoleName="anyone", AssumeRolePolicyDocument="{}")
    created = aws.client("lambda").create_function(
        FunctionName="any",
        Runtime="python3.13",
        Role=ROLE,
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=10,
    )
    return created["FunctionArn"]


def invoke(aws, function, **event):
    reply = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    return json.loads(reply["Payload"].read())


def outcome(aws, function, *, catches: str, **event):
    """Run a state machine of one task; return the state in which it ended."""
    task = {
        "Type": "Task",
        "Resource": function,
        "End": True,
        "Catch": [
            {"ErrorEquals": [catches], "Next": "Named"},
            {"ErrorEquals": ["States.ALL"], "Next": "Other"},
        ],
    }
    ends = {name: {"Type": "Pass", "Result": name, "End": True} for name in ("Named", "Other")}
    client = aws.client("stepfunctions")
    machine = client.create_state_machine(
        name=f"m{time.time_ns()}",
        roleArn=ROLE,
        definition=json.dumps({"StartAt": "Task", "States": {"Task": task, **ends}}),
    )["stateMachineArn"]
    execution = client.start_execution(stateMachineArn=machine, input=json.dumps(event))["executionArn"]
    assert until(lambda: client.describe_execution(executionArn=execution)["status"] != "RUNNING", seconds=20)
    return json.loads(client.describe_execution(executionArn=execution)["output"])


def test_an_exception_reaches_a_catch_under_its_own_name(aws, function):
    assert outcome(aws, function, catches="ModelUnavailable", fail=True) == "Named"


def test_a_worker_that_raised_stays_warm(aws, function):
    before = invoke(aws, function)["pid"]
    assert invoke(aws, function, fail=True)["errorType"] == "ModelUnavailable"
    assert invoke(aws, function)["pid"] == before


def test_an_exception_is_logged_with_its_traceback(aws, function):
    invoke(aws, function, fail=True)
    events = aws.client("logs").filter_log_events(logGroupName="/aws/lambda/any")["events"]
    assert any("ModelUnavailable: not today" in event["message"] for event in events)


def test_a_burst_waits_for_a_few_workers(aws, function):
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: invoke(aws, function, seconds=0.2), range(6)))
    assert 1 <= len({reply["pid"] for reply in replies}) <= 2


def test_a_throttle_reaches_a_catch_under_the_name_it_has_on_aws(aws, function):
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    try:
        assert outcome(aws, function, catches="Lambda.TooManyRequestsException") == "Named"
    finally:
        client.delete_function_concurrency(FunctionName=function)


@pytest.fixture(scope="module")
def writer(aws):
    """Return a client that may put and update one attribute in some partitions, and nothing else."""
    aws.client("dynamodb").create_table(
        TableName="notes",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    bound = {
        "Effect": "Allow",
        "Action": ["dynamodb:PutItem", "dynamodb:UpdateItem"],
        "Resource": "*",
        "Condition": {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["INBOX#*"]},
            "ForAllValues:StringEquals": {"dynamodb:Attributes": ["id", "said"]},
            "StringEqualsIfExists": {"dynamodb:ReturnValues": "NONE"},
        },
    }
    iam = aws.client("iam")
    role = iam.create_role(RoleName="writer", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]
    iam.put_role_policy(RoleName="writer", PolicyName="bound", PolicyDocument=json.dumps({"Statement": [bound]}))
    issued = aws.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
    credentials = Credentials(issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])
    return loopback_session(aws.client("sts").meta.endpoint_url, credentials).client("dynamodb")


ALLOWED = {"id": {"S": "INBOX#1"}, "said": {"S": "yes"}}
ANY_NOTE = {"id": {"S": "1"}}


def saying(what, *, of="INBOX#3", **more):
    """Return an update that sets an attribute."""
    change = {"UpdateExpression": f"SET {what} = :it", "ExpressionAttributeValues": {":it": {"S": "yes"}}}
    return {"TableName": "notes", "Key": {"id": {"S": of}}, **change, **more}


def test_a_put_within_the_bounds_of_a_policy_is_taken(writer, aws):
    other = ALLOWED | {"id": {"S": "INBOX#2"}}
    writer.put_item(TableName="notes", Item=ALLOWED)
    writer.transact_write_items(TransactItems=[{"Put": {"TableName": "notes", "Item": other}}])
    for item in (ALLOWED, other):
        assert aws.client("dynamodb").get_item(TableName="notes", Key={"id": item["id"]})["Item"] == item


def test_an_update_within_the_bounds_of_a_policy_is_taken(writer, aws):
    writer.update_item(**saying("said"))
    assert aws.client("dynamodb").get_item(TableName="notes", Key={"id": {"S": "INBOX#3"}})["Item"]["said"]


@pytest.mark.parametrize(
    "update",
    [
        saying("said", of="1"),
        saying("team"),
        saying("#name", ExpressionAttributeNames={"#name": "team"}),
        saying("said", ConditionExpression="attribute_not_exists(team)"),
        saying("said", ReturnValues="ALL_NEW"),
    ],
    ids=["partition", "attribute", "placeholder", "condition", "return"],
)
def test_an_update_beyond_the_bounds_of_a_policy_is_refused(writer, update):
    with pytest.raises(ClientError, match="AccessDenied"):
        writer.update_item(**update)


@pytest.mark.parametrize(
    "put",
    [
        lambda writer: writer.put_item(TableName="notes", Item=ANY_NOTE),
        lambda writer: writer.put_item(TableName="notes", Item=ALLOWED | {"team": {"S": "cards"}}),
        lambda writer: writer.put_item(TableName="notes", Item=ALLOWED, ReturnValues="ALL_OLD"),
        lambda writer: writer.transact_write_items(TransactItems=[{"Put": {"TableName": "notes", "Item": ANY_NOTE}}]),
    ],
    ids=["partition", "attribute", "return", "transaction"],
)
def test_a_put_beyond_the_bounds_of_a_policy_is_refused(writer, put):
    with pytest.raises(ClientError, match="AccessDenied"):
        put(writer)
