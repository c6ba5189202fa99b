"""What reaches MiniStack, and what does not. Its own paths and services are read from its sources."""

import asyncio
import hashlib
import http.client
import io
import json
import re
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from ministack import app as ministack

from local.gate import Gate
from local.keys import Keys
from local.processes import is_healthy, until
from local.session import REGION, loopback_session
from local.state import LOOPBACK, ROOT, State, any_free_port

PORT = 4566
KEYS = Keys.draw()
SOURCE = Path(ministack.__file__).read_text()
OWN_PATHS = sorted(set(re.findall(r'"(/(?:_[a-z]+|oauth2|logout|login|health)[^"{ ]*)"', SOURCE)))
SERVICES = sorted(ministack.SERVICE_HANDLERS)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
HOST = f"127.0.0.1:{PORT}"


def statuses(scope, body=b""):
    """Return the status of the answer, and whether the application behind the gate saw the request."""
    seen, sent = [], []

    async def application(scope, receive, send):
        message = await receive()
        seen.append(message.get("body", b""))
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(Gate(application, KEYS, port=PORT)(scope, receive, send))
    return next((message["status"] for message in sent if "status" in message), None), bool(seen)


def scope(method="POST", target="/", headers=(), kind="http"):
    split = urlsplit(target)
    sent = [("host", HOST), *headers]
    return {
        "type": kind,
        "method": method,
        "path": split.path or "/",
        "raw_path": (split.path or "/").encode(),
        "query_string": split.query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent],
    }


def signed(credentials, *, service="dynamodb", method="POST", target="/", body=b"{}", more=()):
    request = AWSRequest(method, f"http://{HOST}{target}", data=body, headers={"content-type": "application/json"})
    SigV4Auth(credentials, service, REGION).add_auth(request)
    return scope(method, target, [*request.headers.items(), *more]), body


REFUSED, PASSED = (403, False), (200, True)


def test_a_request_that_is_signed_by_the_keys_passes_whatever_its_service():
    for service in SERVICES:
        assert statuses(*signed(KEYS.credentials, service=service)) == PASSED, service


def test_the_body_of_a_request_that_passes_is_whole():
    request, body = signed(KEYS.credentials, body=b'{"TableName": "any"}')
    assert statuses(request, body) == PASSED


WRONG = {
    "MiniStack's fixed key": Credentials("test", "test"),
    "the number of the account": Credentials("000000000000", "test"),
    "an unknown key": Credentials("AKIAIOSFODNN7EXAMPLE", "test"),
    "our key with another secret": Credentials(KEYS.access_key_id, "test"),
    "our key with a session token": Credentials(KEYS.access_key_id, KEYS.secret_access_key, "token"),
}


@pytest.mark.parametrize("credentials", WRONG.values(), ids=WRONG)
def test_a_request_by_another_key_is_refused_whatever_its_service(credentials):
    for service in SERVICES:
        assert statuses(*signed(credentials, service=service)) == REFUSED, service


@pytest.mark.parametrize("method", METHODS)
def test_no_path_of_ministack_is_open_to_a_request_without_a_signature(method):
    assert {"/_ministack/reset", "/_ministack/config", "/_localstack/health"} <= set(OWN_PATHS)
    for path in {*OWN_PATHS, "/", "/bucket/key"} - {"/health"}:
        assert statuses(scope(method, path)) == REFUSED, path


def test_a_signature_for_another_request_is_refused():
    request, body = signed(KEYS.credentials, target="/one")
    assert statuses({**request, "path": "/two", "raw_path": b"/two"}, body) == REFUSED
    assert statuses({**request, "method": "PUT"}, body) == REFUSED
    assert statuses({**request, "query_string": b"a=b"}, body) == REFUSED
    assert statuses(request, b"another body") == REFUSED


def test_an_old_signature_is_refused(monkeypatch):
    request, body = signed(KEYS.credentials, service="events")
    monkeypatch.setattr("ministack.core.sigv4.request_time_failure", late(minutes=6))
    assert statuses(request, body) == REFUSED


def late(*, minutes):
    from datetime import UTC, datetime, timedelta

    from ministack.core.sigv4 import request_time_failure

    return lambda signature: request_time_failure(signature, now=datetime.now(UTC) + timedelta(minutes=minutes))


def test_a_request_that_names_a_second_key_is_refused():
    request, body = signed(KEYS.credentials, target="/?X-Amz-Credential=test/20260101/us-east-1/s3/aws4_request")
    assert statuses(request, body) == REFUSED
    request, body = signed(KEYS.credentials)
    doubled = [
        (name, value.replace(b"AWS4-HMAC-SHA256 ", b"AWS4-HMAC-SHA256 XCredential=test/x, "))
        for name, value in request["headers"]
    ]
    assert statuses({**request, "headers": doubled}, body) == REFUSED


@pytest.mark.parametrize("header", [("origin", "https://bank.example"), ("sec-fetch-site", "cross-site")])
def test_a_page_is_refused_even_if_it_knows_the_keys(header):
    assert statuses(*signed(KEYS.credentials, more=[header])) == REFUSED


def test_a_name_that_was_pointed_at_this_machine_is_refused():
    request, body = signed(KEYS.credentials)
    headers = [(name, b"bank.example" if name == b"host" else value) for name, value in request["headers"]]
    assert statuses({**request, "headers": headers}, body) == REFUSED


def test_a_websocket_is_refused():
    assert statuses(scope(kind="websocket")) == (None, False)


def test_health_is_answered_without_the_application():
    assert statuses(scope("GET", "/health")) == (200, False)


