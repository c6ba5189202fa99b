"""Shadows predict after a complaint is allocated, and cannot change its allocation."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from cli.commands.show import read_story
from tests.factories import put_in_force
from tests.system.bundles import constant_model, hanging_model, raising_model
from tests.system.machine import Machine, until
from triage.strategies.registry import CURRENT, ModelInfo
from triage.strategies.strategy import Arm, Strategy, sample

LABELS = ["Mortgage", "Student loan"]
COMPLAINTS = 10
ALL = 10_000


@pytest.fixture
def shadowed(machine: Machine, tmp_path: Path) -> Iterator[Callable[..., Strategy]]:
    """Add shadows to the champion of the task `product`, given as name=(builder of the bundle, share)."""
    registry = machine.deployment.registry
    added: list[ModelInfo] = []

    def shadow(**shadows: tuple[Callable[[Path, list[str]], Path], int]) -> Strategy:
        (champion,) = (m for m in registry.models() if m.task == "product" and m.state == "champion")
        arms = []
        for name, (build, share) in shadows.items():
            model = machine.register_untried(build(tmp_path / name, LABELS), f"somebody/{name}", "product")
            added.append(model)
            arms.append(Arm(name=name, model_id=model.model_id, revision=model.revision, share=share))
        answering = Arm(name="champion", model_id=champion.model_id, revision=champion.revision, share=ALL)
        strategy = Strategy(
            task="product",
            kind="shadow",
            experiment="system",
            champion="champion",
            arms=(answering,),
            shadows=tuple(arms),
        )
        put_in_force(registry, strategy, by="test", replaces=0)
        return strategy

    yield shadow
    machine.withdraw_strategy("product")
    for model in added:
        machine.retire(model)


@contextmanager
def short_of_time(machine: Machine, seconds: int) -> Iterator[None]:
    """Yield the deployed shadow function with a shorter time-out, so that the test is faster."""
    client, name = machine.aws.client("lambda"), machine.function("ShadowsShadowInference")
    before = client.get_function_configuration(FunctionName=name)["Timeout"]
    client.update_function_configuration(FunctionName=name, Timeout=seconds)
    yield
    client.update_function_configuration(FunctionName=name, Timeout=before)


def shadows_of(machine: Machine, complaint_id: str) -> list[str]:
    story = read_story(machine.deployment, complaint_id)
    return sorted(str(p.model.arm) for p in story.predictions if p.model.shadow)


def failures_of(machine: Machine, complaint_id: str) -> dict[str, str]:
    return {str(f.model.arm): f.error for f in read_story(machine.deployment, complaint_id).failed}


def test_a_shadow_predicts_for_its_sampled_share_and_decides_nothing(machine: Machine, any_item, shadowed):
    strategy = shadowed(next=(constant_model, ALL // 2))
    items = [any_item() for _ in range(COMPLAINTS)]
    sampled = {item["complaint_id"]: sample(strategy, item["complaint_id"]) for item in items}
    assert 0 < sum(bool(shadows) for shadows in sampled.values()) < COMPLAINTS
    allocations = machine.allocate(*items)
    for allocation in allocations:
        (decision,) = (d for d in allocation.decisions if d.task == "product")
        assert (decision.model.arm, decision.model.shadow) == ("champion", False)
    wanted = {complaint_id: [s.arm.name for s in shadows] for complaint_id, shadows in sampled.items()}
    assert until(lambda: {i: shadows_of(machine, i) for i in wanted} == wanted, seconds=90)
    story = machine.triage("show", next(i for i, names in wanted.items() if names)).stdout
    assert "next (shadow)" in story


def test_a_version_that_a_person_made_starts_no_shadows_again(machine: Machine, any_item, shadowed):
    shadowed(next=(constant_model, ALL))
    (before,) = machine.allocate(any_item())
    assert until(lambda: shadows_of(machine, before.complaint_id) == ["next"], seconds=90)
    machine.triage("feedback", before.complaint_id, "confirm")
    # What is announced later is looked at later.
    (later,) = machine.allocate(any_item())
    assert until(lambda: shadows_of(machine, later.complaint_id) == ["next"], seconds=90)
    started = [complaint_id for complaint_id in _inputs_of_shadows(machine) if complaint_id == before.complaint_id]
    assert started == [before.complaint_id]


def _inputs_of_shadows(machine: Machine) -> list[str]:
    """Return the complaint of each execution of a shadow."""
    states = machine.aws.client("stepfunctions")
    (arn,) = (m["stateMachineArn"] for m in states.list_state_machines()["stateMachines"] if "Shadow" in m["name"])
    executions = states.list_executions(stateMachineArn=arn)["executions"]
    described = (states.describe_execution(executionArn=execution["executionArn"]) for execution in executions)
    return [json.loads(execution["input"])["complaint_id"] for execution in described]


def test_shadows_that_hang_and_fail_touch_neither_allocations_nor_their_latency(
    machine: Machine, any_item: Callable[..., dict[str, Any]], shadowed
):
    def allocate_one_by_one() -> tuple[list[str], float]:
        allocations = [allocation for _ in range(COMPLAINTS) for allocation in machine.allocate(any_item())]
        assert all({d.task for d in a.decisions} == {"product", "issue", "vulnerable"} for a in allocations)
        return [a.complaint_id for a in allocations], median(a.milliseconds for a in allocations)

    machine.allocate(any_item())
    _, alone = allocate_one_by_one()
    shadowed(hangs=(hanging_model, ALL), fails=(raising_model, ALL))
    with short_of_time(machine, 5):
        ids, beside = allocate_one_by_one()
        print(f"median ms of an allocation: {alone:.0f} alone, {beside:.0f} beside shadows that hang and fail")
        for name, error in (("hangs", "Sandbox.Timedout"), ("fails", "ModelFailedError")):
            assert until(lambda: any(failures_of(machine, i).get(name) == error for i in ids), seconds=90)  # noqa: B023
    failures = [failures_of(machine, i) for i in ids]
    assert {f["hangs"] for f in failures if "hangs" in f} <= {"Sandbox.Timedout", "Lambda.TooManyRequestsException"}
    assert {f["fails"] for f in failures if "fails" in f} <= {"ModelFailedError", "Lambda.TooManyRequestsException"}
    # A shadow that were waited for would cost seconds. What is left is that it shares the processors of this machine.
    assert beside < 2 * alone + 300
    assert not any(shadows_of(machine, i) for i in ids)


def test_a_bad_edit_by_hand_stops_nobody_and_changes_nothing(machine: Machine, any_item, shadowed):
    shadowed(kept=(constant_model, 0))
    table = machine.aws.resource("dynamodb").Table(machine.deployment.name("model-strategy-table"))
    table.put_item(Item={"task": "product", "entry": CURRENT, "strategy": {"arms": []}})
    (allocation,) = machine.allocate(any_item())
    (decision,) = (d for d in allocation.decisions if d.task == "product")
    assert (decision.model.arm, decision.model.strategy_version) == ("champion", 1)
