"""From what was observed in an experiment to the evidence about one challenger."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from triage.complaint import timestamp
from triage.promotion.comparison import compare, metrics
from triage.promotion.evidence import Answer, Delivered, Evidence, Labelled, Operations
from triage.promotion.gates import Gates
from triage.statistics import Calibration, calibration, mismatch_p_value
from triage.story import PredictionEntry
from triage.strategies.registry import ModelStrategy
from triage.strategies.strategy import BUCKETS, Arm, owner_of
from triage.taxonomy import load_taxonomy

GROUPS = len(load_taxonomy().products) + 4
"""Each product, none, and whether the customer is vulnerable, is not, or nobody knows. Of so many one may look bad by
chance, so each has its part of alpha (Bonferroni); all are counted from the start, whichever have labels by then."""

EXPECTED = 20
"""Buckets that an arm should have answered before it is called empty."""


@dataclass(frozen=True)
class Ran:
    """A version's last answers since the stage began, the latest first, and how often it failed since then.

    older: there are more, which were not read.
    """

    predictions: tuple[PredictionEntry, ...] = ()
    failures: int = 0
    older: bool = False


def weigh(
    row: ModelStrategy,
    challenger: Arm,
    labelled: Sequence[Labelled],
    ran: Mapping[str, Ran],
    *,
    positive_label: str | None,
    now: datetime,
) -> Evidence:
    """The evidence as of now.

    labelled: since the experiment began. ran: by version, of every arm. positive_label: see `metrics`.
    """
    strategy, gates = row.strategy, row.strategy.gates
    champion = strategy.champion_arm
    counted, assisted, unrepresentative = _sorted_out(labelled, gates)
    primary, *others = metrics(positive_label, gates.human_accuracy)
    since = row.experiment_since or row.changed_at
    return Evidence(
        task=row.task,
        experiment=strategy.experiment,
        strategy_version=row.version,
        stage="shadow" if challenger in strategy.shadows else challenger.share,
        champion=champion.version,
        challenger=challenger.version,
        since=since,
        until=timestamp(now),
        hours=round((now - datetime.fromisoformat(since)).total_seconds() / 3600, 4),
        labels=len(counted),
        primary=compare(counted, primary, min_inclusion=gates.min_inclusion, alpha=gates.alpha),
        others=tuple(compare(counted, m, min_inclusion=gates.min_inclusion, alpha=gates.alpha) for m in others),
        groups=tuple(
            compare(counted, primary, min_inclusion=gates.min_inclusion, alpha=gates.alpha / GROUPS, group=group)
            for group in _groups(counted)
        ),
        assisted=compare(assisted, primary, min_inclusion=1.0, alpha=gates.alpha) if assisted else None,
        unrepresentative=unrepresentative,
        champion_calibration=_calibration([(one, one.champion) for one in counted], gates),
        challenger_calibration=_calibration([(one, one.challenger) for one in counted], gates),
        champion_operations=operations(ran.get(champion.version, Ran())),
        challenger_operations=operations(ran.get(challenger.version, Ran())),
        # From its end on, the champion answers for every arm of an ab test.
        delivered=delivered(row, ran) if strategy.challengers and not strategy.has_ended(now) else None,
    )


def operations(ran: Ran) -> Operations:
    times = sorted(prediction.milliseconds for prediction in ran.predictions)
    labels = Counter(prediction.label for prediction in ran.predictions)
    return Operations(
        predictions=len(times),
        failures=ran.failures,
        p95_ms=times[ceil(0.95 * len(times)) - 1] if times else None,
        commonest_share=max(labels.values()) / len(times) if times else None,
    )


def delivered(row: ModelStrategy, ran: Mapping[str, Ran]) -> Delivered:
    """Of the arms that answer, over the time for which the predictions of all of them are there.

    What was selected before the present shares were in force, and answered after, is no stray.
    """
    strategy, dealt = row.strategy, row.stage_version or 0
    intended = {arm.name: arm.share for arm in strategy.arms}
    found = {arm.name: ran.get(arm.version, Ran()) for arm in strategy.arms}
    since = max(
        (one.predictions[-1].predicted_at for one in found.values() if one.older and one.predictions), default=""
    )
    buckets = {
        name: [
            p.model.bucket
            for p in one.predictions
            if p.model.bucket is not None and p.predicted_at >= since and (p.model.strategy_version or 0) >= dealt
        ]
        for name, one in found.items()
    }
    counted = {name: len(set(answered)) for name, answered in buckets.items()}
    strays = sum(owner_of(strategy, b).name != name for name, answered in buckets.items() for b in answered)
    stood_in = sum(found[arm.name].failures for arm in strategy.challengers)
    total = sum(counted.values())
    return Delivered(
        intended=intended,
        counted=counted,
        p_value=mismatch_p_value(counted, {name: share / BUCKETS for name, share in intended.items()}),
        strays=max(0, strays - stood_in),
        empty=tuple(
            name for name, share in intended.items() if not counted[name] and share / BUCKETS * total >= EXPECTED
        ),
    )


def _sorted_out(labelled: Sequence[Labelled], gates: Gates) -> tuple[list[Labelled], list[Labelled], int]:
    """Labels that count, those of people who saw an answer, and how many stand for nobody."""
    drawn = [one for one in labelled if stands_for_others(gates, one.inclusion)]
    # They represent nobody however they were drawn, so each counts as one.
    assisted = [one.model_copy(update={"inclusion": None}) for one in labelled if not one.blind]
    return counting(labelled, gates), assisted, len(labelled) - len(drawn)


def counting(labelled: Sequence[Labelled], gates: Gates) -> list[Labelled]:
    """Labels that count: drawn often enough, and seen blind where the gates do not ask for all."""
    return [one for one in labelled if counts(gates, blind=one.blind, inclusion=one.inclusion)]


def counts(gates: Gates, *, blind: bool, inclusion: float | None) -> bool:
    return stands_for_others(gates, inclusion) and (blind or gates.labels == "all")


def stands_for_others(gates: Gates, inclusion: float | None) -> bool:
    return inclusion is not None and inclusion >= gates.min_inclusion


def _groups(labelled: Sequence[Labelled]) -> list[str]:
    return sorted({group for one in labelled for group in one.groups})


def _calibration(answers: list[tuple[Labelled, Answer | None]], gates: Gates) -> Calibration:
    return calibration(
        (answer.confidence, answer.label == one.truth, gates.min_inclusion / (one.inclusion or gates.min_inclusion))
        for one, answer in answers
        if answer is not None
    )
