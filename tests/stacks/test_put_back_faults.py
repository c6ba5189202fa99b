"""Faults that the templates once had, put back one by one: a rule of `make audit` finds each."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

from tests.stacks import (
    test_alarms,
    test_application,
    test_data,
    test_function,
    test_intake,
    test_service_callers,
    test_states,
    test_trail,
    test_undelivered,
)
from tests.stacks.conftest import Synthesis, Template

Change = Callable[[Template, Template], None]
"""Puts a fault into copies of the stateful and the stateless template."""


@dataclass(frozen=True)
class Fault:
    """environment: whose templates get the fault. rule: the test that has to fail, by its module and name."""

    name: str
    change: Change
    module: Any
    rule: str
    environment: str = "prod"


def statements(template: Template, path: str, within: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = template.resources[path]["Properties"][within]["Statement"]
    return found


def cloudtrail_cannot_decrypt(stateful: Template, stateless: Template) -> None:
    for statement in statements(stateful, "Data/RecordsKey", "KeyPolicy"):
        if "cloudtrail.amazonaws.com" in json.dumps(statement["Principal"]):
            statement["Action"] = [action for action in statement["Action"] if action != "kms:Decrypt"]


def cloudwatch_cannot_publish(stateful: Template, stateless: Template) -> None:
    policy = statements(stateless, "Alarms/Topic/Policy", "PolicyDocument")
    policy[:] = [statement for statement in policy if statement["Effect"] == "Deny"]


def a_new_account_has_too_little_concurrency(stateful: Template, stateless: Template) -> None:
    stateless.resources["Intake/Sweep"]["Properties"]["ReservedConcurrentExecutions"] = 1


def in_definition(path: str, old: str, new: str) -> Change:
    """Return a change of a state machine's definition. It has to change something."""

    def change(stateful: Template, stateless: Template) -> None:
        machine = stateless.resources[path]["Properties"]
        before = json.dumps(machine["DefinitionString"])
        after = before.replace(old, new)
        assert after != before
        machine["DefinitionString"] = json.loads(after)

    return change


def the_namespace_is_shared(stateful: Template, stateless: Template) -> None:
    for alarm in stateless.of_type("AWS::CloudWatch::Alarm").values():
        if not alarm.get("Namespace", "AWS/").startswith("AWS/"):
            alarm["Namespace"] = "ComplaintsTriage"


def errors_of_the_intake_are_unseen(stateful: Template, stateless: Template) -> None:
    for path, alarm in stateless.of_type("AWS::CloudWatch::Alarm").items():
        if path == "Alarms/IntakeErrors":
            alarm["MetricName"] = "Duration"


def promotions_end_before_their_last_try(stateful: Template, stateless: Template) -> None:
    machine = stateless.resources["Promotion/Promotion"]["Properties"]
    parts = machine["DefinitionString"]["Fn::Join"][1]
    assert '"TimeoutSeconds":' in parts[-1]
    parts[-1] = parts[-1].rpartition('"TimeoutSeconds":')[0] + '"TimeoutSeconds":600}'


def the_whole_table_is_read_at_once(stateful: Template, stateless: Template) -> None:
    stateless.resources["Intake/Sweep"]["Properties"]["Environment"]["Variables"]["SWEEP_SLICES"] = "1"


def feedback_is_lost_after_its_retries(stateful: Template, stateless: Template) -> None:
    for path, mapping in stateless.of_type("AWS::Lambda::EventSourceMapping").items():
        if path.startswith("Feedback/"):
            del mapping["DestinationConfig"]


def dev_pays_for_a_copy_of_management_events(stateful: Template, stateless: Template) -> None:
    everything = {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}
    stateless.resources["Trail/Trail"]["Properties"]["AdvancedEventSelectors"].append(everything)


def anchors_may_be_deleted(stateful: Template, stateless: Template) -> None:
    del stateful.resources["Data/Anchors/Bucket"]["Properties"]["ObjectLockConfiguration"]


def logs_of_executions_have_any_name(stateful: Template, stateless: Template) -> None:
    del stateless.resources["Orchestration/TriageLogs"]["Properties"]["LogGroupName"]


def the_mirror_takes_more_than_functions_can_load(stateful: Template, stateless: Template) -> None:
    stateless.resources["Inference/ModelInference"]["Properties"]["MemorySize"] = 512


