"""One deployed embedded AWS for all system tests, with three small real models."""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cli.aws.submission import raw_item
from local import up as embedded
from local.state import ROOT
from tests.system.machine import Machine
from training.data.complaint_files import read_export
from training.generator import generate
from training.pipeline import train_models
from training.recipe import CONFIGS, load_recipe

SHARED_SAMPLE = ROOT.parent / "shared" / "data" / "cfpb.parquet"
TRAINED = ROOT / "build" / "test-models"
AIMS: dict[str, dict[str, Any]] = {
    "product": {},
    "issue": {},
    "vulnerable": {"positive_label": "vulnerable", "target_recall": 0.8},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("system")


@pytest.fixture(scope="session")
def bundles() -> dict[str, Path]:
    """Return a trained bundle for each task. It is kept between runs and trained again if recipe or data change."""
    tiny = load_recipe(CONFIGS / "tiny.toml")
    tasks = {task: tiny.tasks["product"].model_copy(update=aim) for task, aim in AIMS.items()}
    recipe = tiny.model_copy(update={"examples": 400, "tasks": tasks})
    return dict(train_models(recipe, output=TRAINED))


@pytest.fixture(scope="session")
def machine(bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    state = tmp_path_factory.mktemp("machine") / "state"
    embedded.up(state, on_progress=lambda line: None)
    try:
        machine = Machine(state)
        for task, folder in bundles.items():
            machine.register(folder, f"megabank/{task}", task)
        yield machine
    finally:
        embedded.down(state, wipe=True, on_progress=lambda line: None)


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def any_item(numbers: Iterator[int]) -> Callable[..., dict[str, Any]]:
    """Return a raw complaint that no other test uses. An attribute with the value None is left out."""
    letters = generate(10_000, seed=3)

    def item(**changed: Any) -> dict[str, Any]:
        letter = next(letters)
        values = {
            "complaint_id": f"test-{next(numbers):05}",
            "narrative": letter.narrative,
            "received_at": letter.received_at,
            **changed,
        }
        return {name: value for name, value in values.items() if value is not None}

    return item


@pytest.fixture(scope="session")
def real_items() -> list[dict[str, Any]]:
    """Return 200 complaints: real ones if the shared sample is present, else generated ones."""
    if SHARED_SAMPLE.exists():
        return [raw_item(row) for row in read_export(SHARED_SAMPLE, limit=200)]
    run = f"{datetime.now():%H%M%S}"
    return [
        {"complaint_id": f"{run}-{n}", "narrative": letter.narrative, "received_at": letter.received_at}
        for n, letter in enumerate(generate(200, seed=5))
    ]


@pytest.fixture
def announced(machine: Machine) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """Return the messages of a metric's alarm since the test began."""
    sqs, sns = machine.aws.client("sqs"), machine.aws.client("sns")
    queue = sqs.create_queue(QueueName="alarms-of-a-test")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = machine.deployment.name("alarms-topic")
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**allowed, "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    said: list[dict[str, Any]] = []

    def of(metric: str) -> list[dict[str, Any]]:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            said.append(json.loads(json.loads(message["Body"])["Message"]))
        return [one for one in said if one["Trigger"]["MetricName"] == metric]

    yield of
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sqs.delete_queue(QueueUrl=queue)
