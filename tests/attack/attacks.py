"""What an attack is, how attacks are run, and the table of what held."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from cli.output import print_table
from cli.progress import Bar
from tests.system.machine import Machine, until
from training.generator import generate

SEALED_SECONDS = 90.0


@dataclass(frozen=True)
class Outcome:
    """held: whether the defence held. evidence: one sentence, with what was tried and what was seen."""

    held: bool
    evidence: str


def judged(succeeded: Iterable[str], held: str) -> Outcome:
    """Return the outcome of an attack. succeeded: what it achieved; held: the evidence where it achieved nothing."""
    found = list(succeeded)
    return Outcome(not found, "; ".join(found) if found else held)


class Target:
    """The deployment that is attacked. folder: for what the attacks write."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.folder = folder
        self._letters: Iterator[str] = (letter.narrative for letter in generate(100_000, seed=13))
        self._numbers = count(1)

    def item(self, **changed: Any) -> dict[str, Any]:
        """Return a complaint that no other attack uses."""
        return {"complaint_id": f"attack-{next(self._numbers):05}", "narrative": next(self._letters), **changed}

    def place(self) -> Path:
        """Return a path that no other attack uses."""
        return self.folder / f"{next(self._numbers):05}"

    def allocated(self, *items: dict[str, Any]) -> list[str]:
        """Put complaints and return their ids once all are allocated."""
        return [one.complaint_id for one in self.machine.allocate(*items)]

    def findings(self, *ids: str) -> list[dict[str, Any]]:
        """Return what `triage verify` finds, when it has waited for seals as long as it does by default."""
        return list(json.loads(self.machine.triage("verify", *ids, "--json", check=False).stdout)["findings"])

    def verifies(self, *ids: str) -> bool:
        """Whether the complaints verify, when seals have been waited for."""
        return until(lambda: not self.findings(*ids), seconds=SEALED_SECONDS)


@dataclass(frozen=True)
class Attack:
    """name: what the attacker wants. run: tries it, and returns what was seen."""

    name: str
    run: Callable[[Target], Outcome]


def carry_out(attacks: Sequence[Attack], target: Target, bar: Bar) -> dict[str, Outcome]:
    """Run each attack and return the outcomes by name. One that could not be carried out has proved nothing."""
    outcomes = {}
    running = bar.add_task("Attacking", total=len(attacks))
    for attack in attacks:
        one = bar.add_task(attack.name, total=1)
        try:
            outcomes[attack.name] = attack.run(target)
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            outcomes[attack.name] = Outcome(False, f"could not be carried out: {type(error).__name__}: {reason}")
        bar.advance(one)
        bar.advance(running)
    return outcomes


def report(outcomes: dict[str, Outcome]) -> int:
    """Print the table, and return the exit code: 1 if a defence is broken, or if nothing was attacked."""
    rows = [(name, "held" if one.held else "BROKEN", one.evidence) for name, one in outcomes.items()]
    print_table(f"{len(rows)} attacks on the embedded AWS", ("attack", "", "evidence"), rows)
    return 0 if rows and all(one.held for one in outcomes.values()) else 1