@pytest.mark.parametrize(("seconds", "expected"), [(60, PASSED), (0, REFUSED)])
def test_a_presigned_address_passes_until_it_expires(seconds, expected):
    request = AWSRequest("GET", f"http://{HOST}/bucket/key")
    S3SigV4QueryAuth(KEYS.credentials, "s3", REGION, expires=seconds).add_auth(request)
    time.sleep(0.01)
    assert statuses(scope("GET", request.url)) == expected


def test_an_address_that_another_key_presigned_is_refused():
    for credentials in WRONG.values():
        request = AWSRequest("GET", f"http://{HOST}/bucket/key")
        S3SigV4QueryAuth(credentials, "s3", REGION, expires=60).add_auth(request)
        assert statuses(scope("GET", request.url)) == REFUSED


CODE = """
import boto3

def handler(event, context):
    return boto3.client("sts").get_caller_identity()["Arn"]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    port, state = any_free_port(), State(tmp_path_factory.mktemp("gate")).create()
    command = [sys.executable, "-m", "local.ministack", "--port", str(port), "--state", str(state.folder)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        assert until(lambda: is_healthy(port), seconds=20)
        yield port, loopback_session(f"http://{LOOPBACK}:{port}", Keys.of(state).credentials)
        process.terminate()


def ask(port, method, path, headers, body=b""):
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=10)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, dict(answer.getheaders())


@pytest.mark.system
def test_a_page_cannot_reset_the_embedded_aws(server):
    port, aws = server
    aws.client("ssm").put_parameter(Name="/kept", Value="value", Type="String")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for headers in ({**form, "Origin": "https://bank.example"}, form):
        assert ask(port, "POST", "/_ministack/reset", headers)[0] == 403
    assert aws.client("ssm").get_parameter(Name="/kept")["Parameter"]["Value"] == "value"


@pytest.mark.system
def test_no_answer_allows_another_origin(server):
    status, headers = ask(server[0], "OPTIONS", "/", {"Origin": "https://bank.example"})
    assert status == 403
    assert not any(name.lower().startswith("access-control") for name in headers)


@pytest.mark.system
def test_a_client_with_the_wrong_keys_reads_an_error_of_aws(server):
    endpoint = server[1].client("sts").meta.endpoint_url
    others = loopback_session(endpoint, Credentials("test", "test"))
    calls = [
        lambda: others.client("sts").get_caller_identity(),
        lambda: others.client("s3").list_buckets(),
        lambda: others.client("dynamodb").list_tables(),
        lambda: others.client("lambda").list_functions(),
        lambda: others.client("cloudformation").list_stacks(),
    ]
    for call in calls:
        with pytest.raises(ClientError, match="security token included in the request is invalid"):
            call()


@pytest.mark.system
def test_the_health_of_a_server_says_nothing_about_it(server):
    assert is_healthy(server[0])
    assert ask(server[0], "GET", "/_ministack/health", {})[0] == 403


@pytest.fixture(scope="module")
def function(server):
    _, aws = server
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("index.py", CODE)
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = aws.client("iam").create_role(
        RoleName="anyone", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    created = aws.client("lambda").create_function(
        FunctionName="any",
        Runtime="python3.13",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=10,
    )
    return created["FunctionArn"], role


@pytest.mark.system
def test_a_function_calls_the_embedded_aws_by_its_own_credentials(server, function):
    reply = server[1].client("lambda").invoke(FunctionName=function[0], Payload="{}")
    assert json.loads(reply["Payload"].read()).startswith("arn:aws:sts::000000000000:assumed-role/anyone/any")


@pytest.mark.system
def test_the_credentials_of_a_function_cannot_be_computed_from_its_name(server, function):
    port, aws = server
    aws.client("lambda").invoke(FunctionName=function[0], Payload="{}")
    digest = hashlib.sha256(f"{function[0]}:{function[1]}".encode()).hexdigest()
    guessed = Credentials(
        f"ASIA{digest[:16].upper()}",
        hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    )
    with pytest.raises(ClientError, match="security token included in the request is invalid"):
        loopback_session(f"http://{LOOPBACK}:{port}", guessed).client("sts").get_caller_identity()


@pytest.mark.system
def test_an_assumed_role_is_answered_by_its_own_credentials(server, function):
    port, aws = server
    issued = aws.client("sts").assume_role(RoleArn=function[1], RoleSessionName="test")["Credentials"]
    right = Credentials(issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])
    session = loopback_session(f"http://{LOOPBACK}:{port}", right)
    assert ":assumed-role/anyone/test" in session.client("sts").get_caller_identity()["Arn"]
    for wrong in (Credentials(right.access_key, "test", right.token), Credentials(right.access_key, right.secret_key)):
        with pytest.raises(ClientError):
            loopback_session(f"http://{LOOPBACK}:{port}", wrong).client("sts").get_caller_identity()


@pytest.mark.system
def test_an_object_is_read_and_written_by_presigned_addresses(server):
    port, aws = server
    s3 = aws.client("s3", config=Config(signature_version="s3v4"))
    s3.create_bucket(Bucket="bucket")
    names = {"Bucket": "bucket", "Key": "a key"}
    address = urlsplit(s3.generate_presigned_url("put_object", Params=names))
    assert ask(port, "PUT", f"{address.path}?{address.query}", {}, b"content")[0] == 200
    assert s3.get_object(**names)["Body"].read() == b"content"
    address = urlsplit(s3.generate_presigned_url("get_object", Params=names))
    assert ask(port, "GET", f"{address.path}?{address.query}", {})[0] == 200
    assert ask(port, "GET", f"{address.path}?{address.query[:-4]}0000", {})[0] == 403
    assert ask(port, "GET", address.path, {})[0] == 403
