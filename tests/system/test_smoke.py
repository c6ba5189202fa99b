"""`triage smoke` on the deployed machine: it passes, leaves nothing behind, and names the step that is broken."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.aws.deployment import LocalDeployment
from cli.aws.smoke import LETTERS, PREFIX, Smoke
from local.state import ROOT
from tests.system.bundles import raising_model
from tests.system.machine import Machine, until
from tests.system.test_privacy import everything_written
from triage.story import EXPLANATION

STEPS = ["put", "allocated", "announced", "sealed", "explained", "erased"]


def smoke(machine: Machine, *arguments: object) -> tuple[int, dict[str, Any], str]:
    """Return the exit code, the steps by name, and what was said on standard error."""
    done = machine.triage("smoke", "--json", *map(str, arguments), check=False)
    found = json.loads(done.stdout)
    assert found["passed"] is (done.returncode == 0)
    return done.returncode, {step["name"]: step for step in found["steps"]}, done.stderr


def texts(machine: Machine) -> list[str]:
    """Return the ids of synthetic complaints whose text is still stored."""
    ids = [str(item["complaint_id"]) for item in machine.deployment.complaints.scan()]
    return [complaint_id for complaint_id in ids if complaint_id.startswith(PREFIX)]


def left_behind(machine: Machine) -> list[str]:
    """Return the ids of synthetic complaints whose text or explanation is still stored."""
    story = [e["complaint_id"] for e in machine.deployment.story.scan() if str(e["entry"]).startswith(EXPLANATION)]
    return [*texts(machine), *(complaint_id for complaint_id in story if complaint_id.startswith(PREFIX))]


@pytest.fixture
def listener(machine: Machine) -> Iterator[str]:
    """Return the address of a queue that receives every event of the bus."""
    events, sqs = machine.aws.client("events"), machine.aws.client("sqs")
    queue = sqs.create_queue(QueueName="listens-to-smoke")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = machine.deployment.name("bus")
    pattern = json.dumps({"detail-type": ["ComplaintAllocated"]})
    events.put_rule(Name="listens-to-smoke", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="listens-to-smoke", EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
    yield queue
    events.remove_targets(Rule="listens-to-smoke", EventBusName=bus, Ids=["1"])
    events.delete_rule(Name="listens-to-smoke", EventBusName=bus)
    sqs.delete_queue(QueueUrl=queue)


def test_the_machine_passes_and_nothing_of_the_synthetic_complaints_is_left(machine: Machine, listener: str):
    code, steps, said = smoke(machine)
    assert (code, list(steps)) == (0, STEPS), said
    assert all(step["ok"] for step in steps.values())
    assert "product: megabank/product@" in steps["allocated"]["detail"]
    assert "sentences" in steps["explained"]["detail"]
    assert left_behind(machine) == []
    ids = steps["put"]["detail"].split(", ")
    words = [str(letter["narrative"]) for letter in LETTERS]
    for place, content in everything_written(machine, ids):
        assert not [text for text in words if text[50:90] in content], place
    received: set[str] = set()

    def arrived() -> bool:
        messages = machine.aws.client("sqs").receive_message(QueueUrl=listener, MaxNumberOfMessages=10)
        received.update(json.loads(m["Body"])["detail"]["complaint_id"] for m in messages.get("Messages", []))
        return set(ids) <= received

    assert until(arrived, seconds=20), "the step `announced` passed, so the events have to arrive"


@contextmanager
def refused(machine: Machine, function: str) -> Iterator[None]:
    """Take all rights on tables from a function."""
    iam, client = machine.aws.client("iam"), machine.aws.client("lambda")
    role = client.get_function_configuration(FunctionName=machine.function(function))["Role"].rsplit("/", 1)[1]
    statement = {"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="broken", PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="broken")


@pytest.mark.parametrize(
    ("function", "step", "seconds"),
    [
        ("InferenceAllocate", "allocated", 5),
        ("AuditSeal", "sealed", 20),
        ("ExplanationsFindDecision", "explained", 20),
        ("AuditErase", "erased", 60),
    ],
)
def test_a_broken_function_fails_its_step_and_the_complaints_are_erased_all_the_same(
    machine: Machine, function, step, seconds
):
    with refused(machine, function):
        code, steps, said = smoke(machine, "--timeout", seconds)
    assert code == 1 and list(steps) == STEPS
    assert next(name for name, found in steps.items() if not found["ok"]) == step
    assert step in said and "Traceback" not in said
    assert texts(machine) == []
    ids = steps["put"]["detail"].split(", ")
    if step == "erased":
        assert all(f"`triage erase {complaint_id}`" in steps["erased"]["detail"] for complaint_id in ids)
        for complaint_id in ids:
            machine.triage("erase", complaint_id, "--reason", "smoke test", "--no-snapshots")
    assert left_behind(machine) == []
    # What could not be sealed meanwhile is sealed once the function may work again.
    assert until(lambda: _verifies(machine, ids), seconds=60)


def _verifies(machine: Machine, ids: list[str]) -> bool:
    stored = [complaint_id for complaint_id in ids if list(machine.deployment.story.query(complaint_id))]
    return not stored or machine.triage("verify", *stored, check=False).returncode == 0


def test_a_model_that_does_not_answer_fails_the_allocation(machine: Machine, tmp_path):
    model = machine.register_untried(
        raising_model(tmp_path / "broken", ["now", "later"]), "somebody/urgency", "urgency"
    )
    try:
        code, steps, _ = smoke(machine)
    finally:
        machine.retire(model)
    assert code == 1
    assert not steps["allocated"]["ok"] and "urgency of somebody/urgency@" in steps["allocated"]["detail"]
    assert steps["erased"]["ok"] and left_behind(machine) == []


def test_the_rights_that_the_documentation_names_are_enough(machine: Machine):
    name = machine.deployment.name
    tables = {
        table: _table_arn(machine, name(f"{table}-table"))
        for table in ("raw-complaints", "complaints-allocation", "audit-chain")
    }
    execution = name("state-machine").replace(":stateMachine:", ":execution:") + ":*"
    resources: list[tuple[list[str], dict[str, Any]]] = [
        # MiniStack asks for this right on all parameters.
        (["*"], {}),
        ([tables["raw-complaints"]], {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{PREFIX}*"]}}),
        ([tables["complaints-allocation"], tables["audit-chain"]], {}),
        ([f"arn:aws:s3:::{name('anchors-bucket')}"], {}),
        ([execution], {}),
        ([name("explainer-role"), name("privacy-officer-role")], {}),
    ]
    statements = [
        {"Effect": "Allow", "Action": actions, "Resource": found} | ({"Condition": condition} if condition else {})
        for actions, (found, condition) in zip(documented_rights(), resources, strict=True)
    ]
    keys = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    iam = machine.aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    trusted = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="runs-smoke", AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [*statements, keys]})
    iam.put_role_policy(RoleName="runs-smoke", PolicyName="smoke", PolicyDocument=policy)
    restricted = LocalDeployment(machine.instance)
    restricted.session = machine.as_role(role)
    try:
        steps = Smoke(restricted, seconds=60).run()
        assert [(step.name, step.ok) for step in steps] == [(name, True) for name in STEPS], steps
        with pytest.raises(ClientError, match="AccessDenied"):
            restricted.complaints.put({"complaint_id": "not-synthetic", "narrative": "anything"})
    finally:
        iam.delete_role_policy(RoleName="runs-smoke", PolicyName="smoke")
        iam.delete_role(RoleName="runs-smoke")


def documented_rights() -> list[list[str]]:
    """Return the actions of each row of the table of rights in docs/deploy.md."""
    text = (ROOT / "docs" / "deploy.md").read_text().partition("\n| right | on |\n")[2]
    rows = [row.split("|")[1] for row in text.partition("\n\n")[0].splitlines()[1:]]
    return [re.findall(r"`(\w+:\w+)`", row) for row in rows]


def _table_arn(machine: Machine, table: str) -> str:
    return str(machine.aws.client("dynamodb").describe_table(TableName=table)["Table"]["TableArn"])


def test_preflight_finds_nothing_that_would_stop_the_embedded_aws(machine: Machine):
    checks = machine.triage_json("preflight")
    assert {check["check"] for check in checks} >= {"templates", "region", "credentials"}
    assert all(check["ok"] for check in checks), checks
    assert sum(check["check"].startswith("stack Complaints-local-") for check in checks) == 2
