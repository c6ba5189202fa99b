"""Web pages, other users of the machine and functions with stolen credentials try doors that are not theirs."""

import hashlib
import http.client
import inspect
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial

import boto3
import psutil
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from ministack.core import lambda_runtime

from local.keys import Keys
from local.lambda_fixes import TOKEN
from local.session import REGION, loopback_session
from local.state import LOOPBACK, State
from tests.attack.attacks import Attack, Outcome, Target, judged
from tests.system import test_privacy as rights
from tests.system.machine import Machine

PAGE = {"Origin": "https://bank.example"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OWN_PATHS = (
    "/_ministack/reset",
    "/_ministack/config",
    "/_ministack/health",
    "/_localstack/health",
    "/_localstack/config",
    "/oauth2/token",
    "/login",
    "/",
    "/bucket/key",
)
"""Paths of the emulator itself, and of its buckets."""

REFUSED = (400, 401, 403)


def ask(port: int, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> int:
    """Return the status of the answer to one request."""
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=30)) as connection:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        answer.read()
        return answer.status


def signed(target: Target, body: bytes) -> dict[str, str]:
    """Return the headers of a request that lists the tables, signed by the keys of the state folder."""
    sent = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.ListTables"}
    request = AWSRequest("POST", f"{target.machine.instance.aws_endpoint}/", data=body, headers=sent)
    SigV4Auth(Keys.of(State(target.machine.state)).credentials, "dynamodb", REGION).add_auth(request)
    return dict(request.headers.items())


