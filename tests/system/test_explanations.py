"""A decision is explained on request, and only to those who may ask."""

import pytest
from botocore.exceptions import ClientError

from tests.system.machine import Machine
from tests.system.test_privacy import everything_written
from triage.story import DELIVERY, EXPLANATION


def entries(machine: Machine, complaint_id: str, kind: str) -> list[str]:
    return [key for entry in machine.deployment.story.query(complaint_id) if (key := entry["entry"]).startswith(kind)]


def test_each_task_is_explained_once_for_the_same_request_and_handed_out_as_often_as_asked(
    machine: Machine, any_item, tmp_path
):
    words = (
        "The kestrel left at noon. My mortgage payment was lost by the bank. Call me, John Smith, at (212) 555-0187."
    )
    (allocation,) = machine.allocate(any_item(narrative=words))
    complaint_id = allocation.complaint_id
    for task in ("product", "issue", "vulnerable"):
        page, chart = tmp_path / f"{task}.html", tmp_path / f"{task}.png"
        first = machine.triage_json("explain", complaint_id, "--task", task, "--html", page, "--png", chart)
        entry = first["explanation"]
        (decision,) = (decision for decision in allocation.decisions if decision.task == task)
        assert (entry["prediction"]["label"], entry["explained"]["reproduced"]) == (decision.label, True)
        assert entry["explained"]["checks"]["additivity_residual"] < 1e-4
        text = "".join(sentence["text"] for sentence in first["sentences"]) + first["unread"]
        assert "kestrel" in text and "[PHONE]" in text and "555-0187" not in page.read_text()
        assert chart.read_bytes().startswith(b"\x89PNG")
        again = machine.triage_json("explain", complaint_id, "--task", task)
        assert again["explanation"] == entry
    assert len(entries(machine, complaint_id, EXPLANATION)) == 3
    assert len(entries(machine, complaint_id, DELIVERY)) == 6
    for place, content in everything_written(machine, [complaint_id]):
        assert "kestrel" not in content, place


def test_what_no_model_decided_is_said(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())
    refused = machine.triage("explain", allocation.complaint_id, "--task", "urgency", check=False)
    assert refused.returncode == 1 and "no model answered for urgency" in refused.stderr


def test_whoever_is_no_explainer_is_refused(machine: Machine):
    team = machine.as_role(machine.deployment.name("product-team-role"))
    with pytest.raises(ClientError, match="AccessDenied"):
        team.client("stepfunctions").start_execution(
            stateMachineArn=machine.deployment.name("explanation-state-machine"), input="{}"
        )
    with pytest.raises(ClientError, match="AccessDenied"):
        team.client("lambda").invoke(FunctionName=machine.deployment.name("deliver-explanation-function"))
    explainer = machine.as_role(machine.deployment.name("explainer-role"))
    for table in ("raw-complaints-table", "complaints-allocation-table"):
        with pytest.raises(ClientError, match="AccessDenied"):
            explainer.client("dynamodb").scan(TableName=machine.deployment.name(table))
