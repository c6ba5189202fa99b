"""Compare the speed of the ONNX engine as it is served with the defaults of ONNX Runtime, on the same graph.

python -m benchmarks.inference [--rounds N]
"""

import argparse
import time
from itertools import islice
from statistics import median

from benchmarks.explanation import BUNDLES
from cli.output import print_table
from training.generator import generate
from triage.bundle import describe
from triage.inference.engine import Engine

LETTERS = 40


def main() -> None:
    from triage.inference import onnx_engine

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="product")
    parser.add_argument("--rounds", type=int, default=7, help="how many times each engine is timed, in turn")
    arguments = parser.parse_args()
    folder = next(base / arguments.task for base in BUNDLES if (base / arguments.task).is_dir())
    manifest = describe(folder)
    letters = [letter.narrative for letter in islice(generate(LETTERS, seed=8), LETTERS)]
    engines = {
        "every optimization (baseline)": onnx_engine.load(folder, manifest, left_out=()),
        "as served": onnx_engine.load(folder, manifest),
    }
    took: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(arguments.rounds):
        for name, engine in engines.items():
            took[name].append(milliseconds(engine, letters))
    baseline = median(took["every optimization (baseline)"])
    print_table(
        f"One of {LETTERS} generated complaints on one thread, {arguments.rounds} rounds",
        ("what", "median ms", "ratio"),
        [(name, f"{median(each):.1f}", f"{median(each) / baseline:.2f}") for name, each in took.items()],
    )


def milliseconds(engine: Engine, letters: list[str]) -> float:
    """Return the mean time for one letter."""
    began = time.perf_counter()
    for letter in letters:
        engine.score(letter)
    return 1000 * (time.perf_counter() - began) / len(letters)


if __name__ == "__main__":
    main()
