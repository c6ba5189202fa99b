"""Killed processes, lost records and restarts heal by themselves."""

import json
import os
import signal
import time

import psutil

from local import up as embedded
from tests.system.alarms import SECONDS
from tests.system.machine import Machine, until


def test_a_killed_inference_process_costs_no_complaint(machine: Machine, any_item):
    ids = machine.put(*(any_item() for _ in range(20)))
    time.sleep(0.5)
    os.kill(machine.instance.children["models"].pid, signal.SIGKILL)
    allocations = machine.wait(ids)
    decided = [allocation for allocation in allocations.values() if allocation.product is not None]
    assert len(decided) == len(ids), "the retries outlast a restart of the process"


def test_a_lost_stream_record_is_healed_by_the_sweeper(machine: Machine, any_item):
    mapping = _intake_mapping(machine)
    client = machine.aws.client("lambda")
    client.update_event_source_mapping(UUID=mapping, Enabled=False)
    item = any_item()
    machine.put(item)
    machine.invoke("IntakeSweep", {"scope": "all"})
    machine.wait([item["complaint_id"]])
    client.update_event_source_mapping(UUID=mapping, Enabled=True)
    assert machine.current_allocations(item["complaint_id"]) == 1


def test_a_complaint_that_is_put_again_while_it_is_triaged_is_settled_later_and_expires(machine: Machine, any_item):
    """Without its outbox attributes the complaint would never expire."""
    item = any_item()
    complaint_id = item["complaint_id"]
    machine.allocate(item)
    assert until(lambda: _outbox(machine, complaint_id) == ("allocated", True), seconds=30)
    # As a put before the last state leaves it: an execution under way, and no outbox.
    machine.put(item)
    client, arn = machine.aws.client("stepfunctions"), machine.deployment.name("state-machine")
    asked = json.dumps({"complaint_id": complaint_id})
    execution = client.start_execution(stateMachineArn=arn, name=f"{complaint_id}-under-way", input=asked)
    under_way = execution["executionArn"]
    assert until(lambda: client.describe_execution(executionArn=under_way)["status"] == "SUCCEEDED", seconds=60)
    assert _outbox(machine, complaint_id) == (None, False)
    with ImpatientSweeper(machine):
        machine.invoke("IntakeSweep", {"scope": "all"})
        assert until(lambda: _swept_and_settled(machine, complaint_id), seconds=120)
    assert machine.current_allocations(complaint_id) == 1


def test_what_fails_again_and_again_is_parked_visible_and_replayable(machine: Machine, any_item, announced):
    iam = machine.aws.client("iam")
    role = machine.aws.client("lambda").get_function_configuration(FunctionName=machine.function("InferenceAllocate"))[
        "Role"
    ]
    name = role.rsplit("/", 1)[1]
    statement = {"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}
    deny = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    item = any_item()
    with ImpatientSweeper(machine):
        iam.put_role_policy(RoleName=name, PolicyName="broken", PolicyDocument=deny)
        machine.put(item)
        try:
            assert until(lambda: _swept_and_parked(machine, item["complaint_id"]), seconds=180)
        finally:
            iam.delete_role_policy(RoleName=name, PolicyName="broken")
    assert item["complaint_id"] in machine.triage_json("status")["parked"]
    # The alarm lasts as long as the complaint is parked, and not only as long as its message.
    assert until(lambda: bool(announced("StillParked")), seconds=SECONDS)
    machine.triage("parked", "replay", item["complaint_id"])
    machine.wait([item["complaint_id"]])
    assert until(lambda: item["complaint_id"] not in machine.triage_json("status")["parked"], seconds=20)
    assert machine.current_allocations(item["complaint_id"]) == 1


def test_kill_9_of_everything_loses_nothing_of_the_last_clean_stop(machine: Machine, any_item):
    before = machine.put(*(any_item() for _ in range(5)))
    machine.wait(before)
    embedded.down(machine.state, on_progress=lambda line: None)
    embedded.up(machine.state, on_progress=lambda line: None)
    during = machine.put(*(any_item() for _ in range(15)))
    time.sleep(1)
    instance = machine.instance
    pids = [instance.supervisor.pid, *(child.pid for child in instance.children.values())]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: not any(_runs(pid) for pid in pids), seconds=10)
    embedded.up(machine.state, on_progress=lambda line: None)
    assert {machine.current_allocations(complaint_id) for complaint_id in before} == {1}
    kept = [complaint_id for complaint_id in during if machine.deployment.complaints.get(complaint_id)]
    machine.invoke("IntakeSweep", {"scope": "all"})
    machine.wait(kept)
    # What the emulator lost, operations put again: nothing stands in the way.
    lost = sorted(set(during) - set(kept))
    machine.wait(machine.put(*(any_item(complaint_id=complaint_id) for complaint_id in lost)))
    assert {machine.current_allocations(complaint_id) for complaint_id in during} == {1}


def _intake_mapping(machine: Machine) -> str:
    mappings = machine.aws.client("lambda").list_event_source_mappings(FunctionName=machine.function("Intake"))
    return mappings["EventSourceMappings"][0]["UUID"]


class ImpatientSweeper:
    """Yield the deployed sweeper with a short `stale_after`."""

    def __init__(self, machine: Machine) -> None:
        self._client = machine.aws.client("lambda")
        self._name = machine.function("IntakeSweep")

    def __enter__(self) -> None:
        configuration = self._client.get_function_configuration(FunctionName=self._name)
        self._variables = configuration["Environment"]["Variables"]
        self._set({**self._variables, "STALE_AFTER_SECONDS": "1", "MAX_ATTEMPTS": "2"})

    def __exit__(self, *_: object) -> None:
        self._set(self._variables)

    def _set(self, variables: dict[str, str]) -> None:
        self._client.update_function_configuration(FunctionName=self._name, Environment={"Variables": variables})


def _outbox(machine: Machine, complaint_id: str) -> tuple[str | None, bool]:
    """Return the state of a complaint, and whether it expires."""
    raw = machine.deployment.complaints.get(complaint_id) or {}
    return raw.get("triage_state"), "expires_at" in raw


def _swept(machine: Machine) -> None:
    machine.invoke("IntakeSweep", {"scope": "started"})
    time.sleep(2)


def _swept_and_settled(machine: Machine, complaint_id: str) -> bool:
    _swept(machine)
    return _outbox(machine, complaint_id) == ("allocated", True)


def _swept_and_parked(machine: Machine, complaint_id: str) -> bool:
    _swept(machine)
    return complaint_id in [item["complaint_id"] for item in machine.deployment.outbox().parked()]


def _runs(pid: int) -> bool:
    return bool(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
