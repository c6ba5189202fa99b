"""A complaint that is put into `raw_complaints` gets an allocation."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.system.machine import Machine, until
from triage.steps import URGENT_EVENT
from triage.story import PREDICTION
from triage.tables import RAW_COMPLAINTS


def test_two_hundred_complaints_get_one_allocation_each_that_carries_its_versions(machine: Machine, real_items):
    ids = machine.put(*real_items)
    allocations = machine.wait(ids, seconds=300)
    assert set(allocations) == set(ids)
    assert {machine.current_allocations(complaint_id) for complaint_id in ids} == {1}
    registered = {(m.task, m.model_id, m.revision): m for m in machine.deployment.registry.models()}
    for allocation in allocations.values():
        assert {decision.task for decision in allocation.decisions} >= {"product", "issue", "vulnerable"}
        assert allocation.code_version and allocation.taxonomy_version
        for decision in allocation.decisions:
            model = registered[(decision.task, decision.model.model_id, decision.model.revision)]
            assert model.bundle is not None
            assert decision.weights_sha256 == model.bundle.weights_sha256


def test_every_prediction_is_recorded_beside_the_allocation(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())
    entries = [e for e in machine.deployment.story.query(allocation.complaint_id) if e["entry"].startswith(PREDICTION)]
    assert {entry["model"]["task"] for entry in entries} == {d.task for d in allocation.decisions}
    assert all(entry["tokens_seen"] <= entry["tokens_total"] for entry in entries)


def test_a_duplicate_put_starts_nothing_and_changes_nothing(machine: Machine, any_item):
    item = any_item()
    (first,) = machine.allocate(item)
    machine.put(item, item)
    machine.invoke("IntakeSweep", {"scope": "all"})
    (again,) = machine.wait([item["complaint_id"]]).values()
    assert again == first
    assert machine.current_allocations(item["complaint_id"]) == 1


def test_two_intakes_at_once_start_one_execution(machine: Machine, any_item):
    item = any_item()
    machine.put(item)
    record = {"dynamodb": {"Keys": {RAW_COMPLAINTS.partition_key: {"S": item["complaint_id"]}}}}
    with ThreadPoolExecutor(4) as intakes:
        list(intakes.map(lambda _: machine.invoke("Intake", {"Records": [record]}), range(4)))
    machine.wait([item["complaint_id"]])
    assert machine.executions(item["complaint_id"]) == [item["complaint_id"]]


def test_an_id_that_step_functions_would_refuse_is_allocated(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item(complaint_id="spaces / and ünïcode " + "x" * 90))
    assert allocation.complaint_id.startswith("spaces / and")


def test_the_event_reaches_the_bus_without_text(machine: Machine, any_item):
    events, sqs = machine.aws.client("events"), machine.aws.client("sqs")
    queue = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = machine.deployment.name("bus")
    pattern = json.dumps({"detail-type": ["ComplaintAllocated"]})
    events.put_rule(Name="listen", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="listen", EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
    (allocation,) = machine.allocate(any_item(narrative="the marker zanzibarine stands in this letter"))
    received: list[dict[str, Any]] = []

    def arrived() -> bool:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        received.extend(json.loads(message["Body"]) for message in messages)
        return any(event["detail"]["complaint_id"] == allocation.complaint_id for event in received)

    assert until(arrived, seconds=20)
    assert "zanzibarine" not in json.dumps(received)
    (event,) = (e for e in received if e["detail"]["complaint_id"] == allocation.complaint_id)
    assert event["detail"]["product_team"] == allocation.product_team


def test_self_harm_is_announced_as_urgent_without_the_words(machine: Machine, any_item):
    events, sqs = machine.aws.client("events"), machine.aws.client("sqs")
    queue = sqs.create_queue(QueueName="on-call")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = machine.deployment.name("bus")
    events.put_rule(Name="on-call", EventBusName=bus, EventPattern=json.dumps({"detail-type": [URGENT_EVENT]}))
    events.put_targets(Rule="on-call", EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
    urgent, calm = machine.allocate(
        any_item(narrative="I am suicidal because of the zanzibarine fee"), any_item(narrative="The zanzibarine fee")
    )
    received: list[dict[str, Any]] = []

    def arrived() -> bool:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        received.extend(json.loads(message["Body"]) for message in messages)
        return bool(received)

    assert until(arrived, seconds=20)
    assert [event["detail"]["complaint_id"] for event in received] == [urgent.complaint_id]
    assert "zanzibarine" not in json.dumps(received) and "suicidal" not in json.dumps(received)
    assert (urgent.urgent, urgent.journey, calm.urgent) == (True, "specialist", None)


def test_product_teams_read_their_allocations_by_team_and_time(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())
    newest = machine.deployment.story.query(allocation.product_team, index="by_team", newest=5)
    assert allocation.complaint_id in {entry["complaint_id"] for entry in newest}


def test_data_scientists_read_predictions_by_model_version(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())
    version = allocation.decisions[0].model.version
    found = machine.deployment.story.query(version, index="by_model", newest=5)
    assert allocation.complaint_id in {entry["complaint_id"] for entry in found}


def test_the_outbox_is_settled_after_the_allocation(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())

    def settled() -> bool:
        raw = machine.deployment.complaints.get(allocation.complaint_id) or {}
        return raw.get("triage_state") == "allocated" and "triage_started_at" not in raw

    assert until(settled, seconds=20)
