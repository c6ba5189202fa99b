"""Feedback of people and product teams makes new versions of allocations."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.commands.show import read_story
from runtime.adapters.dynamodb import to_item
from tests.factories import any_feedback
from tests.system.machine import Machine, until
from triage.feedback import INBOX, Feedback, FeedbackRow
from triage.steps import EVENT_TYPE
from triage.story import FeedbackEntry
from triage.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy()
Received = Callable[[str], list[dict[str, Any]]]
AnyItem = Callable[..., dict[str, Any]]


def another_product(than: str | None) -> str:
    return next(product.name for product in TAXONOMY.products if product.name != than)


def outcome(machine: Machine, said: Feedback) -> str | None:
    row = machine.deployment.story.get(INBOX + said.complaint_id, said.feedback_id) or {}
    return row.get("outcome")


def of_team(machine: Machine, team: str) -> set[str]:
    return {entry["complaint_id"] for entry in machine.deployment.story.query(team, index="by_team")}


@pytest.fixture
def received(machine: Machine) -> Received:
    """Return a function that gives the details of the events about a complaint since the test began."""
    events, sqs = machine.aws.client("events"), machine.aws.client("sqs")
    queue = sqs.create_queue(QueueName="feedback-listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = machine.deployment.name("bus")
    pattern = json.dumps({"detail-type": [EVENT_TYPE]})
    events.put_rule(Name="listen-to-feedback", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="listen-to-feedback", EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
    details: list[dict[str, Any]] = []

    def of(complaint_id: str) -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        details.extend(json.loads(message["Body"])["detail"] for message in messages)
        return [detail for detail in details if detail["complaint_id"] == complaint_id]

    return of


def test_a_reallocation_makes_the_next_version_and_is_announced(machine: Machine, any_item, received):
    (before,) = machine.allocate(any_item())
    product = another_product(before.product)
    arguments = (before.complaint_id, "reallocate", "--product", product, "--id", "once")
    row = machine.triage_json("feedback", *arguments)
    assert (row["outcome"], row["made_version"]) == ("applied", 2)

    (current,) = machine.wait([before.complaint_id]).values()
    assert (current.version, current.decided_by, current.product) == (2, "person", product)
    assert machine.current_allocations(before.complaint_id) == 1
    assert before.complaint_id in of_team(machine, TAXONOMY.team_of(product))
    assert before.complaint_id not in of_team(machine, before.product_team)
    story = read_story(machine.deployment, before.complaint_id)
    assert [entry.allocation for entry in story.superseded] == [before]
    assert "reallocate" in machine.triage("show", before.complaint_id).stdout

    def announced() -> bool:
        return [(d["version"], d["product_team"]) for d in received(before.complaint_id)][-1:] == [
            (2, TAXONOMY.team_of(product))
        ]

    assert until(announced, seconds=20)
    # The same id again, although it now speaks of version 2.
    assert machine.triage_json("feedback", *arguments)["made_version"] == 2
    assert read_story(machine.deployment, before.complaint_id) == story


def test_labels_of_a_day_are_read_from_their_index(machine: Machine, any_item):
    (before,) = machine.allocate(any_item())
    product = another_product(before.product)
    drawn = ("--blind", "--stratum", "random", "--inclusion", "0.05")
    machine.triage("feedback", before.complaint_id, "reallocate", "--product", product, *drawn)
    (entry,) = read_story(machine.deployment, before.complaint_id).feedback
    assert (entry.labels, entry.feedback.inclusion) == ({"product": product}, 0.05)
    found = machine.deployment.story.query(entry.labelled_on, index="by_labelled_day")
    assert entry in [FeedbackEntry.model_validate(item) for item in found]


@pytest.fixture
def team(machine: Machine) -> Any:
    """Return a DynamoDB client with the permissions of a product team."""
    return machine.as_role(machine.deployment.name("product-team-role")).client("dynamodb")


def table(machine: Machine) -> str:
    return machine.deployment.name("complaints-allocation-table")


def test_a_product_team_puts_feedback_that_is_applied(machine: Machine, any_item, team):
    (before,) = machine.allocate(any_item())
    said = any_feedback(
        complaint_id=before.complaint_id,
        kind="reallocate",
        product=another_product(before.product),
        role="product team",
        at=datetime.now(UTC),
    )
    team.put_item(TableName=table(machine), Item=to_item(FeedbackRow.of(said)))
    assert until(lambda: outcome(machine, said) == "applied", seconds=30)
    (current,) = machine.wait([before.complaint_id]).values()
    assert (current.version, current.product) == (2, said.product)


@pytest.mark.parametrize(
    "changed",
    [{"complaint_id": "8123456"}, {"product_team": "mortgage"}, {"outcome": "applied"}, {"made_version": 7}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_product_team_puts_nothing_beside_feedback(machine: Machine, team, changed):
    item = FeedbackRow.of(any_feedback()).model_dump(mode="json") | changed
    with pytest.raises(ClientError, match="AccessDenied"):
        team.put_item(TableName=table(machine), Item=to_item(item))


def test_a_malformed_row_is_refused_with_its_reason_and_shown(machine: Machine, any_item, team):
    (before,) = machine.allocate(any_item())
    said = any_feedback(complaint_id=before.complaint_id, feedback_id="malformed")
    item = FeedbackRow.of(said).model_dump(mode="json") | {"kind": "shout"}
    team.put_item(TableName=table(machine), Item=to_item(item))
    assert until(lambda: outcome(machine, said) == "refused", seconds=30)
    shown = machine.triage("show", before.complaint_id).stdout
    assert "refused malformed" in shown and "malformed: kind: must be one of 'confirm'" in shown
    (after,) = machine.wait([before.complaint_id]).values()
    assert after == before


def test_a_file_is_handed_in_and_a_second_time_changes_nothing(machine: Machine, any_item, tmp_path: Path):
    first, second = machine.allocate(any_item(), any_item())
    product = another_product(first.product)
    said = "analyst,blind,random,0.05,2026-11-22T09:30:00Z"
    file = tmp_path / "statements.csv"
    file.write_text(
        "complaint_id,kind,product,role,mode,stratum,inclusion,at\n"
        f'{first.complaint_id},reallocate,"{product}",{said}\n'
        f"{first.complaint_id},clear_vulnerable,,{said}\n"
        f"{second.complaint_id},set_vulnerable,,{said}\n"
    )
    outcomes = machine.triage_json("feedback", "--file", file)
    assert [(o["outcome"], o["made_version"]) for o in outcomes] == [("applied", 2), ("applied", 3), ("applied", 2)]
    stories = [read_story(machine.deployment, a.complaint_id) for a in (first, second)]
    decided = stories[0].allocation
    assert decided and (decided.product, decided.vulnerable) == (product, False)
    assert machine.triage_json("feedback", "--file", file) == outcomes
    assert [read_story(machine.deployment, a.complaint_id) for a in (first, second)] == stories
