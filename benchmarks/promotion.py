"""`make simulate`: how often the promotion engine is wrong although it looks again and again, and how soon it is right.

Every run draws complaints that champion and challenger both answered, and looks after every 50 labels from the 200th
on. For speed, a run draws the counts of each kind of pair and builds the counters for `bounds` from them, without lists
of `Labelled`; the differences of a kind come from the real metrics. `judge` then gets complete evidence. It is skipped
where it can neither promote nor roll back, because no bet on either has won (`may_decide`).
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cli.output import out, print_table, progress_bar
from triage.promotion.comparison import Metric, metrics
from triage.promotion.engine import judge
from triage.promotion.evidence import Answer, Comparison, Evidence, Labelled, Operations
from triage.promotion.gates import Gates, Guardrails
from triage.promotion.sequential import Differences, Weighted, bounds, log_capital, mean
from triage.promotion.weighing import GROUPS
from triage.statistics import Calibration, calibration, mcnemar, wilson

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "pictures" / "promotion.svg"
RUNS = 2_000
SEED = 20_260_302
EVERY, LAST = 50, 5_000
"""Labels between two looks, and labels at the last look."""

RIGHT, DISCORDANT = 0.80, 0.12
"""The champion's accuracy, and the share of pairs of which one side alone is right; see `docs/promotion.md`."""

VULNERABLE = 0.15
SURE = {True: 0.7125, False: 0.15}
"""How often a right and a wrong answer is given with high confidence: 60 % of the champion's, of which 95 % right."""

ALIKE = 0.8
"""How often both sides are sure of the same complaints, as models trained on the same data are."""

CONFIDENCE = {True: 0.95, False: 0.575}
POWER_AT = (820, 1_500, 3_000, 5_000)
RAN = Operations(predictions=2_000, failures=4, p95_ms=40.0, commonest_share=0.3)

Counts = NDArray[np.int64]


class AnswerKind(NamedTuple):
    right: bool
    sure: bool


class Kind(NamedTuple):
    vulnerable: bool
    champion: AnswerKind
    challenger: AnswerKind


ANSWER_KINDS = tuple(AnswerKind(right, sure) for right, sure in product((True, False), repeat=2))
KINDS = tuple(Kind(*kind) for kind in product((True, False), ANSWER_KINDS, ANSWER_KINDS))
VULNERABILITY = {"vulnerable:no": False, "vulnerable:yes": True}


@dataclass(frozen=True)
class Scenario:
    """difference: the challenger's accuracy minus the champion's."""

    name: str
    difference: float
    gates: Gates


BETTER = Gates()
AS_GOOD = Gates(claim="non_inferiority", brings="half the price")
SCENARIOS = (
    Scenario("superiority: equal models", 0.0, BETTER),
    Scenario("superiority: 3 points worse", -0.03, BETTER),
    Scenario("superiority: 3 points better", 0.03, BETTER),
    Scenario("non-inferiority: worse by the margin", -AS_GOOD.margin, AS_GOOD),
    Scenario("non-inferiority: equal models", 0.0, AS_GOOD),
)


class Outcome(NamedTuple):
    """The number of labels at the first look with each result; None if no look had it.

    alone: the primary gate was passed, whatever the others say. naive: the challenger led, with p < 5 % by McNemar.
    """

    promoted: int | None
    rolled_back: int | None
    alone: int | None
    naive: int | None


def main() -> None:
    outcomes = simulate(SCENARIOS, RUNS)
    report(outcomes)
    draw(outcomes, PICTURE)
    out.print(f"drawn in {PICTURE.relative_to(ROOT)}")


def simulate(scenarios: Sequence[Scenario], runs: int, processes: int = 2) -> dict[str, list[Outcome]]:
    """Return the outcomes of each scenario. They do not depend on `processes`, because each run has its own seed."""
    jobs = [(scenario, number) for scenario in scenarios for number in range(runs)]
    outcomes: dict[str, list[Outcome]] = {scenario.name: [] for scenario in scenarios}
    with progress_bar() as bar, get_context("spawn").Pool(processes) as pool:
        tasks = {scenario.name: bar.add_task(scenario.name, total=runs) for scenario in scenarios}
        for (scenario, _), outcome in zip(jobs, pool.imap(_job, jobs, chunksize=20), strict=True):
            outcomes[scenario.name].append(outcome)
            bar.advance(tasks[scenario.name])
    return outcomes


def _job(job: tuple[Scenario, int]) -> Outcome:
    return run(*job)


