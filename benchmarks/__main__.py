"""`make bench`: compare the time from put to allocation with `transformers.pipeline` running the same models."""

import os
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from statistics import median

import cli  # noqa: F401  # settles how huggingface_hub speaks to the Hub, before it is imported
from cli.aws.deployment import Deployment, find
from cli.aws.submission import allocations, percentile_95
from cli.commands.demo import RECIPE
from cli.commands.demo_models import register_models
from cli.output import err, out, print_table, progress_bar
from local import up as embedded
from local.state import ROOT
from training.generator import generate
from training.pipeline import train_models
from training.recipe import CONFIGS, load_recipe
from triage.bundle import describe

COUNT = 200
SINGLE = 30
MODELS = ROOT / "build" / "models"


@dataclass(frozen=True)
class Measured:
    """latencies: seconds from put to allocation, for each complaint. seconds: for all complaints together."""

    name: str
    latencies: list[float]
    seconds: float

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


def main() -> None:
    folders = train_models(load_recipe(CONFIGS / f"{RECIPE}.toml"), output=MODELS)
    letters = [letter.narrative for letter in islice(generate(COUNT, seed=8), COUNT)]
    baseline = in_a_loop(folders.values(), letters[: COUNT // 2])
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "state"
        instance = embedded.up(state, on_progress=lambda line: err.print(line, highlight=False))
        try:
            deployment = find("local", state=state)
            register_models(folders, instance, deployment.registry)
            put_and_wait(deployment, "warm-up", letters[:20], in_flight=4)
            measured = [
                put_and_wait(deployment, "end to end, one at a time", letters[:SINGLE], in_flight=1),
                put_and_wait(deployment, "end to end, 8 in flight", letters, in_flight=8),
                put_and_wait(deployment, "end to end, all at once", letters, in_flight=COUNT),
            ]
        finally:
            embedded.down(state, wipe=True, on_progress=lambda line: None)
    report(baseline, measured)


def in_a_loop(folders: Iterable[Path], letters: list[str]) -> Measured:
    """Measure the baseline: each model is loaded once, and reads one letter after the other."""
    from transformers import pipeline

    models = [
        pipeline(
            "text-classification",
            model=str(folder),
            truncation=True,
            max_length=describe(folder).max_length,
            device="cpu",
        )
        for folder in folders
    ]
    for model in models:
        model(letters[0])
    latencies = []
    started = time.perf_counter()
    for letter in letters:
        begun = time.perf_counter()
        for model in models:
            model(letter)
        latencies.append(time.perf_counter() - begun)
    return Measured("transformers.pipeline in a loop (baseline)", latencies, time.perf_counter() - started)


def put_and_wait(deployment: Deployment, name: str, letters: list[str], *, in_flight: int) -> Measured:
    """Put all letters, so that at most `in_flight` of them wait for their allocation, and measure their latencies."""
    waiting: dict[str, float] = {}
    latencies: list[float] = []
    started = time.time()
    ends = started
    rest = iter(enumerate(letters))
    with progress_bar() as bar:
        task = bar.add_task(name, total=len(letters))
        while len(latencies) < len(letters):
            for number, letter in islice(rest, in_flight - len(waiting)):
                complaint_id = f"{name.replace(' ', '-').replace(',', '')}-{number}"
                waiting[complaint_id] = time.time()
                deployment.complaints.put({"complaint_id": complaint_id, "narrative": letter})
            for complaint_id, allocation in allocations(deployment, list(waiting)).items():
                ended = datetime.fromisoformat(allocation.allocated_at).timestamp()
                latencies.append(ended - waiting.pop(complaint_id))
                ends = max(ends, ended)
            bar.update(task, completed=len(latencies))
            time.sleep(0.02)
    return Measured(name, latencies, ends - started)


def report(baseline: Measured, measured: list[Measured]) -> None:
    print_table(
        "Three models on generated complaints",
        ("what", "complaints", "complaints/s", "ratio to baseline", "p50 ms", "p95 ms"),
        (
            (
                m.name,
                len(m.latencies),
                f"{m.rate:.1f}",
                f"{m.rate / baseline.rate:.2f}",
                f"{1000 * median(m.latencies):.0f}",
                f"{1000 * percentile_95(m.latencies):.0f}",
            )
            for m in (baseline, *measured)
        ),
    )
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    out.print(f"load average {load} on {os.cpu_count()} processors; trust the ratios")


if __name__ == "__main__":
    main()
