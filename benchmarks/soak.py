"""Triage many complaints while everything that can fail does, and count what became of them.

python -m benchmarks.soak [--complaints 15000] [--kills 3] [--state build/soak] [--seed 1]

An embedded AWS of its own takes letters of the generator: of a hundred, two are poison, five are put twice and one id
is put again with other words. Meanwhile functions are throttled and killed, the Hub hangs, the model server is killed,
and the whole embedded AWS is killed and started again. At the end every complaint that is stored has exactly one
current allocation or is parked, and every chain verifies. What was acknowledged and is not stored was lost by a kill.
"""

import argparse
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from botocore.exceptions import BotoCoreError, ClientError

from cli.aws.deployment import Deployment, find
from cli.aws.records import findings, recorded
from cli.aws.submission import allocations
from cli.commands.demo import RECIPE
from cli.commands.demo_models import register_models, trained_models
from cli.output import print_table
from cli.progress import progress_bar
from local import processes
from local import up as embedded
from local.state import ROOT, Instance
from training.generator import generate
from training.recipe import load_recipe
from triage.story import ALLOCATION

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

WRITERS = 4
PATIENCE_SECONDS = 1_800.0
"""How long the complaints may take to end after the last was put, without any of them ending meanwhile."""

BETWEEN_SECONDS = (5.0, 20.0)
"""The pause between two disturbances."""

POISON: tuple[dict[str, Any], ...] = (
    {"narrative": ""},
    {"narrative": 7},
    {"narrative": b"\x00\xff"},
    {"narrative": ["a", {"b": None}]},
    {"narrative": "x" * 390_000},
    {"narrative": "\u200b", "tags": "NA"},
    {"tags": {"Older": "American"}, "account_vulnerable": "perhaps"},
    {"received_at": "yesterday", "customer_id": 12},
)


DISTURBED = (BotoCoreError, ClientError)
"""What a call raises while the embedded AWS is not there."""


@dataclass
class Put:
    """What the writers did. acknowledged: the ids of new complaints that the embedded AWS said it has."""

    acknowledged: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--complaints", type=int, default=15_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "soak")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    embedded.down(asked.state, wipe=True)
    instance = embedded.up(asked.state)
    try:
        models = trained_models(load_recipe(RECIPE), ROOT / "build" / "soak-models")
        register_models(models, instance, find("local", state=asked.state).registry)
        # A stop saves the models, which the first kill would otherwise lose.
        embedded.down(asked.state)
        embedded.up(asked.state, deploy=False)
        counts = soak(asked.state, complaints=asked.complaints, kills=asked.kills, seed=asked.seed)
    finally:
        embedded.down(asked.state, wipe=True)
    rows = [(name, f"{count:,}") for name, count in counts.items()]
    minutes = f"{(time.monotonic() - began) / 60:.0f}"
    print_table(f"Soak of {asked.complaints:,} complaints", ("what", "count"), [*rows, ("minutes in all", minutes)])
    sys.exit(1 if any(counts[name] for name in BROKEN) else 0)


NEITHER = "stored, neither allocated nor parked"
SEVERAL = "with more or fewer current allocations than one"
UNSOUND = "whose chains do not verify"
BROKEN = (NEITHER, SEVERAL, UNSOUND)
"""What must be nought."""


def soak(state: Path, *, complaints: int, kills: int, seed: int) -> dict[str, int]:
    """Put the complaints while everything is disturbed, wait until they have ended, and return what was counted."""
    deployment = find("local", state=state)
    put, done, disturbances = Put(), threading.Event(), Counter[str]()
    # Kills are spread over the puts, because what is not saved yet is lost by a kill. So no put may wait for its turn.
    turns = threading.Semaphore(WRITERS)
    due = [round(complaints * (kill + 1) / (kills + 1)) for kill in range(kills)]
    disturbing = threading.Thread(target=disturb, args=(state, random.Random(seed), disturbances, done))
    disturbing.start()
    try:
        with progress_bar() as bar, ThreadPoolExecutor(WRITERS) as writers:
            putting = bar.add_task("Putting complaints", total=complaints)
            for number, items in enumerate(puts(complaints, seed)):
                if due and number == due[0]:
                    due.pop(0)
                    kill_everything(state)
                    disturbances["the whole embedded AWS killed"] += 1
                turns.acquire()
                writing = writers.submit(write, deployment, items, put)
                writing.add_done_callback(lambda _: turns.release())
                writing.add_done_callback(lambda _: bar.advance(putting))
        ended = wait_until_ended(deployment, (complaint_id_of(number) for number in range(complaints)), done)
    finally:
        done.set()
        disturbing.join()
    return {
        **put.counts,
        **disturbances,
        "acknowledged": len(put.acknowledged),
        "acknowledged, and lost by a kill": len(put.acknowledged - ended.stored),
        "stored": len(ended.stored),
        "allocated": len(ended.allocated),
        "parked": len(ended.parked),
        NEITHER: len(ended.stored - ended.allocated - ended.parked),
        SEVERAL: sum(current_allocations(deployment, one) != 1 for one in ended.allocated),
        UNSOUND: sum(bool(findings(deployment, one)) for one in recorded(deployment)),
    }


