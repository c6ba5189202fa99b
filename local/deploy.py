"""Deploys the product into the embedded AWS with the CDK command, as into AWS."""

import contextlib
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
from pydantic import BaseModel

from local import processes
from local.deployed import deployed_stacks
from local.dropped_properties import set_dropped_properties
from local.keys import Keys
from local.processes import clean_environment, is_healthy
from local.session import ACCOUNT, REGION, session
from local.state import ROOT, Instance, LocalError, State, close_to_others, read, write

CDK = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"
ASSET_BUCKET = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
BOOTSTRAP_VERSION = "/cdk-bootstrap/hnb659fds/version"
DEPLOYED = ("runtime", "stacks", "triage", "app.py", "cdk.json", "requirements.txt")
RECORD = "/local/deployment"
HUB_TOKEN_SECRET = "complaints-triage/local/hub-token"
"""The secret of `hub_token_secret` in the settings of the local environment."""

CHECKPOINT_SECONDS = 60.0

Progress = Callable[[str], None]


class NotDeployedError(LocalError):
    """The deployment failed; after a failure of the CDK command the message ends with its last lines."""


class VanishedError(LocalError):
    """The state folder says that something was deployed, and the embedded AWS does not have it."""


class Record(BaseModel):
    """What was deployed last. It is stored in the embedded AWS, so that a restored state has its own record.

    A copy is stored in the state folder when a checkpoint has it too. It shows whether the embedded AWS lost its state.
    """

    fingerprint: str
    stacks: list[str]
    at: str = ""
    """When it was deployed, in ISO 8601."""


def deploy(instance: Instance, *, on_progress: Progress, app: str | None = None, root: Path = ROOT) -> None:
    """Deploy if anything changed, set what MiniStack's CloudFormation drops, and save the state.

    `app` is the command that synthesizes, or a folder with a synthesized application.
    """
    state = State(instance.state).create()
    aws = session(instance)
    with _alone(state.deployment / "lock"):
        fingerprint = fingerprint_of(_deployed_files(root), instance, app)
        if is_current(aws, fingerprint):
            on_progress("Nothing has changed since the last deployment")
            return
        refuse_if_vanished(aws, state)
        _bootstrap(aws)
        _store_hub_token(aws, Keys.of(state).hub)
        on_progress("Deploying with cdk")
        _run_cdk(_command(instance, state, app), _environment(instance, state), root, state, on_progress)
        stacks = set_dropped_properties(aws, on_progress=on_progress)
        record = Record(fingerprint=fingerprint, stacks=stacks, at=datetime.now(UTC).isoformat(timespec="seconds"))
        aws.client("ssm").put_parameter(Name=RECORD, Value=record.model_dump_json(), Type="String", Overwrite=True)
        _use_new_code(instance)
        checkpoint(instance)
        # Only what a checkpoint has can be missed after a kill.
        if processes.until(lambda: _is_saved(record, state), seconds=CHECKPOINT_SECONDS):
            write(state.deployed, record)
        on_progress(f"Deployed {', '.join(stacks)}")


def refuse_if_vanished(aws: boto3.Session, state: State) -> None:
    """Raises: VanishedError where the embedded AWS lacks what was deployed in this state folder."""
    record = read(state.deployed, Record)
    if record is None:
        return
    known = {
        stack["StackName"]
        for page in aws.client("cloudformation").get_paginator("list_stacks").paginate()
        for stack in page["StackSummaries"]
        if stack["StackStatus"] != "DELETE_COMPLETE"
    }
    if gone := sorted(set(record.stacks) - known):
        raise VanishedError(
            f"the embedded AWS has lost {', '.join(gone)}, deployed at {record.at}, with all complaints in it. Nothing "
            f"was deployed in its place. Put back a copy of {state.aws}, or delete everything by `triage down --wipe` "
            "and begin again by `triage up`"
        )


def _is_saved(record: Record, state: State) -> bool:
    saved = state.aws / "state" / "ssm.json"
    return saved.exists() and record.fingerprint in saved.read_text() and record.at in saved.read_text()


def _bootstrap(aws: boto3.Session) -> None:
    """Create what `cdk bootstrap` creates and `cdk deploy` needs."""
    s3 = aws.client("s3")
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=ASSET_BUCKET)
    aws.client("ssm").put_parameter(Name=BOOTSTRAP_VERSION, Value="30", Type="String", Overwrite=True)


