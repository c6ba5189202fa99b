"""Challengers run as shadow, as canary and for all complaints, with the labels of a known reviewer."""

import hashlib
import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runtime.adapters.strategies import Strategies
from tests.factories import any_change, put_in_force
from tests.system.bundles import asking_people, constant_model, failing_on_long_texts
from tests.system.machine import Machine, until
from training.generator import GeneratedComplaint, generate
from training.reviewer import Reviewer, Truth
from triage.errors import StrategyRefusedError
from triage.feedback import FeedbackRow
from triage.promotion.gates import Gates, Guardrails, Schedule
from triage.story import AllocationEntry
from triage.strategies.ledger import LedgerEntry
from triage.strategies.registry import ModelInfo
from triage.strategies.strategy import BUCKETS, Arm, Strategy
from triage.strategies.strategy_change import ENGINE
from triage.tables import CHAMPION_LEDGER, MODEL_INFO, MODEL_STRATEGY
from triage.taxonomy import load_taxonomy

TASK = "product"
SPECS = (MODEL_INFO, MODEL_STRATEGY, CHAMPION_LEDGER)
WRITERS = 20
QUARTER = 2_500
LABELS = [product.name for product in load_taxonomy().products]
# A share that a few dozen labels can show: what is tried here is the way, the statistics have tests of their own.
# One simulated person gives all labels.
GATES = Gates(margin=0.3, min_labels=40, min_hours=0, min_group=1_000, min_inclusion=1.0, max_reviewer_share=1.0)
GUARDRAILS = Guardrails(min_predictions=5, max_p95_increase_ms=60_000)
SCHEDULE = Schedule(steps=(QUARTER,), bake_minutes=0)
REVIEWER = Reviewer(taxonomy=load_taxonomy(), error_rate=0.05, inclusion=1.0, seed=1)


@pytest.fixture(scope="module")
def letters() -> Iterator[GeneratedComplaint]:
    return generate(10_000, seed=11)


@pytest.fixture
def trial(machine: Machine, letters: Iterator[GeneratedComplaint]) -> Iterator["Trial"]:
    """Yield the task `product`; afterwards the champion from before is restored."""
    trial = Trial(machine, letters)
    yield trial
    trial.end()


class Trial:
    def __init__(self, machine: Machine, letters: Iterator[GeneratedComplaint]) -> None:
        self.machine = machine
        self.registry = machine.deployment.registry
        self.letters = letters
        self.numbers = itertools.count()
        (self.usual,) = (m for m in self.registry.models() if m.task == TASK and m.state == "champion")
        self.added: list[ModelInfo] = []

    def model(self, folder: Path, name: str) -> ModelInfo:
        model = self.machine.register_untried(folder, f"somebody/{name}", TASK)
        self.added.append(model)
        return model

    def strategy(self, champion: ModelInfo, challenger: ModelInfo, *, share: int | None = None) -> None:
        """Set a canary with this share or, without a share, a shadow of all complaints."""
        experiment = hashlib.sha256(challenger.version.encode()).hexdigest()[:12]
        first = _arm("champion", champion, BUCKETS - (share or 0))
        second = _arm("challenger", challenger, BUCKETS if share is None else share)
        strategy = Strategy(
            task=TASK,
            kind="shadow" if share is None else "canary",
            experiment=experiment,
            champion="champion",
            arms=(first,) if share is None else (first, second),
            shadows=(second,) if share is None else (),
            gates=GATES,
            guardrails=GUARDRAILS,
            schedule=SCHEDULE,
        )
        current = self.registry.strategies.get(TASK)
        put_in_force(self.registry, strategy, by="test", replaces=current.version if current else 0)

    def submit(self, count: int, *, label: bool = False, longer: str = "") -> list[AllocationEntry]:
        """Put complaints, and the reviewer's feedback about each if they are labelled."""
        chosen = list(itertools.islice(self.letters, count))
        run = f"trial-{datetime.now(UTC):%H%M%S}-{next(self.numbers)}"
        items = [{"complaint_id": f"{run}-{n}", "narrative": one.narrative + longer} for n, one in enumerate(chosen)]
        allocations = self.machine.allocate(*items)
        if label:
            self._review({item["complaint_id"]: one for item, one in zip(items, chosen, strict=True)})
        return allocations

    def _review(self, truths: dict[str, GeneratedComplaint]) -> None:
        story = self.machine.deployment.story
        rows = [
            FeedbackRow.of(REVIEWER.statements(complaint_id, _truth(one), at=datetime.now(UTC))[0])
            for complaint_id, one in truths.items()
        ]
        for row in rows:
            story.put_if_absent(row)

        def applied() -> bool:
            keys = [(row.complaint_id, row.entry) for row in rows]
            return all("outcome" in item for item in story.get_many(keys))

        assert until(applied, seconds=90)

    def shadowed(self, allocations: list[AllocationEntry], version: str) -> bool:
        """Return whether the shadow has predicted all complaints, or its failure is recorded."""
        story = self.machine.deployment.story
        kinds = ("PREDICTION#SHADOW", "FAILED#SHADOW")
        keys = [(a.complaint_id, f"{kind}#{TASK}#{version}") for a in allocations for kind in kinds]
        return len({item["complaint_id"] for item in story.get_many(keys)}) == len(allocations)

    def evaluate(self) -> str:
        """One execution of the promotion state machine, as its schedule starts it too; what it says it did.

        The schedule may be faster, and then this one is refused: its evidence was about the strategy before.
        """
        client = self.machine.aws.client("stepfunctions")
        arn = client.start_execution(
            stateMachineArn=self.machine.deployment.name("promotion-machine"), input=json.dumps({"task": TASK})
        )["executionArn"]
        assert until(lambda: client.describe_execution(executionArn=arn)["status"] != "RUNNING", seconds=60)
        ended = client.describe_execution(executionArn=arn)
        assert ended["status"] == "SUCCEEDED" or ended["error"] == StrategyRefusedError.__name__, ended
        return str(ended.get("output"))

    def ledger(self) -> list[LedgerEntry]:
        return list(self.registry.strategies.history(TASK))

    def end(self) -> None:
        strategies = self.registry.strategies
        current = strategies.get(TASK)
        if current is not None:
            strategies.change(any_change(_single(self.usual), actor="test"), replaces=current.version)
            self.machine.withdraw_strategy(TASK)
        for model in self.added:
            self.machine.retire(model)