def puts(complaints: int, seed: int) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Yield the puts of each complaint, each with what it is."""
    chance = random.Random(seed)
    for number, letter in enumerate(generate(complaints, seed=seed)):
        said = {"narrative": letter.narrative, "received_at": letter.received_at}
        item = {"complaint_id": complaint_id_of(number), **said}
        kind = chance.random()
        if kind < 0.02:
            yield [("poison", item | chance.choice(POISON))]
        elif kind < 0.07:
            yield [("ordinary", item), ("put twice", item)]
        elif kind < 0.08:
            yield [("ordinary", item), ("put again with other words", item | {"narrative": f"No. {letter.narrative}"})]
        else:
            yield [("ordinary", item)]


def complaint_id_of(number: int) -> str:
    return f"soak-{number:06}"


def write(deployment: Deployment, items: list[tuple[str, dict[str, Any]]], put: Put) -> None:
    """Put each item unless its id is there, and again until the embedded AWS answers, as an outbox would."""
    for kind, item in items:
        put.counts[kind] += 1
        while True:
            try:
                new = deployment.complaints.put_if_absent(item)
                break
            except DISTURBED:
                time.sleep(1)
        if new:
            put.acknowledged.add(item["complaint_id"])


def disturb(state: Path, chance: random.Random, counts: Counter[str], done: threading.Event) -> None:
    """Do one bad thing after another until told that it is enough."""
    while not done.wait(chance.uniform(*BETWEEN_SECONDS)):
        name, act = chance.choice(DISTURBANCES)
        try:
            act(state, chance)
            counts[name] += 1
        except (*DISTURBED, psutil.Error, LookupError):
            # The embedded AWS is being killed or started at this moment.
            counts["disturbances that met a kill"] += 1


def kill_a_function(state: Path, chance: random.Random) -> None:
    """Kill a process that runs a function's code, while it may be doing so."""
    instance = running(state)
    functions = processes.descendants(instance.children["aws"].pid)
    psutil.Process(chance.choice(functions).pid).kill()


def kill_the_model_server(state: Path, chance: random.Random) -> None:
    psutil.Process(running(state).children["models"].pid).kill()


def hang_the_hub(state: Path, chance: random.Random) -> None:
    """Let the Hub accept requests and answer none for a while."""
    hub = psutil.Process(running(state).children["hub"].pid)
    hub.suspend()
    time.sleep(chance.uniform(*BETWEEN_SECONDS))
    hub.resume()


def throttle_a_function(state: Path, chance: random.Random) -> None:
    """Let AWS refuse every invocation of one function for a while, as where an account's concurrency is used up."""
    client = find("local", state=state).session.client("lambda")
    names = [one["FunctionName"] for one in client.list_functions()["Functions"]]
    name = chance.choice(names)
    before = client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        time.sleep(chance.uniform(*BETWEEN_SECONDS))
    finally:
        # After a kill the embedded AWS may remember it throttled, so this must not be given up.
        until_it_answers(lambda: restore_concurrency(client, name, before))


DISTURBANCES = (
    ("functions killed", kill_a_function),
    ("model servers killed", kill_the_model_server),
    ("the Hub hung", hang_the_hub),
    ("functions throttled", throttle_a_function),
)


def restore_concurrency(client: "LambdaClient", name: str, before: int | None) -> None:
    if before is None:
        client.delete_function_concurrency(FunctionName=name)
    else:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=before)


def until_it_answers(call: Callable[[], object]) -> None:
    while True:
        try:
            call()
            return
        except DISTURBED:
            time.sleep(1)


def running(state: Path) -> Instance:
    """Raises: LookupError where the embedded AWS was killed."""
    instance = Instance.read(state)
    if instance is None or not processes.is_running(instance.supervisor):
        raise LookupError("the embedded AWS does not run")
    return instance


def kill_everything(state: Path) -> None:
    """Kill the whole embedded AWS at once, as a power cut does, and start it again."""
    instance = running(state)
    for one in [*processes.descendants(instance.supervisor.pid), instance.supervisor]:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(one.pid).kill()
    embedded.up(state, deploy=False)


@dataclass
class Ended:
    """The ids of the complaints that are stored, and of those that have ended."""

    stored: set[str]
    allocated: set[str] = field(default_factory=set)
    parked: set[str] = field(default_factory=set)

    @property
    def pending(self) -> set[str]:
        return self.stored - self.allocated - self.parked

    def look(self, deployment: Deployment) -> None:
        self.allocated |= allocations(deployment, self.pending).keys()
        self.parked = {row["complaint_id"] for row in deployment.outbox().parked()}


def wait_until_ended(deployment: Deployment, ids: Iterable[str], done: threading.Event) -> Ended:
    """Wait until all of these complaints that are stored have ended, or none has for a long time.

    done: set once half of them have, so that the rest is triaged undisturbed.
    """
    ended = Ended({row["complaint_id"] for row in deployment.complaints.get_many((one,) for one in ids)})
    deadline = time.monotonic() + PATIENCE_SECONDS
    with progress_bar() as bar:
        waiting = bar.add_task("Waiting for allocations", total=len(ended.stored))
        while ended.pending and time.monotonic() < deadline:
            before = len(ended.pending)
            with suppress(*DISTURBED):
                ended.look(deployment)
            if len(ended.pending) <= len(ended.stored) / 2:
                done.set()
            bar.update(waiting, completed=len(ended.stored) - len(ended.pending))
            if len(ended.pending) < before:
                deadline = time.monotonic() + PATIENCE_SECONDS
            time.sleep(5)
    return ended


def current_allocations(deployment: Deployment, complaint_id: str) -> int:
    return sum(row["entry"] == ALLOCATION for row in deployment.story.query(complaint_id))


if __name__ == "__main__":
    main()