FAULTS = (
    Fault(
        "CloudTrail may not decrypt, so that AWS refuses to create the trail",
        cloudtrail_cannot_decrypt,
        test_service_callers,
        "test_every_service_may_call_the_resource_and_use_its_key",
    ),
    Fault(
        "CloudWatch may not publish, so that no alarm reaches anybody",
        cloudwatch_cannot_publish,
        test_service_callers,
        "test_every_service_may_call_the_resource_and_use_its_key",
    ),
    Fault(
        "dev reserves concurrency that a new account does not have",
        a_new_account_has_too_little_concurrency,
        test_function,
        "test_dev_deploys_in_a_new_account",
        environment="dev",
    ),
    Fault(
        "a sweep reads the whole table at once, and takes longer than its function may",
        the_whole_table_is_read_at_once,
        test_intake,
        "test_the_sweeper_reads_every_slice_of_the_table_once_a_round",
    ),
    Fault(
        "a throttled shadow does not wait for its turn",
        in_definition("Shadows/Shadow", "Lambda.TooManyRequestsException", "Lambda.Other"),
        test_states,
        "test_a_throttled_invocation_waits_for_its_turn_in_every_state_machine",
    ),
    Fault(
        "a throttled explanation does not wait for its turn",
        in_definition("Explanations/Explanation", "Lambda.TooManyRequestsException", "Lambda.Other"),
        test_states,
        "test_a_throttled_invocation_waits_for_its_turn_in_every_state_machine",
    ),
    Fault(
        "models are accepted that do not fit the function",
        the_mirror_takes_more_than_functions_can_load,
        test_function,
        "test_inference_has_memory_for_its_models",
    ),
    Fault(
        "feedback is lost when its retries end",
        feedback_is_lost_after_its_retries,
        test_undelivered,
        "test_nothing_that_aws_invokes_is_lost_in_silence",
    ),
    Fault(
        "the environments of an account count into the same metrics",
        the_namespace_is_shared,
        test_application,
        "test_alarms_count_the_metrics_that_the_functions_of_their_environment_write",
    ),
    Fault(
        "dev pays for a second copy of the account's management events",
        dev_pays_for_a_copy_of_management_events,
        test_trail,
        "test_only_production_pays_for_a_copy_of_the_accounts_management_events",
        environment="dev",
    ),
    Fault(
        "errors of the intake raise no alarm",
        errors_of_the_intake_are_unseen,
        test_alarms,
        "test_whatever_fails_unseen_has_an_alarm_or_a_reason_for_none",
    ),
    Fault(
        "a promotion ends before the last try of its tasks",
        promotions_end_before_their_last_try,
        test_states,
        "test_all_tries_of_a_task_fit_into_the_time_of_its_state_machine",
    ),
    Fault(
        "a function that AWS reports as Lambda.Unknown is tried again like any error",
        in_definition("Orchestration/Triage", "Lambda.Unknown", "Lambda.Other"),
        test_states,
        "test_a_function_that_was_ended_is_treated_alike_whichever_name_its_end_has",
    ),
    Fault(
        "the anchors of chains may be deleted before the chains",
        anchors_may_be_deleted,
        test_data,
        "test_anchors_are_kept_as_long_as_chains_and_nobody_may_delete_one_before_in_production",
    ),
    Fault(
        "logs of executions have a name that lengthens the account's policy for them",
        logs_of_executions_have_any_name,
        test_application,
        "test_only_what_state_machines_log_to_has_the_name_that_aws_asks_for",
    ),
)


def with_fault(synthesis: Synthesis, change: Change) -> Synthesis:
    """Return a synthesis whose templates have the fault. The one that is given keeps its own."""
    copies = [Template(each.stack_name, each.properties, deepcopy(each.document)) for each in synthesis.templates]
    change(*copies)
    assert [copy.document for copy in copies] != [each.document for each in synthesis.templates]
    faulty = Synthesis(synthesis.environment, synthesis.returncode, synthesis.output, synthesis.folder)
    faulty.__dict__.update(stateful=copies[0], stateless=copies[1])
    return faulty


def run(fault: Fault, syntheses: dict[str, Synthesis]) -> None:
    """Run a rule, once for each of its parameters, with the fixtures of its module. syntheses: by environment."""
    rule = getattr(fault.module, fault.rule)
    given = {"synthesis": syntheses[fault.environment], "dev": syntheses["dev"], "production": syntheses["prod"]}
    for parameters in parameters_of(rule):
        rule(**arguments(rule, fault.module, given | parameters))


def parameters_of(rule: Any) -> Iterator[dict[str, Any]]:
    marks = [mark for mark in getattr(rule, "pytestmark", []) if mark.name == "parametrize"]
    if not marks:
        yield {}
        return
    (mark,) = marks
    names, values = mark.args
    for value in values:
        yield {names: value} if isinstance(names, str) else dict(zip(names, value, strict=True))


def arguments(wanting: Any, module: Any, known: dict[str, Any]) -> dict[str, Any]:
    code = wanting.__code__
    found = {}
    for name in code.co_varnames[: code.co_argcount]:
        if name in known:
            found[name] = known[name]
        else:
            fixture = getattr(module, name).__wrapped__
            found[name] = fixture(**arguments(fixture, module, known))
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_that_is_put_back_breaks_its_rule(fault, dev, production):
    syntheses = {"dev": dev, "prod": production}
    run(fault, syntheses)
    faulty = with_fault(syntheses[fault.environment], fault.change)
    with pytest.raises((AssertionError, LookupError, StopIteration)):
        run(fault, syntheses | {fault.environment: faulty})