def _single(model: ModelInfo) -> Strategy:
    return Strategy(
        task=TASK, kind="single", experiment="usual", champion="usual", arms=(_arm("usual", model, BUCKETS),)
    )


def _arm(name: str, model: ModelInfo, share: int) -> Arm:
    return Arm(name=name, model_id=model.model_id, revision=model.revision, share=share)


def _truth(one: GeneratedComplaint) -> Truth:
    return Truth(product=one.product, issue=one.issue, vulnerable=one.vulnerable)


def test_a_better_challenger_becomes_champion_by_itself_and_a_worse_one_never(
    trial: Trial, machine: Machine, bundles: dict[str, Path], tmp_path: Path
):
    dull = trial.model(constant_model(tmp_path / "dull", LABELS), "dull")
    better = trial.model(asking_people(tmp_path / "better", bundles[TASK]), "better")
    trial.strategy(dull, better)
    before = len(trial.ledger())
    seen = trial.submit(60, label=True)
    assert until(lambda: trial.shadowed(seen, better.version), seconds=300)
    said = trial.evaluate()
    for _ in range(6):
        if trial.ledger()[-1].kind == "promote":
            break
        trial.submit(20)
        said = trial.evaluate()
    steps = trial.ledger()[before:]
    assert [entry.kind for entry in steps] == ["widen", "promote"], said
    assert {entry.actor for entry in steps} == {ENGINE}
    assert [entry.champion for entry in steps] == [dull.version, better.version]
    assert _answering(trial) == better.version
    assert _documents_are_what_the_ledger_says(machine, steps)

    # The same two the other way round: what was found worse is taken out, and nothing else is changed.
    trial.strategy(better, dull)
    seen = trial.submit(60, label=True)
    assert until(lambda: trial.shadowed(seen, dull.version), seconds=300)
    said = trial.evaluate()
    last = trial.ledger()[-1]
    assert (last.kind, last.champion) == ("stop", better.version), said
    assert last.strategy is not None and last.strategy.kind == "single"


def _documents_are_what_the_ledger_says(machine: Machine, steps: list[LedgerEntry]) -> bool:
    s3, bucket = machine.aws.client("s3"), machine.deployment.name("evidence-bucket")
    references = [entry.evidence for entry in steps]
    return all(
        reference is not None
        and hashlib.sha256(s3.get_object(Bucket=bucket, Key=reference.key)["Body"].read()).hexdigest()
        == reference.sha256
        for reference in references
    )


