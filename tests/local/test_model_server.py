"""The model server beside a real MiniStack, which forwards the invocations of one handler to it."""

import http.client
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from types import SimpleNamespace
from typing import Any

import pytest

from local import model_server
from local.functions import Invocation
from local.keys import Keys
from local.lambda_fixes import REPLY, TOKEN
from local.model_server import Capture, Server, WaitedTooLongError, describe
from local.processes import is_healthy, until
from local.session import loopback_session
from local.state import LOOPBACK, ROOT, Ports, State, any_free_port, write

GRACE_SECONDS = 0.3
PROBE = """
from dataclasses import dataclass

class ModelFailedError(Exception):
    pass

@dataclass
class Environment:
    table: str

    @classmethod
    def read(cls, variables):
        return cls(variables["TABLE"])

def build(environment: Environment, session):
    client = session.client("dynamodb")

    def handle(event, context):
        print("judging", event["key"])
        if event.get("fail"):
            raise ModelFailedError("no")
        if event.get("scan"):
            client.scan(TableName=environment.table)
        client.put_item(TableName=environment.table, Item={"key": {"S": event["key"]}})
        return {"function": context.function_name, "table": environment.table}

    return handle
"""
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*"}],
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def test_an_exception_is_described_under_its_class_name():
    described = describe(ValueError("no"))
    assert (described["errorType"], described["errorMessage"]) == ("ValueError", "no")


def test_waiting_too_long_is_reported_as_a_timeout_of_lambda():
    assert describe(WaitedTooLongError("late"))["errorType"] == "Sandbox.Timedout"


def test_the_output_of_each_thread_is_collected_apart(monkeypatch):
    outside = io.StringIO()
    monkeypatch.setattr(sys, "stdout", outside)
    capture = Capture().install()
    printed: dict[str, list[str]] = {}

    def speak(name: str) -> None:
        with capture.lines() as lines:
            print(name)
        printed[name] = lines

    threads = [threading.Thread(target=speak, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("outside")
    assert {name: "".join(lines) for name, lines in printed.items()} == {"one": "one\n", "two": "two\n"}
    assert outside.getvalue() == "outside\n"


def test_stderr_is_captured_too(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with Capture().install().lines() as lines:
        print("wrong", file=sys.stderr)
    assert "".join(lines) == "wrong\n"


@pytest.fixture
def ended(monkeypatch):
    """The names of functions whose deadline would have ended the process."""
    names = []
    monkeypatch.setattr(model_server, "GRACE_SECONDS", GRACE_SECONDS)
    monkeypatch.setattr(model_server, "_end_process", lambda invocation: names.append(invocation.function_name))
    return names


def reply(handler, *, seconds):
    """Return the answer of a server whose only function is `handler`. seconds: until the deadline."""
    invocation = Invocation(
        function_name="infer",
        function_version="1",
        invoked_function_arn="arn",
        aws_request_id="7",
        deadline=time.time() + seconds,
    )
    functions: Any = SimpleNamespace(handler=lambda invocation: handler)
    with Server(0, functions, Capture(), concurrency=1, token="") as server:
        return server.reply(invocation, {})


def test_an_invocation_that_is_not_done_at_its_deadline_ends_the_process(ended):
    hang = threading.Event()
    reply(lambda event, context: hang.wait(GRACE_SECONDS + 1), seconds=0.1)
    assert ended == ["infer"]


def test_an_invocation_that_is_done_in_time_does_not_end_the_process(ended):
    assert reply(lambda event, context: "done", seconds=0.1)[REPLY]["result"] == "done"
    time.sleep(GRACE_SECONDS + 0.3)
    assert ended == []


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    state = State(tmp_path_factory.mktemp("state")).create()
    modules = tmp_path_factory.mktemp("modules")
    (modules / "probe.py").write_text(PROBE)
    ports = Ports(aws=any_free_port(), models=any_free_port())
    write(state.ports, ports)
    Keys.create(state)
    common = ["--state", str(state.folder), "--port"]
    ministack = [sys.executable, "-m", "local.ministack", *common, str(ports.aws)]
    ministack += ["--serve", f"probe.handler=http://{LOOPBACK}:{ports.models}/"]
    models = [sys.executable, "-m", "local.model_server", *common, str(ports.models)]
    with (
        subprocess.Popen(ministack, cwd=ROOT) as first,
        subprocess.Popen(models, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(modules)}) as second,
    ):
        assert until(lambda: is_healthy(ports.aws) and is_healthy(ports.models), seconds=20)
        session = loopback_session(f"http://{LOOPBACK}:{ports.aws}", Keys.of(state).credentials)
        prepare(session)
        yield session
        first.terminate()
        second.terminate()


def prepare(session):
    iam, dynamodb = session.client("iam"), session.client("dynamodb")
    role = iam.create_role(RoleName="infer", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="infer", PolicyName="put", PolicyDocument=json.dumps(POLICY))
    for table in ("one", "two"):
        dynamodb.create_table(
            TableName=f"table-{table}",
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("not_used.py", "")
    session.client("lambda").create_function(
        FunctionName="infer",
        Runtime="python3.13",
        Role=role,
        Handler="probe.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=10,
        Environment={"Variables": {"TABLE": "table-one"}},
    )


def invoke(aws, **event):
    reply = aws.client("lambda").invoke(FunctionName="infer", Payload=json.dumps(event))
    return json.loads(reply["Payload"].read())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({TOKEN: "another"}, 401),
        ({TOKEN: "token", "Origin": "https://bank.example"}, 403),
        ({TOKEN: "token", "Host": "bank.example"}, 403),
        ({TOKEN: "token"}, 400),
    ],
)
def test_only_the_embedded_aws_may_invoke(headers, status):
    functions: Any = None
    with Server(0, functions, Capture(), concurrency=1, token="token") as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        connection = http.client.HTTPConnection(LOOPBACK, server.server_port, timeout=10)
        connection.request("POST", "/", b"{}", headers)
        assert connection.getresponse().status == status
        connection.close()
        server.shutdown()
        thread.join()


@pytest.mark.system
def test_a_function_acts_with_its_role_in_its_environment(aws):
    assert invoke(aws, key="a") == {"function": "infer", "table": "table-one"}
    assert aws.client("dynamodb").get_item(TableName="table-one", Key={"key": {"S": "a"}})["Item"]


@pytest.mark.system
def test_a_function_is_refused_what_its_role_lacks(aws):
    refused = invoke(aws, key="a", scan=True)
    assert "AccessDenied" in refused["errorMessage"]
    assert "dynamodb:Scan" in refused["errorMessage"]


@pytest.mark.system
def test_an_exception_keeps_its_name(aws):
    failed = invoke(aws, key="a", fail=True)
    assert (failed["errorType"], failed["errorMessage"]) == ("ModelFailedError", "no")


@pytest.mark.system
def test_what_a_function_prints_is_in_its_log_group(aws):
    invoke(aws, key="printed")
    events = aws.client("logs").filter_log_events(logGroupName="/aws/lambda/infer")["events"]
    assert "judging printed" in [event["message"] for event in events]


@pytest.mark.system
def test_a_changed_environment_is_followed_within_seconds(aws):
    aws.client("lambda").update_function_configuration(
        FunctionName="infer", Environment={"Variables": {"TABLE": "table-two"}}
    )
    assert until(lambda: invoke(aws, key="b").get("table") == "table-two", seconds=10, every=0.5)