def web_page(target: Target) -> Outcome:
    ports, body, keys = target.machine.instance.ports, b"{}", Keys.of(State(target.machine.state))
    (complaint_id,) = target.machine.put(target.item())
    foreign = [PAGE, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
    rebound = [{"Host": "bank.example"}, {"Host": f"bank.example:{ports.aws}"}]
    if ask(ports.aws, "POST", "/", signed(target, body), body) != 200:
        raise RuntimeError("the signed request is refused without the foreign headers too")
    requests = [(ports.aws, "POST", "/", signed(target, body) | more, body) for more in (*foreign, *rebound)]
    requests += [(ports.aws, "POST", "/_ministack/reset", FORM | more, b"a=b") for more in ({}, *foreign)]
    hub, models = {"Authorization": f"Bearer {keys.hub}"}, {TOKEN: keys.models}
    for more in (*foreign, *rebound):
        requests.append((ports.hub, "GET", "/api/models", hub | more, b""))
        requests.append((ports.models, "POST", "/2015-03-31/functions/x/invocations", models | more, body))
    if ask(ports.hub, "GET", "/api/models", hub) != 200:
        raise RuntimeError("the Hub refuses its own token")
    answered = [
        f"{method} {path} to port {port} with {sorted(headers)} was answered by {status}"
        for port, method, path, headers, sent in requests
        if (status := ask(port, method, path, headers, sent)) not in REFUSED
    ]
    if target.machine.deployment.complaints.get(complaint_id) is None:
        answered.append("the tables are empty")
    return judged(answered, f"{len(requests)} requests of pages were refused, though signed, and the tables are there")


def another_user(target: Target) -> Outcome:
    """Another user of the machine knows what is published: MiniStack's code, its fixed keys and the names."""
    machine, ports = target.machine, target.machine.instance.ports
    anonymous = [(ports.aws, method, path) for path in OWN_PATHS for method in ("GET", "POST", "PUT", "DELETE")]
    anonymous += [(ports.hub, "GET", path) for path in ("/api/models", "/api/datasets", "/api/whoami-v2")]
    anonymous += [(ports.hub, "POST", "/api/repos/create"), (ports.hub, "PUT", f"/lfs/{'0' * 64}")]
    anonymous += [(ports.models, "POST", "/2015-03-31/functions/x/invocations")]
    # An upload that the Hub did not offer to take is unknown to it.
    succeeded = [
        f"{method} {path} without a key was answered by {status}"
        for port, method, path in anonymous
        if (status := ask(port, method, path, {}, b"{}")) not in (*REFUSED, 404)
    ]
    session = machine.aws
    function = session.client("lambda").get_function_configuration(FunctionName=machine.function("IntakeSweep"))
    keys = {
        "the fixed key": Credentials("test", "test"),
        "the number of the account": Credentials("000000000000", "test"),
        "the known access key with another secret": Credentials(Keys.of(State(machine.state)).access_key_id, "test"),
        "the credentials of a function, computed from its name": derived(dict(function)),
    }
    for what, credentials in keys.items():
        stranger = loopback_session(machine.instance.aws_endpoint, credentials)
        for attempt in (rights.scan_raw, identify):
            if not refused(partial(attempt, machine, stranger)):
                succeeded.append(f"{what} was accepted")
    succeeded += [f"{address} is open to the network" for address in listening(target) if address != LOOPBACK]
    return judged(succeeded, f"{len(anonymous)} requests without a key and {len(keys)} guessed keys were refused")


def identify(machine: Machine, aws: boto3.Session) -> object:
    return aws.client("sts").get_caller_identity()


def derived(configuration: Mapping[str, object]) -> Credentials:
    """Return the credentials that MiniStack as published computes for a function."""
    digest = hashlib.sha256(f"{configuration['FunctionArn']}:{configuration['Role']}".encode()).hexdigest()
    if 'hashlib.sha256(f"secret:{digest}"' not in inspect.getsource(lambda_runtime):
        raise RuntimeError("MiniStack computes credentials in another way now")
    secret, token = (hashlib.sha256(f"{part}:{digest}".encode()).hexdigest() for part in ("secret", "token"))
    return Credentials(f"ASIA{digest[:16].upper()}", secret, token)


def refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"] in REFUSED
    return False


def listening(target: Target) -> Iterator[str]:
    """Yield the addresses on which the processes of the environment listen."""
    for child in target.machine.instance.children.values():
        for connection in psutil.Process(child.pid).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                yield connection.laddr.ip


def state_folder(target: Target) -> Outcome:
    """Another user of the machine reads the files of the state folder."""
    state, seen, opened = target.machine.state, 0, []
    for parent, folders, names in os.walk(state):
        for path in (parent, *(os.path.join(parent, name) for name in (*folders, *names))):  # noqa: PTH118
            try:
                mode = os.lstat(path).st_mode
            except FileNotFoundError:
                continue
            seen += 1
            if mode & 0o077 and not stat.S_ISLNK(mode) and not stat.S_ISSOCK(mode):
                opened.append(f"{os.path.relpath(path, state)} has the rights {stat.filemode(mode)}")
    return judged(opened[:5], f"{seen:,} folders and files of the state are their owner's alone")


PROBES = {
    "InferenceAllocate": (rights.get_raw, rights.scan_raw, rights.put_model, rights.get_bundle),
    "MLOpsMirror": (rights.get_raw, rights.scan_raw, rights.put_story, rights.put_strategy),
    "InferenceModelInference": (rights.scan_raw, rights.put_raw, rights.put_bundle, rights.put_strategy),
    "IntakeSweep": (rights.scan_raw, rights.put_story, rights.invoke_sweep),
}
"""What each function has no right to, by the beginning of its logical id."""


def stolen_credentials(target: Target) -> Outcome:
    (complaint_id,) = target.allocated(target.item())
    machine, succeeded, tried = target.machine, list[str](), 0
    for function, attempts in PROBES.items():
        aws: boto3.Session = machine.as_role_of(function)
        for attempt in attempts:
            tried += 1
            if not refused(partial(attempt, machine, aws)):
                succeeded.append(f"{function} may {attempt.__name__}")
    aws = machine.as_role_of("InferenceAllocate")
    own = aws.client("dynamodb").query(
        TableName=machine.deployment.name("complaints-allocation-table"),
        KeyConditionExpression="complaint_id = :id",
        ExpressionAttributeValues={":id": {"S": complaint_id}},
    )
    if not own["Items"]:
        raise RuntimeError("the credentials of a function cannot even do its own work")
    return judged(succeeded, f"{tried} calls with the credentials of {len(PROBES)} functions were refused")


ATTACKS = (
    Attack("a web page takes over AWS, Hub and model server", web_page),
    Attack("another user of the machine does", another_user),
    Attack("another user reads the state folder", state_folder),
    Attack("a function's credentials are used for more than its work", stolen_credentials),
)