def _store_hub_token(aws: boto3.Session, token: str) -> None:
    """Store the Hub's token where the mirror looks for it, as an operator does in AWS for private repositories."""
    client = aws.client("secretsmanager")
    try:
        client.create_secret(Name=HUB_TOKEN_SECRET, SecretString=token)
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=HUB_TOKEN_SECRET, SecretString=token)


def fingerprint_of(files: Iterable[Path], instance: Instance, app: str | None) -> str:
    """Return a hash of the deployed files and of the addresses that are deployed with them."""
    digest = hashlib.sha256(f"{instance.ports!r} {app}".encode())
    for file in files:
        digest.update(f"\0{file}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _deployed_files(root: Path) -> list[Path]:
    roots = [root / name for name in DEPLOYED]
    files = [file for start in roots for file in ([start] if start.is_file() else start.rglob("*"))]
    return sorted(file for file in files if file.is_file() and "__pycache__" not in file.parts)


def is_current(aws: boto3.Session, fingerprint: str) -> bool:
    """Whether this fingerprint was deployed last, and all its stacks are complete."""
    try:
        parameter = aws.client("ssm").get_parameter(Name=RECORD)["Parameter"]
    except aws.client("ssm").exceptions.ParameterNotFound:
        return False
    record = Record.model_validate_json(parameter["Value"])
    return record.fingerprint == fingerprint and set(record.stacks) <= set(deployed_stacks(aws))


def _command(instance: Instance, state: State, app: str | None) -> list[str]:
    if not CDK.exists():
        raise NotDeployedError(f"{CDK} is missing: run `npm ci` in {ROOT}")
    return [
        *("node", str(CDK), "deploy", "--all", "--require-approval", "never", "--no-notices"),
        *("--app", app or f"{sys.executable} app.py"),
        *("--context", "environment=local", "--context", f"hub_endpoint={instance.hub_endpoint}"),
        *("--output", str(state.deployment / "cdk.out")),
        *("--outputs-file", str(state.deployment / "outputs.json")),
        *("--progress", "events"),
    ]


def _environment(instance: Instance, state: State) -> dict[str, str]:
    keys = Keys.of(state)
    return clean_environment(state) | {
        "AWS_ENDPOINT_URL": instance.aws_endpoint,
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CI": "true",
        # The default of jsii for the real home; otherwise jsii would unpack its libraries again for each new state.
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(Path.home() / ".cache" / "aws" / "jsii" / "package-cache"),
        "NO_COLOR": "1",
    }


def _run_cdk(command: list[str], environment: dict[str, str], root: Path, state: State, on_progress: Progress) -> None:
    log = state.logs / "deploy.log"
    log.touch(mode=0o600)
    last: deque[str] = deque(maxlen=30)
    with (
        log.open("w") as output,
        subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # The templates and their outputs name everything that is deployed.
            umask=0o077,
        ) as cdk,
    ):
        assert cdk.stdout is not None
        for line in cdk.stdout:
            output.write(line)
            last.append(line)
            if is_news(line):
                on_progress(line.strip())
    # The CDK copies files with the rights that they have.
    close_to_others(state.deployment)
    if cdk.returncode != 0:
        raise NotDeployedError(
            f"cdk deploy ended with {cdk.returncode}; its whole output is in {log}, which ends with:\n{''.join(last)}"
        )


def is_news(line: str) -> bool:
    """Whether a line of the CDK command says that a stack is deployed or that something failed."""
    return line.lstrip().startswith(("✅", "❌")) or "_FAILED" in line


def _use_new_code(instance: Instance) -> None:
    """End the model server, which imports the code only once; the supervisor restarts it with the new code."""
    current = Instance.read(instance.state)
    if current is None or "models" not in current.children:
        return
    processes.end(current.children["models"])
    if not processes.until(lambda: is_healthy(instance.ports.models), seconds=30):
        raise NotDeployedError(f"the model server did not come back; see {State(instance.state).logs / 'models.log'}")


def checkpoint(instance: Instance) -> None:
    """Ask MiniStack to save its state now, so that a kill does not lose it."""
    current = Instance.read(instance.state)
    if current is not None and "aws" in current.children:
        os.kill(current.children["aws"].pid, signal.SIGUSR1)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.touch(mode=0o600)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
