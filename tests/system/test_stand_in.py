"""The champion answers for a challenger that fails, so that no complaint loses its automatic answer."""

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.factories import any_bundle, put_in_force
from tests.system.bundles import hanging_model, raising_model
from tests.system.machine import Machine
from triage.bundle import Thresholds
from triage.story import AllocationEntry
from triage.strategies.registry import ModelInfo
from triage.strategies.strategy import BUCKETS, Arm, Strategy, assign

COMPLAINTS = 12
PRODUCTS = ["Mortgage", "Student loan"]
ISSUES = ["Closing on a mortgage", "Dealing with your lender or servicer"]
NARRATIVE = "The closing of my mortgage was put off again."


def single(model: ModelInfo) -> Strategy:
    return Strategy(
        task=model.task, kind="single", experiment="stand-in", champion="champion", arms=(arm("champion", model),)
    )


def arm(name: str, model: ModelInfo, share: int = BUCKETS) -> Arm:
    return Arm(name=name, model_id=model.model_id, revision=model.revision, share=share)


@pytest.fixture
def champion(machine: Machine, tmp_path: Path) -> Iterator[ModelInfo]:
    """Yield the champion of `product`. It and the model of `issue` are certain enough to need no person."""
    registry, sure = machine.deployment.registry, []
    for task, labels in (("product", PRODUCTS), ("issue", ISSUES)):
        any_bundle(tmp_path / task, labels=labels, task=task, thresholds=Thresholds(auto=0.9))
        model = machine.register(tmp_path / task, f"sure/{task}", task)
        put_in_force(registry, single(model), by="test", replaces=0)
        sure.append(model)
    yield sure[0]
    for model in sure:
        machine.withdraw_strategy(model.task)
        machine.retire(model)


def registered(machine: Machine, bundle: Path, repository: str, task: str) -> Iterator[ModelInfo]:
    """Yield a registered challenger; afterwards withdraw its strategy and retire it."""
    model = machine.register_untried(bundle, repository, task)
    yield model
    machine.withdraw_strategy(model.task)
    machine.retire(model)


@pytest.fixture
def challenger(machine: Machine, champion: ModelInfo, tmp_path: Path) -> Iterator[ModelInfo]:
    """A challenger that raises on every text."""
    yield from registered(machine, raising_model(tmp_path / "raises", PRODUCTS), "somebody/raises", champion.task)


@pytest.fixture
def hanging(machine: Machine, champion: ModelInfo, tmp_path: Path) -> Iterator[ModelInfo]:
    """A challenger that never answers. It has its own repository, because another test publishes the same model."""
    bundle = hanging_model(tmp_path / "hangs", PRODUCTS)
    yield from registered(machine, bundle, "somebody/hangs-as-canary", champion.task)


def answer(allocation: AllocationEntry) -> tuple[Any, ...]:
    said = [(d.task, d.label, d.model.version) for d in allocation.decisions]
    return allocation.route, allocation.journey, allocation.product_team, allocation.reasons, tuple(said)


def test_a_canary_that_fails_costs_no_complaint_its_automatic_answer(
    machine: Machine, any_item: Callable[..., dict[str, Any]], champion: ModelInfo, challenger: ModelInfo
):
    def allocate_one_by_one() -> list[AllocationEntry]:
        return [a for _ in range(COMPLAINTS) for a in machine.allocate(any_item(narrative=NARRATIVE))]

    machine.allocate(any_item(narrative=NARRATIVE))
    before = allocate_one_by_one()
    assert {allocation.route for allocation in before} == {"auto"}
    half = BUCKETS // 2
    canary = single(champion).model_copy(
        update={"kind": "canary", "arms": (arm("champion", champion, half), arm("raises", challenger, half))}
    )
    put_in_force(machine.deployment.registry, canary, by="test", replaces=1)
    after = allocate_one_by_one()
    assert {answer(allocation) for allocation in after} == {answer(allocation) for allocation in before}

    relieved = [a for a in after if assign(canary, a.complaint_id).arm.name == "raises"]
    assert 0 < len(relieved) < COMPLAINTS
    failures = list(machine.deployment.story.query(challenger.version, index="by_failed_version"))
    assert [failure["complaint_id"] for failure in failures] == [a.complaint_id for a in relieved]
    assert {failure["error"] for failure in failures} == {"ModelFailedError"}
    assert "model failed" in machine.triage("show", relieved[0].complaint_id).stdout

    of_champion = median(a.milliseconds for a in after if a not in relieved)
    of_stand_in = median(a.milliseconds for a in relieved)
    alone = median(a.milliseconds for a in before)
    print(f"median ms of an allocation: {alone:.0f} before, {of_champion:.0f} beside, {of_stand_in:.0f} as a stand-in")


def test_a_canary_that_hangs_costs_its_complaint_nothing_but_the_wait(
    machine: Machine, any_item: Callable[..., dict[str, Any]], champion: ModelInfo, hanging: ModelInfo
):
    (before,) = machine.allocate(any_item(narrative=NARRATIVE))
    canary = single(champion).model_copy(
        update={"kind": "canary", "arms": (arm("champion", champion, 0), arm("hangs", hanging))}
    )
    put_in_force(machine.deployment.registry, canary, by="test", replaces=1)
    (after,) = machine.allocate(any_item(narrative=NARRATIVE))
    put_in_force(machine.deployment.registry, single(champion), by="test", replaces=2)
    assert answer(after) == answer(before)
    (failure,) = machine.deployment.story.query(hanging.version, index="by_failed_version")
    assert (failure["complaint_id"], failure["error"]) == (after.complaint_id, "States.Timeout")
    assert after.milliseconds < 1_000 * 60
    print(f"ms of an allocation: {before.milliseconds:.0f} before, {after.milliseconds:.0f} with a model that hangs")

    # Its sandbox ends with it: what comes next is answered.
    (next_one,) = machine.allocate(any_item(narrative=NARRATIVE))
    assert answer(next_one) == answer(before)
