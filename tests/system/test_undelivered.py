"""What AWS gives up on is kept whole, and delivered again by a command."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.factories import any_feedback
from tests.system.machine import Machine, until
from triage.feedback import INBOX, FeedbackRow

SECONDS = 150
"""The embedded AWS gives up on records that are older than a minute."""


@contextmanager
def broken(machine: Machine, part: str) -> Iterator[None]:
    """Take from a function a variable that it cannot start without."""
    client, name = machine.aws.client("lambda"), machine.function(part)
    variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    without = {key: value for key, value in variables.items() if key != "COMPLAINTS_ALLOCATION_TABLE"}
    client.update_function_configuration(FunctionName=name, Environment={"Variables": without})
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


@contextmanager
def impatient(machine: Machine, part: str) -> Iterator[None]:
    """Give up on records of the function's stream after a minute, and not after an hour."""
    client = machine.aws.client("lambda")
    (mapping,) = client.list_event_source_mappings(FunctionName=machine.function(part))["EventSourceMappings"]
    client.update_event_source_mapping(UUID=mapping["UUID"], MaximumRecordAgeInSeconds=60)
    try:
        yield
    finally:
        age = mapping["MaximumRecordAgeInSeconds"]
        client.update_event_source_mapping(UUID=mapping["UUID"], MaximumRecordAgeInSeconds=age)


def test_feedback_that_could_not_be_delivered_is_kept_and_applied_once_the_cause_is_removed(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())
    feedback = any_feedback(complaint_id=allocation.complaint_id, kind="set_vulnerable", feedback_id="undelivered")

    def outcome() -> str | None:
        row = machine.deployment.story.get(INBOX + allocation.complaint_id, feedback.feedback_id) or {}
        return row.get("outcome")

    queue = machine.deployment.name("undelivered-queue")
    with impatient(machine, "Feedback"), broken(machine, "Feedback"):
        machine.deployment.story.put(FeedbackRow.of(feedback))
        assert until(lambda: waiting(machine, queue) > 0, seconds=SECONDS), "its alarm watches these messages"
        assert len(machine.triage_json("undelivered", "list")) == 1
        assert machine.triage("undelivered", "replay", check=False).returncode == 1
    assert outcome() is None
    (row,) = machine.triage_json("undelivered", "list")
    assert (row["kind"], row["reason"]) == ("stream", "MaxRecordAgeExceeded")
    time.sleep(30)  # Messages that a command has read are hidden for this time.
    machine.triage("undelivered", "replay")
    assert outcome() == "applied"
    assert machine.triage_json("undelivered", "list") == []
    assert waiting(machine, queue) == 0


def waiting(machine: Machine, queue: str) -> int:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = machine.aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(map(int, found.values()))


def test_a_scheduled_run_that_fails_is_kept_with_what_it_was_asked(machine: Machine):
    name = machine.function("AuditKeepHeld")
    with broken(machine, "AuditKeepHeld"):
        payload = json.dumps({"source": "a test"}).encode()
        machine.aws.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=payload)
        assert until(lambda: waiting(machine, machine.deployment.name("undelivered-queue")) > 0, seconds=40)
    assert "AuditKeepHeld" in machine.triage("undelivered", "replay").stdout
    assert machine.triage_json("undelivered", "list") == []


def test_an_anchor_cannot_be_deleted_before_its_time(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())
    assert json.loads(machine.triage("verify", allocation.complaint_id, "--json").stdout)["findings"] == []
    s3, bucket = machine.aws.client("s3"), machine.deployment.name("anchors-bucket")
    # The embedded AWS forgets the locks of objects when it restarts, which an earlier test may have made it do.
    version = max(s3.list_object_versions(Bucket=bucket)["Versions"], key=lambda each: each["LastModified"])
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
