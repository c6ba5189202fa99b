"""What MiniStack does otherwise than AWS, and does like AWS when it is started by `local.ministack`."""

import io
import json
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.processes import is_healthy, until
from local.session import loopback_session
from local.state import LOOPBACK, ROOT, any_free_port

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
    port = any_free_port()
    command = [sys.executable, "-m", "local.ministack", "--port", str(port), "--workers", "2"]
    command += ["--state", str(tmp_path_factory.mktemp("state"))]
    with subprocess.Popen(command, cwd=ROOT) as server:
        assert until(lambda: is_healthy(port, "/_ministack/health"), seconds=20)
        yield loopback_session(f"http://{LOOPBACK}:{port}")
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
