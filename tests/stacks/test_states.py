"""What holds for every task that invokes a function, in whichever state machine of the template."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stacks.states import patience
from tests.stacks.test_orchestration import longest_pauses
from triage.errors import KILLED, THROTTLED, permanent

LONGEST_WAIT_MINUTES = 25
"""A burst of 15,000 complaints lasts 15: three models each, a second for each answer, and 50 functions at a time."""


def tasks_of(states: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all tasks, those within maps and branches included."""
    for name, state in states.items():
        if state["Type"] == "Task":
            yield name, state
        for inner in (state.get("ItemProcessor"), *state.get("Branches", ())):
            yield from tasks_of(inner["States"] if inner else {})


@pytest.fixture
def machines(synthesis) -> dict[str, dict[str, Any]]:
    """Every state machine of the template, by its path."""
    found = synthesis.stateless.of_type("AWS::StepFunctions::StateMachine")
    return {path: json.loads(synthesis.readable(machine["DefinitionString"])) for path, machine in found.items()}


@pytest.fixture
def invocations(machines, synthesis) -> dict[str, dict[str, Any]]:
    return {
        f"{path}.{name}": task
        for path, machine in machines.items()
        for name, task in tasks_of(machine["States"])
        if task["Resource"].removesuffix(".Arn") in synthesis.functions
    }


def first_rule(task: dict[str, Any], error: str) -> dict[str, Any]:
    """Step Functions applies the first rule that names the error."""
    found: dict[str, Any] = next(rule for rule in task["Retry"] if {error, "States.ALL"} & {*rule["ErrorEquals"]})
    return found


def test_every_state_machine_invokes_functions_and_every_step_is_invoked(machines, invocations):
    assert {name.partition(".")[0] for name in invocations} == machines.keys()
    assert len(machines) >= 4


def test_a_throttled_invocation_waits_for_its_turn_in_every_state_machine(invocations):
    for name, task in invocations.items():
        rule = first_rule(task, THROTTLED)
        assert rule["ErrorEquals"] == [THROTTLED], name
        waits = longest_pauses({"Retry": [rule]}) / 60
        assert waits >= LONGEST_WAIT_MINUTES, name


def test_an_execution_lasts_until_two_of_its_tasks_have_waited_for_their_turns(machines):
    """Such as a challenger and its stand-in, or a shadow and the record of its failure."""
    for path, machine in machines.items():
        longest = max(longest_pauses(task) for _, task in tasks_of(machine["States"]))
        assert 2 * longest < machine["TimeoutSeconds"], path


def test_the_patience_of_a_task_counts_its_tries_and_pauses():
    retry = {"MaxAttempts": 3, "IntervalSeconds": 1, "BackoffRate": 2, "MaxDelaySeconds": 3}
    once = {"TimeoutSeconds": 10}
    assert patience(once) == 10
    # Four tries, and pauses of 1, 2 and 3 seconds.
    assert patience(once | {"Retry": [retry | {"ErrorEquals": ["States.ALL"]}]}) == 46
    # A throttled try takes no time.
    assert patience(once | {"Retry": [retry | {"ErrorEquals": [THROTTLED]}]}) == 16


def test_all_tries_of_a_task_fit_into_the_time_of_its_state_machine(machines):
    for path, machine in machines.items():
        found = dict(tasks_of(machine["States"]))
        assert found
        for name, task in found.items():
            assert patience(task) <= machine["TimeoutSeconds"], f"{path}: {name}"


def test_a_promotion_has_time_for_all_tries_of_all_tasks(machines):
    """Otherwise a strategy might be changed, and neither checked nor announced."""
    found = dict(tasks_of(machines["Promotion/Promotion"]["States"]))
    assert found.keys() == {"WeighEvidence", "ChangeStrategy", "CheckStrategy", "Announce"}
    assert sum(map(patience, found.values())) <= machines["Promotion/Promotion"]["TimeoutSeconds"]


def test_a_function_that_was_ended_is_treated_alike_whichever_name_its_end_has(invocations):
    """AWS reports time and memory that ran out by several names, as `KILLED` says."""
    assert {"Sandbox.Timedout", "Lambda.Unknown", "Runtime.ExitError"} == {*KILLED}
    for name, task in invocations.items():
        rules = [first_rule(task, error) for error in (*KILLED, "States.Timeout")]
        assert all(rule is rules[0] for rule in rules), name
        assert "States.ALL" not in rules[0]["ErrorEquals"], name
        assert rules[0]["MaxAttempts"] <= 1, name


def test_no_permanent_error_is_tried_again(invocations):
    for name, task in invocations.items():
        assert {first_rule(task, error)["MaxAttempts"] for error in permanent()} == {0}, name


def test_every_other_error_is_tried_again(invocations):
    for name, task in invocations.items():
        assert task["Retry"][-1]["ErrorEquals"] == ["States.ALL"], name
        assert task["Retry"][-1]["MaxAttempts"] >= 2, name


def test_a_function_ends_before_its_caller_stops_waiting(invocations, synthesis):
    for name, task in invocations.items():
        # A state that ends in `Briefly` stops waiting earlier, because a stand-in is asked next.
        if not name.endswith("Briefly"):
            function = synthesis.functions[task["Resource"].removesuffix(".Arn")]
            assert function["Timeout"] < task["TimeoutSeconds"], name
