"""The `triage` command against the deployed machine."""

import json

import pytest

from tests.system.bundles import transformers_model
from tests.system.machine import Machine
from triage.strategies.strategy import BUCKETS, Strategy, assign


def test_submit_reports_what_became_of_an_export(machine: Machine, any_item, tmp_path):
    items = [any_item() for _ in range(5)]
    export = tmp_path / "export.jsonl"
    export.write_text("".join(json.dumps(item) + "\n" for item in items))
    totals = machine.triage_json("submit", export, "--wait")
    assert {"submitted", "allocated", "auto", "review", "specialist", "rejected", "seconds", "p50_ms", "p95_ms"} <= set(
        totals
    )
    assert totals["submitted"] == totals["allocated"] == totals["auto"] + totals["review"] == len(items)
    assert 0 < totals["p50_ms"] <= totals["p95_ms"]
    again = machine.triage_json("submit", export, "--wait")
    assert (again["allocated"], again["duplicates"], again["p50_ms"]) == (len(items), len(items), None)


def test_status_names_the_complaints_allocated_last(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())
    status = machine.triage_json("status")
    assert status["latest"][0] == allocation.complaint_id
    assert all(status["healthy"].values())
    said = machine.triage("status").stdout
    assert said.count(" answers ") == len(status["healthy"]) and "does not answer" not in said


def test_show_tells_the_whole_story(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())
    story = machine.triage_json("show", allocation.complaint_id)
    assert story["allocation"]["product_team"] == allocation.product_team
    assert {p["model"]["task"] for p in story["predictions"]} >= {"product", "issue", "vulnerable"}
    assert story["selection"]["models"]
    assert allocation.product_team in machine.triage("show", allocation.complaint_id).stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "nobody"), 3),
        (("strategy", "show", "nothing"), 3),
        (("models", "retire", "a/b", "--revision", "0" * 40), 3),
        (("submit", "/does/not/exist.csv"), 2),
    ],
)
def test_errors_have_a_code_and_say_what_to_do(machine: Machine, arguments, code):
    done = machine.triage(*arguments, check=False)
    assert done.returncode == code
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_a_strategy_takes_effect_for_the_next_complaint(machine: Machine, any_item, tmp_path):
    (champion,) = (m for m in machine.deployment.registry.models() if m.task == "product" and m.state == "champion")
    labels = ["Mortgage", "Credit card"]
    challenger = machine.register(transformers_model(tmp_path / "c", labels), "somebody/product", "product")
    half = BUCKETS // 2
    old = {"name": "champion", "model_id": champion.model_id, "revision": champion.revision, "share": half}
    new = {"name": "new", "model_id": challenger.model_id, "revision": challenger.revision, "share": half}
    document = {"task": "product", "experiment": "first", "champion": "champion", "kind": "canary", "arms": [old, new]}
    file = tmp_path / "strategy.json"
    file.write_text(json.dumps(document))
    changed = machine.triage_json("strategy", "set", "product", file)
    assert machine.triage_json("strategy", "show", "product") == changed
    strategy = Strategy.model_validate(document)
    items = [any_item(customer_id=f"customer-{n}") for n in range(8)]
    for item, allocation in zip(items, machine.allocate(*items), strict=True):
        (decision,) = (d for d in allocation.decisions if d.task == "product")
        expected = assign(strategy, item["customer_id"])
        assert (decision.model.arm, decision.model.bucket) == (expected.arm.name, expected.bucket)
        assert decision.model.model_id == expected.arm.model_id
        assert decision.model.strategy_version == changed["version"]
    stale = machine.triage("strategy", "set", "product", file, "--replaces", "0", check=False)
    assert stale.returncode == 1
    machine.withdraw_strategy("product")
    machine.retire(challenger)


def test_an_unregistered_arm_is_refused(machine: Machine, tmp_path):
    arm = {"name": "a", "model_id": "somebody/unknown", "revision": "0" * 40, "share": BUCKETS}
    document = {"task": "issue", "kind": "single", "experiment": "e", "champion": "a", "arms": [arm]}
    file = tmp_path / "strategy.json"
    file.write_text(json.dumps(document))
    refused = machine.triage("strategy", "set", "issue", file, check=False)
    assert refused.returncode == 1
    assert "not active" in refused.stderr