def run(scenario: Scenario, number: int, last: int = LAST, *, thorough: bool = False) -> Outcome:
    """Return the outcome of one run. thorough: judge every look, also those that cannot promote or roll back."""
    promoted = rolled_back = alone = naive = None
    for labels, counts in looks(scenario, number, last):
        primary = differences(PRIMARY, counts)
        if alone is None and log_capital(primary, scenario.gates.needed) >= -math.log(scenario.gates.alpha):
            alone = labels
        if naive is None and _naive(primary):
            naive = labels
        if promoted is None and rolled_back is None and (thorough or may_decide(scenario, counts)):
            verdict = judge(evidence(counts, scenario.gates), scenario.gates, Guardrails()).verdict
            promoted = labels if verdict == "promote" else None
            rolled_back = labels if verdict == "roll_back" else None
    return Outcome(promoted, rolled_back, alone, naive)


def looks(scenario: Scenario, number: int, last: int) -> Iterable[tuple[int, Counts]]:
    """Yield the number of labels at each look, and how many of them are of each kind."""
    random = np.random.default_rng([SEED, int(1_000 * (1 + scenario.difference)), number])
    labels = range(scenario.gates.min_labels, last + 1, EVERY)
    first = random.multinomial(labels[0], shares(scenario.difference))
    drawn = random.multinomial(EVERY, shares(scenario.difference), size=len(labels) - 1)
    return zip(labels, np.cumsum([first, *drawn], axis=0), strict=True)


@cache
def shares(difference: float) -> tuple[float, ...]:
    """Return the probability of each kind of complaint. Both groups get equally good answers."""
    only_challenger, only_champion = (DISCORDANT + difference) / 2, (DISCORDANT - difference) / 2
    rights = {
        (True, True): RIGHT - only_champion,
        (True, False): only_champion,
        (False, True): only_challenger,
        (False, False): 1 - RIGHT - only_challenger,
    }
    return tuple(
        (VULNERABLE if kind.vulnerable else 1 - VULNERABLE)
        * rights[kind.champion.right, kind.challenger.right]
        * _both(kind.champion, kind.challenger)
        for kind in KINDS
    )


def _both(one: AnswerKind, other: AnswerKind) -> float:
    """Return the probability that both are as sure as stated, given which of them is right."""
    apart = _sure(one) * _sure(other)
    a, b = SURE[one.right], SURE[other.right]
    together = {
        (True, True): min(a, b),
        (False, False): 1 - max(a, b),
        (True, False): max(0.0, a - b),
        (False, True): max(0.0, b - a),
    }[one.sure, other.sure]
    return ALIKE * together + (1 - ALIKE) * apart


def _sure(said: AnswerKind) -> float:
    return SURE[said.right] if said.sure else 1 - SURE[said.right]


def _labelled(kind: Kind) -> Labelled:
    def answer(said: AnswerKind) -> Answer:
        label = "right" if said.right else "wrong"
        return Answer(label=label, confidence=CONFIDENCE[said.sure], automatic=said.sure)

    return Labelled(
        complaint_id="any",
        at="2026-03-02T09:30:00.000Z",
        truth="right",
        blind=True,
        inclusion=None,
        stratum="random",
        groups=(),
        champion=answer(kind.champion),
        challenger=answer(kind.challenger),
    )


def _differences_by_kind(metric: Metric) -> tuple[Weighted, ...]:
    """Return the difference of a metric for each kind."""
    pairs = [(one, one.champion, one.challenger) for one in map(_labelled, KINDS)]
    return tuple(
        Weighted(round(metric.value(one, challenger) - metric.value(one, champion), 6), 1.0)
        for one, champion, challenger in pairs
        if champion is not None and challenger is not None
    )


PRIMARY, *OTHERS = metrics(None, BETTER.human_accuracy)
DIFFERENCES = {metric.name: _differences_by_kind(metric) for metric in (PRIMARY, *OTHERS)}


def differences(metric: Metric, counts: Counts, group: str | None = None) -> Differences:
    found: Differences = Counter()
    for kind, difference, count in zip(KINDS, DIFFERENCES[metric.name], counts.tolist(), strict=True):
        if count and (group is None or kind.vulnerable == VULNERABILITY[group]):
            found[difference] += count
    return found


def may_decide(scenario: Scenario, counts: Counts) -> bool:
    """Whether the evidence can promote or roll back: at least one bet on either has won.

    Capital falls as the refuted mean grows, so a bound lies beyond a value only if the bet against that value has won.
    """
    gates = scenario.gates
    primary = differences(PRIMARY, counts)
    won = -math.log(gates.alpha)
    if max(log_capital(primary, scenario.gates.needed, 1), log_capital(primary, scenario.gates.needed, -1)) >= won:
        return True
    others = (differences(other, counts) for other in OTHERS)
    if any(log_capital(other, -gates.margin, -1) >= won for other in others):
        return True
    groups = (differences(PRIMARY, counts, group) for group in VULNERABILITY)
    return any(log_capital(group, -gates.margin, -1) >= won for group in groups)


