"""Helpers of the system tests: use the deployed embedded AWS as its users do."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.credentials import Credentials
from huggingface_hub import HfApi

from cli.aws.deployment import Deployment, find, hub_token
from cli.aws.submission import allocations
from cli.commands.models import wait_until_mirrored
from local.session import loopback_session, session
from local.state import ROOT, Instance
from runtime.adapters.bundles import S3Bundles
from runtime.adapters.dynamodb import Table
from triage.bundle import describe
from triage.complaint import timestamp
from triage.story import ALLOCATION, AllocationEntry
from triage.strategies.registry import CURRENT, MirroredBundle, ModelInfo
from triage.tables import MODEL_INFO

ALLOCATION_SECONDS = 120.0
STACK = "Complaints-local-Stateless"


@dataclass
class Machine:
    state: Path

    @property
    def instance(self) -> Instance:
        instance = Instance.read(self.state)
        assert instance is not None
        return instance

    @cached_property
    def aws(self) -> boto3.Session:
        return session(self.instance)

    @cached_property
    def deployment(self) -> Deployment:
        return find("local", state=self.state)

    @property
    def hub(self) -> HfApi:
        return HfApi(endpoint=self.instance.hub_endpoint, token=hub_token("local", self.state))

    def put(self, *items: dict[str, Any]) -> list[str]:
        """Put complaints as operations do, with a plain PutItem."""
        for item in items:
            self.deployment.complaints.put(item)
        return [str(item["complaint_id"]) for item in items]

    def wait(self, ids: Iterable[str], *, seconds: float = ALLOCATION_SECONDS) -> dict[str, AllocationEntry]:
        """Return the allocations of these complaints; fail if one is missing when the time is up."""
        wanted, found = set(ids), dict[str, AllocationEntry]()
        deadline = time.monotonic() + seconds
        while wanted - found.keys() and time.monotonic() < deadline:
            found |= allocations(self.deployment, wanted - found.keys())
            time.sleep(0.2)
        missing = wanted - found.keys()
        assert not missing, f"{len(missing)} of {len(wanted)} were not allocated, {sorted(missing)[:3]} among them"
        return found

    def allocate(self, *items: dict[str, Any]) -> list[AllocationEntry]:
        ids = self.put(*items)
        found = self.wait(ids)
        return [found[complaint_id] for complaint_id in ids]

    def current_allocations(self, complaint_id: str) -> int:
        return sum(entry["entry"] == ALLOCATION for entry in self.deployment.story.query(complaint_id))

    def executions(self, complaint_id: str) -> list[str]:
        """Return the names of all executions of a complaint."""
        client = self.aws.client("stepfunctions")
        pages = client.get_paginator("list_executions").paginate(stateMachineArn=self.deployment.name("state-machine"))
        names = [execution["name"] for page in pages for execution in page["executions"]]
        return [name for name in names if name == complaint_id or name.startswith(f"{complaint_id}-1")]

    def function(self, part: str) -> str:
        """Return the deployed name of the only function whose logical id is `part` followed by a hash."""
        pages = self.aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
        resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
        functions = [r for r in resources if r["ResourceType"] == "AWS::Lambda::Function"]
        logical_id = re.compile(f"{part}[0-9A-F]{{8}}")
        (name,) = (f["PhysicalResourceId"] for f in functions if logical_id.fullmatch(f["LogicalResourceId"]))
        return name

    def invoke(self, part: str, payload: dict[str, Any]) -> Any:
        answer = self.aws.client("lambda").invoke(FunctionName=self.function(part), Payload=json.dumps(payload))
        result = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, result
        return result

    def as_role_of(self, part: str) -> boto3.Session:
        """Return a session with exactly the permissions of a function."""
        configuration = self.aws.client("lambda").get_function_configuration(FunctionName=self.function(part))
        return self.as_role(configuration["Role"])

    def as_role(self, arn: str) -> boto3.Session:
        issued = self.aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        credentials = Credentials(issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])
        return loopback_session(self.instance.aws_endpoint, credentials)

    def publish(self, folder: Path, model_id: str) -> str:
        self.hub.create_repo(model_id, exist_ok=True)
        return self.hub.upload_folder(repo_id=model_id, folder_path=folder).oid

    def register(self, folder: Path, model_id: str, task: str) -> ModelInfo:
        """Publish and register a model, wait until it is mirrored, and activate it."""
        revision = self.publish(folder, model_id)
        registry = self.deployment.registry
        registry.register(model_id, revision, task=task, by="test")
        wait_until_mirrored(registry, model_id, revision)
        registry.activate(model_id, revision, by="test")
        return registry.get(model_id, revision)

    def register_untried(self, folder: Path, model_id: str, task: str) -> ModelInfo:
        """Activate a model that its trial would refuse: no trial has the letters on which every model fails."""
        revision = self.publish(folder, model_id)
        manifest, now = describe(folder), timestamp(datetime.now(UTC))
        row = ModelInfo(
            model_id=model_id,
            revision=revision,
            task=task,
            bundle=MirroredBundle.of(manifest, mirrored_at=now),
            registered_at=now,
            registered_by="test",
        )
        bundles = S3Bundles(self.aws.client("s3"), self.deployment.name("bundles-bucket"))
        bundles.store(folder, manifest, model_id=model_id, revision=revision)
        models = Table(self.aws.client("dynamodb"), MODEL_INFO, self.deployment.name("model-info-table"))
        if models.put_if_absent(row):
            bundles.store_registration(row)
        self.deployment.registry.activate(model_id, revision, by="test")
        return self.deployment.registry.get(model_id, revision)

    def retire(self, model: ModelInfo) -> None:
        self.deployment.registry.retire(model.model_id, model.revision, by="test")

    def withdraw_strategy(self, task: str) -> None:
        """Delete the strategy of a task by hand, because the command can only replace it."""
        table = self.aws.resource("dynamodb").Table(self.deployment.name("model-strategy-table"))
        table.delete_item(Key={"task": task, "entry": CURRENT})

    def triage(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the `triage` command as a user does."""
        command = [sys.executable, "-m", "cli", *map(str, arguments), "--state", str(self.state)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def triage_json(self, *arguments: str | Path) -> Any:
        return json.loads(self.triage(*arguments, "--json").stdout)


def until(condition: Callable[[], bool], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
