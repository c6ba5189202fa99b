"""No state machine ends before the last try of one of its tasks."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from stacks.states import patience
from triage.errors import THROTTLED

RETRY = {"MaxAttempts": 3, "IntervalSeconds": 1, "BackoffRate": 2, "MaxDelaySeconds": 3}


def tasks(states: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every task of a state machine, also of its maps."""
    for name, state in states.items():
        if state["Type"] == "Task":
            yield name, state
        if "ItemProcessor" in state:
            yield from tasks(state["ItemProcessor"]["States"])


def definitions(synthesis) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, machine in synthesis.stateless.of_type("AWS::StepFunctions::StateMachine").items():
        yield path, json.loads(synthesis.readable(machine["DefinitionString"]))


def test_the_patience_of_a_task_counts_its_tries_and_pauses():
    once = {"TimeoutSeconds": 10}
    assert patience(once) == 10
    # Four tries, and pauses of 1, 2 and 3 seconds.
    assert patience(once | {"Retry": [RETRY | {"ErrorEquals": ["States.ALL"]}]}) == 46


def test_a_throttled_try_takes_no_time():
    assert patience({"TimeoutSeconds": 10, "Retry": [RETRY | {"ErrorEquals": [THROTTLED]}]}) == 16


def test_all_tries_of_a_task_fit_into_the_time_of_its_state_machine(synthesis):
    for path, definition in definitions(synthesis):
        found = dict(tasks(definition["States"]))
        assert found
        for name, task in found.items():
            assert patience(task) <= definition["TimeoutSeconds"], f"{path}: {name}"


@pytest.mark.parametrize("name", ["WeighEvidence", "ChangeStrategy", "CheckStrategy", "Announce"])
def test_a_promotion_has_time_for_all_tries_of_all_tasks(synthesis, name):
    """Otherwise a strategy might be changed, and neither checked nor announced."""
    found = dict(tasks(synthesis.promotion_definition["States"]))
    assert name in found
    assert sum(map(patience, found.values())) <= synthesis.promotion_definition["TimeoutSeconds"]
