"""The role with which GitHub Actions check a deployment may do what the smoke test does, and no more."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from cli.aws.deployment import LocalDeployment
from cli.aws.smoke import Smoke
from local.state import ROOT
from tests.stacks.policies import text

ROLE = "github-check"


def policy_of_the_check_role(folder):
    """Return the policy that dev would get, with the names of the embedded environment, and the account's own."""
    context = {"repository": "megabank/complaints", "environment": "dev"}
    # jsii finds Node through PATH, and Node comes as a wheel.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = {"CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context), "PATH": path}
    subprocess.run([sys.executable, "delivery.py"], cwd=ROOT, env={**os.environ, **variables}, check=True)
    (policy,) = (
        resource["Properties"]["PolicyDocument"]
        for path in folder.glob("*.template.json")
        for name, resource in json.loads(path.read_text())["Resources"].items()
        if re.match("GitHubCheckDefaultPolicy", name)
    )
    for statement in policy["Statement"]:
        resources = statement["Resource"]
        statement["Resource"] = [text(one) for one in (resources if isinstance(resources, list) else [resources])]
        if statement["Action"] == "ssm:GetParametersByPath":
            # MiniStack judges this action without the path that is asked for.
            statement["Resource"] = ["*"]
        # MiniStack knows the keys of single items, and not those of a query.
        statement.get("Condition", {}).pop("Null", None)
    written = json.dumps(policy)
    for there, here in {
        "Complaints-dev-": "Complaints-local-",
        "complaints-dev-": "complaints-local-",
        "complaints-triage/dev": "complaints-triage/local",
        "eu-west-2": "us-east-1",
        "111122223333": "000000000000",
    }.items():
        written = written.replace(there, here)
    return written


def test_the_check_role_may_run_the_smoke_test(machine, tmp_path):
    iam = machine.aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    trusted = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    iam.put_role_policy(RoleName=ROLE, PolicyName="check", PolicyDocument=policy_of_the_check_role(tmp_path))
    checked = LocalDeployment(machine.instance)
    checked.session = machine.as_role(arn)
    try:
        steps = Smoke(checked, seconds=60).run()
        assert [(step.name, step.detail) for step in steps if not step.ok] == []
        with pytest.raises(ClientError, match="AccessDenied"):
            checked.complaints.put({"complaint_id": "of-a-customer", "narrative": "anything"})
    finally:
        iam.delete_role_policy(RoleName=ROLE, PolicyName="check")
        iam.delete_role(RoleName=ROLE)
