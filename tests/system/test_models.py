"""A row in `model_info` adds or removes a model, and no model can stop a complaint."""

import os
import pickle
import signal

import pytest

from tests.system.bundles import (
    constant_model,
    hanging_model,
    nan_model,
    plain_bundle,
    raising_model,
    transformers_model,
)
from tests.system.machine import Machine, until
from triage.errors import RegistryError


def test_a_further_task_appears_in_the_next_allocation_once_its_model_is_registered(
    machine: Machine, any_item, tmp_path
):
    folder = transformers_model(tmp_path / "urgency", ["calm", "urgent"])
    revision = machine.publish(folder, "somebody/urgency")
    registered = machine.triage_json(
        "models", "register", "somebody/urgency", "--revision", revision, "--task", "urgency", "--activate"
    )
    assert registered["bundle"]["engine"] == "transformers"
    (allocation,) = machine.allocate(any_item())
    (decision,) = (d for d in allocation.decisions if d.task == "urgency")
    assert decision.label in {"calm", "urgent"}
    machine.triage("models", "retire", "somebody/urgency", "--revision", revision)
    (later,) = machine.allocate(any_item())
    assert "urgency" not in {d.task for d in later.decisions}


def test_a_row_written_by_hand_is_enough(machine: Machine, any_item, tmp_path):
    folder = transformers_model(tmp_path / "tone", ["polite", "rude"])
    revision = machine.publish(folder, "somebody/tone")
    row = {"model_id": "somebody/tone", "revision": revision, "task": "tone", "state": "challenger"}
    machine.aws.resource("dynamodb").Table(machine.deployment.name("model-info-table")).put_item(Item=row)
    assert until(lambda: machine.deployment.registry.get("somebody/tone", revision).bundle is not None, seconds=60)
    (allocation,) = machine.allocate(any_item())
    assert "tone" in {d.task for d in allocation.decisions}
    machine.retire(machine.deployment.registry.get("somebody/tone", revision))


@pytest.mark.parametrize("misbehaving", [nan_model, raising_model])
def test_a_model_that_raises_or_returns_garbage_costs_its_own_prediction_only(
    machine: Machine, any_item, tmp_path, misbehaving
):
    model = machine.register_untried(misbehaving(tmp_path / "mood", ["good", "bad"]), "somebody/mood", "mood")
    try:
        (allocation,) = machine.allocate(any_item())
    finally:
        machine.retire(model)
    assert {d.task for d in allocation.decisions} == {"product", "issue", "vulnerable"}


def test_a_failing_vulnerability_model_makes_the_journey_specialist(machine: Machine, any_item, tmp_path):
    registry = machine.deployment.registry
    (good,) = (m for m in registry.models() if m.task == "vulnerable" and m.state == "champion")
    bad = machine.register_untried(nan_model(tmp_path / "v", ["no", "yes"]), "somebody/vulnerable", "vulnerable")
    machine.retire(good)
    try:
        (allocation,) = machine.allocate(any_item(narrative="My card payment was taken twice and not refunded."))
    finally:
        registry.activate(good.model_id, good.revision, by="test")
        machine.retire(bad)
    assert allocation.journey == "specialist"
    assert allocation.vulnerable is None
    assert "vulnerable: ModelFailedError" in map(str, allocation.reasons)


def test_without_a_product_model_people_triage(machine: Machine, any_item):
    registry = machine.deployment.registry
    (product,) = (m for m in registry.models() if m.task == "product" and m.state == "champion")
    machine.retire(product)
    try:
        (allocation,) = machine.allocate(any_item())
    finally:
        registry.activate(product.model_id, product.revision, by="test")
    assert (allocation.route, allocation.product_team) == ("manual", "manual-triage")
    assert "product: no model answered" in map(str, allocation.reasons)


def test_a_hub_that_hangs_stops_registration_and_not_triage(machine: Machine, any_item, tmp_path):
    folder = transformers_model(tmp_path / "late", ["a", "b"])
    revision = machine.publish(folder, "somebody/late")
    hub = machine.instance.children["hub"].pid
    os.kill(hub, signal.SIGSTOP)
    try:
        (allocation,) = machine.allocate(any_item())
    finally:
        os.kill(hub, signal.SIGCONT)
    assert {d.task for d in allocation.decisions} >= {"product", "issue", "vulnerable"}
    machine.deployment.registry.register("somebody/late", revision, task="late", by="test")
    assert until(lambda: machine.deployment.registry.get("somebody/late", revision).bundle is not None, seconds=60)


def test_a_pickle_is_refused_with_the_reason_in_the_row(machine: Machine, tmp_path):
    folder = plain_bundle(tmp_path / "pickled", ["a", "b"])
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weights": 1}))
    revision = machine.publish(folder, "somebody/pickled")
    refused = machine.triage(
        "models", "register", "somebody/pickled", "--revision", revision, "--task", "mood", check=False
    )
    assert refused.returncode == 1
    assert "BundleUnsafeError" in refused.stderr
    with pytest.raises(RegistryError, match="not mirrored"):
        machine.deployment.registry.activate("somebody/pickled", revision, by="test")


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (
            nan_model,
            "BundleUnfitError: tried on letters, it fails: a short letter fails: the model gave a score that is",
        ),
        (raising_model, "BundleUnfitError: tried on letters, it fails: a short letter fails: the model raised"),
        (constant_model, "BundleUnfitError: tried on letters, it fails: it gives the same scores to"),
        (hanging_model, "BundleUnfitError: loading it and reading letters needs more memory or time"),
    ],
)
def test_a_model_that_cannot_read_is_refused_with_the_reason_in_the_row(machine: Machine, tmp_path, build, reason):
    revision = machine.publish(build(tmp_path / "unfit", ["a", "b"]), f"somebody/{build.__name__}")
    register = ("models", "register", f"somebody/{build.__name__}", "--revision", revision, "--task", "mood")
    refused = machine.triage(*register, "--activate", check=False)
    assert refused.returncode == 1
    assert reason in " ".join(refused.stderr.split())
    with pytest.raises(RegistryError, match="not mirrored"):
        machine.deployment.registry.activate(f"somebody/{build.__name__}", revision, by="test")


def test_a_branch_is_no_revision(machine: Machine):
    refused = machine.triage("models", "register", "megabank/product", "--revision", "main", "--task", "x", check=False)
    assert refused.returncode == 1
    assert "revision" in refused.stderr


def test_a_bundle_changed_in_s3_is_found_before_it_is_loaded(machine: Machine, any_item, tmp_path):
    model = machine.register(transformers_model(tmp_path / "swap", ["a", "b"]), "somebody/swap", "swap")
    key = f"somebody/swap/{model.revision}/model.safetensors"
    bucket = machine.deployment.name("bundles-bucket")
    body = bytearray(machine.aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    body[-1] ^= 1
    machine.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=bytes(body))
    try:
        item = any_item()
        (allocation,) = machine.allocate(item)
    finally:
        machine.retire(model)
    assert "swap" not in {d.task for d in allocation.decisions}
    history = str(_history(machine, item["complaint_id"]))
    assert "BundleCorruptError" in history


def _history(machine: Machine, execution: str) -> list[object]:
    arn = machine.deployment.name("state-machine").replace(":stateMachine:", ":execution:") + f":{execution}"
    return list(machine.aws.client("stepfunctions").get_execution_history(executionArn=arn)["events"])