def test_a_challenger_that_starts_failing_is_rolled_back_within_one_evaluation_and_costs_no_complaint(
    trial: Trial, machine: Machine, tmp_path: Path
):
    fragile = trial.model(failing_on_long_texts(tmp_path / "fragile", LABELS), "fragile")
    trial.strategy(trial.usual, fragile, share=QUARTER)
    heard = Listener(machine)
    long = " and they never answered" * 60
    trial.submit(40, longer=long)
    allocations = trial.submit(40, longer=long)
    trial.evaluate()
    last = trial.ledger()[-1]
    assert (last.kind, last.champion, last.actor) == ("roll_back", trial.usual.version, ENGINE)
    assert "failed" in last.reason
    by_product = [d for a in allocations for d in a.decisions if d.task == TASK]
    assert [d.model.version for d in by_product] == [trial.usual.version] * len(allocations)
    assert until(lambda: "roll_back" in heard.kinds(), seconds=20)
    history = machine.triage("strategy", "history", TASK).stdout
    assert "roll_back" in history


class Listener:
    """Receives the events about changed strategies from the bus."""

    def __init__(self, machine: Machine) -> None:
        events, self._sqs = machine.aws.client("events"), machine.aws.client("sqs")
        self._queue = self._sqs.create_queue(QueueName="promotion-listener")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        bus = machine.deployment.name("bus")
        pattern = json.dumps({"detail-type": ["StrategyChanged"]})
        events.put_rule(Name="listen-to-promotions", EventBusName=bus, EventPattern=pattern)
        events.put_targets(Rule="listen-to-promotions", EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
        self._kinds: list[str] = []

    def kinds(self) -> list[str]:
        messages = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", [])
        self._kinds += [json.loads(message["Body"])["detail"]["kind"] for message in messages]
        return self._kinds


def test_people_promote_freeze_and_roll_back_and_the_ledger_remembers(trial: Trial, machine: Machine, tmp_path: Path):
    dull = trial.model(constant_model(tmp_path / "dull", LABELS), "dull-again")
    trial.strategy(trial.usual, dull)
    frozen = machine.triage_json("strategy", "freeze", TASK, "--reason", "year end")
    assert frozen["kind"] == "freeze"
    machine.triage("strategy", "unfreeze", TASK, "--reason", "over")
    promoted = machine.triage_json("strategy", "promote", TASK, "challenger", "--reason", "a try")
    assert (promoted["kind"], promoted["champion"]) == ("promote", dull.version)
    assert _answering(trial) == dull.version
    back = machine.triage_json("strategy", "rollback", TASK, "--reason", "it is dull")
    assert (back["kind"], back["champion"], back["previous"]) == ("roll_back", trial.usual.version, dull.version)
    assert _answering(trial) == trial.usual.version
    then = datetime.fromisoformat(promoted["valid_from"])
    asked = machine.triage_json("strategy", "history", TASK, "--at", f"{then:%Y-%m-%dT%H:%M:%S.%f}")
    assert asked["champion"] == dull.version


def _answering(trial: Trial) -> str:
    (decision,) = (d for d in trial.submit(1)[0].decisions if d.task == TASK)
    return decision.model.version


def test_twenty_writers_at_once_lose_no_update(trial: Trial, machine: Machine, tmp_path: Path):
    dull = trial.model(constant_model(tmp_path / "dull", LABELS), "dull-twenty")
    trial.strategy(trial.usual, dull)
    before = trial.ledger()
    (alone, shadow) = (_single(trial.usual), before[-1].strategy)
    assert shadow is not None

    def write(number: int) -> int:
        """Write until it succeeds, and return how many times the write was refused."""
        mine = Strategies(*(machine.deployment.table(spec) for spec in SPECS))
        change = any_change(shadow if number % 2 else alone, actor=f"writer {number}")
        refused = 0
        while True:
            seen = mine.get(TASK)
            try:
                mine.change(change, replaces=seen.version if seen else 0)
                return refused
            except StrategyRefusedError:
                refused += 1

    with ThreadPoolExecutor(WRITERS) as writers:
        refusals = sum(writers.map(write, range(WRITERS)))
    added = trial.ledger()[len(before) :]
    assert sorted(entry.actor for entry in added) == sorted(f"writer {n}" for n in range(WRITERS))
    first = before[-1].strategy_version + 1
    assert [entry.strategy_version for entry in added] == list(range(first, first + WRITERS))
    current = trial.registry.strategies.get(TASK)
    assert current is not None and added[-1].strategy == current.strategy
    assert refusals, "nobody met anybody"
