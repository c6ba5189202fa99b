"""Measure what grouping costs where every letter is on one template, in a process that does nothing else.

python -m benchmarks.near_duplicates

The letters differ in dates and amounts alone, as campaigns of letters do.
"""

import json
import subprocess
import sys
from dataclasses import dataclass

from cli.output import print_table

COUNTS = (1_000, 2_000, 4_000)


@dataclass(frozen=True)
class Measured:
    """megabytes: by which grouping raised the peak of resident memory. compared: pairs of letters."""

    letters: int
    groups: int
    compared: int
    megabytes: float
    seconds: float


def campaign(count: int) -> list[str]:
    """Return different letters on one template."""
    return [
        f"On 0{number % 9 + 1}/12/{2000 + number % 25} I wrote to Acme Bank about a balance of ${number}.00 that is "
        "not mine. I never opened the account, I have asked them twice for a signed contract, and they have sent me "
        "nothing but the same printed statement. Please have it removed within thirty days as the law demands, and "
        "tell me in writing when that is done."
        for number in range(count)
    ]


def main() -> None:
    found = [measured(count) for count in COUNTS]
    print_table(
        "Grouping letters on one template",
        ("letters", "groups", "pairs compared", "memory MB", "seconds"),
        [(f"{m.letters:,}", m.groups, f"{m.compared:,}", f"{m.megabytes:.0f}", f"{m.seconds:.2f}") for m in found],
    )


def measured(count: int) -> Measured:
    """Group `count` letters in a new process."""
    command = [sys.executable, "-c", MEASURE, str(count)]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    return Measured(letters=count, **json.loads(report))


MEASURE = """
import json, re, sys, time
from pathlib import Path
from benchmarks.near_duplicates import campaign
from training.data.groups import near_duplicate_groups

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024 / 1e6

near_duplicate_groups(campaign(10))
letters, compared = campaign(int(sys.argv[1])), []
before, started = peak(), time.perf_counter()
groups = near_duplicate_groups(letters, on_compared=compared.append)
print(json.dumps({
    "groups": int(groups.max()) + 1,
    "compared": sum(compared),
    "megabytes": peak() - before,
    "seconds": time.perf_counter() - started,
}))
"""

if __name__ == "__main__":
    main()