def evidence(counts: Counts, gates: Gates) -> Evidence:
    """Return evidence as `weigh` makes it from the labels of a shadow, a hundred a day."""
    labels = int(counts.sum())
    return Evidence(
        task="product",
        experiment="simulated",
        strategy_version=1,
        stage="shadow",
        champion="acme/champion@1",
        challenger="acme/challenger@1",
        since="2026-03-01T00:00:00.000Z",
        until="2026-03-02T00:00:00.000Z",
        hours=24 * labels / 100,
        labels=labels,
        primary=_comparison(PRIMARY, counts, gates.alpha),
        others=tuple(_comparison(other, counts, gates.alpha) for other in OTHERS),
        groups=tuple(_comparison(PRIMARY, counts, gates.alpha / len(GROUPS), group) for group in VULNERABILITY),
        assisted=None,
        unrepresentative=0,
        champion_calibration=_calibration((kind.champion for kind in KINDS), counts),
        challenger_calibration=_calibration((kind.challenger for kind in KINDS), counts),
        champion_operations=RAN,
        challenger_operations=RAN,
    )


def _comparison(metric: Metric, counts: Counts, alpha: float, group: str | None = None) -> Comparison:
    found = differences(metric, counts, group)
    lower, upper = bounds(found, alpha)
    return Comparison(
        metric=metric.name,
        group=group,
        n=found.total(),
        paired=found.total(),
        champion=None,
        challenger=None,
        difference=mean(found),
        lower=lower,
        upper=upper,
    )


def _calibration(said: Iterable[AnswerKind], counts: Counts) -> Calibration:
    return calibration(
        (CONFIDENCE[one.sure], one.right, float(count))
        for one, count in zip(said, counts.tolist(), strict=True)
        if count
    )


def _naive(primary: Differences) -> bool:
    better, worse = primary[Weighted(1.0, 1.0)], primary[Weighted(-1.0, 1.0)]
    return better > worse and mcnemar(better, worse).p_value < 0.05


def by(labels: Iterable[int | None], last: int) -> int:
    """Count the runs in which it happened with at most `last` labels."""
    return sum(one is not None and one <= last for one in labels)


def report(outcomes: dict[str, list[Outcome]]) -> None:
    runs = max(map(len, outcomes.values()))
    print_table(
        f"{runs:,} runs each, {DISCORDANT:.0%} discordant, champion {RIGHT:.0%} right, "
        f"a look every {EVERY} labels from {BETTER.min_labels} to {LAST:,}",
        (
            "scenario",
            "promoted",
            *(f"by {labels:,}" for labels in POWER_AT),
            "median labels",
            "rolled back",
            "median labels",
            "primary gate alone",
            "naive McNemar",
        ),
        (_row(name, found) for name, found in outcomes.items()),
    )


def _row(name: str, found: Sequence[Outcome]) -> tuple[str, ...]:
    promoted, rolled_back, alone, naive = zip(*found, strict=True)
    return (
        name,
        _share(promoted),
        *(f"{by(promoted, labels) / len(found):.1%}" for labels in POWER_AT),
        _median(promoted),
        _share(rolled_back),
        _median(rolled_back),
        _share(alone),
        # The null hypothesis of this test is equality, so it does not apply to a margin.
        _share(naive) if name.startswith("superiority") else "-",
    )


def _share(labels: Sequence[int | None]) -> str:
    found = by(labels, LAST)
    low, high = wilson(found / len(labels), len(labels))
    return f"{found / len(labels):.1%} [{low:.1%}, {high:.1%}]"


def _median(labels: Sequence[int | None]) -> str:
    """Return the median number of labels over the runs in which it happened."""
    found = [one for one in labels if one is not None]
    return f"{median(found):,.0f}" if found else "-"


def draw(outcomes: dict[str, list[Outcome]], path: Path) -> None:
    """Draw the shares of promoted runs. The same outcomes give the same bytes."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "promotion"
    matplotlib.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    at = range(BETTER.min_labels, LAST + 1, EVERY)
    for name, found in outcomes.items():
        axes.step(at, [by((one.promoted for one in found), n) / len(found) for n in at], where="post", label=name)
    first, found = next(iter(outcomes.items()))
    naive = [by((one.naive for one in found), n) / len(found) for n in at]
    axes.step(at, naive, where="post", label=f"{first}, naive McNemar", color="grey", linestyle="--")
    axes.axhline(BETTER.alpha, color="black", linewidth=0.8, linestyle=":")
    axes.annotate("5 %", (LAST, BETTER.alpha), ha="right", va="bottom")
    axes.set(xlabel="labels", ylabel="share of runs promoted", xlim=(0, LAST), ylim=(0, 1.01))
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend(fontsize="small", loc="center right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
