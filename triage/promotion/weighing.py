"""Makes the evidence about one challenger from what people stated and models predicted."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from math import ceil
from typing import Any, Final

from triage.complaint import timestamp
from triage.promotion.comparison import Metric, compare, difference, metrics, weight
from triage.promotion.evidence import Answer, Delivered, Evidence, Labelled, Operations, ReviewerShare
from triage.promotion.gates import Gates
from triage.statistics import Calibration, calibration, mismatch_p_value
from triage.story import ALLOCATION, PREDICTION, SHADOW, AllocationEntry, FeedbackEntry, PredictionEntry
from triage.strategies.registry import ModelStrategy
from triage.strategies.strategy import BUCKETS, Arm, owner_of
from triage.taxonomy import load_taxonomy

_VULNERABILITY: Final = {True: "vulnerable:yes", False: "vulnerable:no", None: "vulnerable:unknown"}


def _product_group(product: str | None) -> str:
    return f"product:{product or 'unknown'}"


GROUPS: Final = (
    *(_product_group(product.name) for product in load_taxonomy().products),
    _product_group(None),
    *_VULNERABILITY.values(),
)
"""Every group that a complaint may belong to. One of many may look bad by chance, so alpha is divided by the number of
all groups (Bonferroni), with or without labels."""

EXPECTED = 20
"""Buckets that an arm should have answered before it is called empty."""


@dataclass(frozen=True)
class Ran:
    """A version's last answers since the stage began, the latest first, and how often it failed since then.

    throttled: how often it was not asked, because AWS refused the invocation. These are no failures of the model.
    older: there are more answers, which were not read.
    """

    predictions: tuple[PredictionEntry, ...] = ()
    failures: int = 0
    throttled: int = 0
    older: bool = False


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What the tables hold about an experiment.

    statements: the feedback that counts, by complaint. stories: items of those complaints, by complaint and entry key.
    ran: by version, of every arm. positive_label: the label that the task looks for; see `metrics`.
    """

    statements: Mapping[str, FeedbackEntry]
    stories: Mapping[str, Mapping[str, Mapping[str, Any]]]
    ran: Mapping[str, Ran]
    positive_label: str | None


def statements(task: str, entries: Iterable[FeedbackEntry]) -> dict[str, FeedbackEntry]:
    """Return the feedback on this task that counts for each complaint: the latest blind one, else the latest."""
    chosen: dict[str, FeedbackEntry] = {}
    for entry in sorted(entries, key=lambda entry: (entry.feedback.mode == "blind", entry.applied_at)):
        if task in entry.labels:
            chosen[entry.complaint_id] = entry
    return chosen


def entries_to_label(complaint_id: str, task: str, versions: Iterable[str]) -> list[tuple[str, str]]:
    """Return the keys of the entries that `labelled` needs: the allocation, and the answers of these versions."""
    predictions = [f"{kind}{task}#{version}" for version in versions for kind in (PREDICTION, SHADOW)]
    return [(complaint_id, entry) for entry in (ALLOCATION, *predictions)]


def labelled(
    statement: FeedbackEntry, task: str, story: Mapping[str, Mapping[str, Any]], *, champion: str, challenger: str
) -> Labelled:
    """Return one complaint with its label and the answers of both versions. story: its items, by entry key."""
    allocation = AllocationEntry.model_validate(story[ALLOCATION]) if ALLOCATION in story else None
    drawn = allocation.drawn if allocation else None
    return Labelled(
        complaint_id=statement.complaint_id,
        at=statement.applied_at,
        by=statement.feedback.by,
        truth=statement.labels[task],
        blind=statement.feedback.mode == "blind",
        # What the feedback says of either is a claim: whoever writes it would choose how much a label weighs.
        inclusion=drawn.inclusion if drawn else None,
        stratum=drawn.stratum if drawn else "none",
        groups=groups_of(allocation) if allocation else (),
        champion=_answer(task, champion, story),
        challenger=_answer(task, challenger, story),
    )


def groups_of(allocation: AllocationEntry) -> tuple[str, ...]:
    """Return the groups of a complaint. The allocation contains what people have corrected."""
    return _product_group(allocation.product), _VULNERABILITY[allocation.vulnerable]


def _answer(task: str, version: str, story: Mapping[str, Mapping[str, Any]]) -> Answer | None:
    items = (story.get(f"{kind}{task}#{version}") for kind in (PREDICTION, SHADOW))
    return next((answer_of(PredictionEntry.model_validate(item)) for item in items if item is not None), None)


def answer_of(prediction: PredictionEntry) -> Answer:
    auto = prediction.thresholds.auto
    return Answer(
        label=prediction.label,
        confidence=prediction.confidence,
        automatic=auto is not None and prediction.confidence >= auto,
    )


def weigh(
    row: ModelStrategy,
    challenger: Arm,
    labelled: Sequence[Labelled],
    ran: Mapping[str, Ran],
    *,
    positive_label: str | None,
    now: datetime,
) -> Evidence:
    """Return the evidence about one challenger as of now.

    labelled: since the experiment began. ran: by version, of every arm. positive_label: see `metrics`.
    """
    strategy, gates = row.strategy, row.strategy.gates
    champion = strategy.champion_arm
    counted = [one for one in labelled if gates.counts(blind=one.blind, inclusion=one.inclusion)]
    # The labels of people who saw an answer are not a random sample, so each counts as one.
    assisted = [one.model_copy(update={"inclusion": None}) for one in labelled if not one.blind]
    primary, *others = metrics(positive_label, gates.human_accuracy)
    of_all = partial(compare, counted, min_inclusion=gates.min_inclusion, alpha=gates.alpha)
    groups = sorted({group for one in counted for group in one.groups})
    return Evidence(
        task=row.task,
        experiment=strategy.experiment,
        strategy_version=row.version,
        stage="shadow" if challenger in strategy.shadows else challenger.share,
        champion=champion.version,
        challenger=challenger.version,
        since=row.experiment_began,
        until=timestamp(now),
        hours=round((now - datetime.fromisoformat(row.experiment_began)).total_seconds() / 3600, 4),
        labels=len(counted),
        primary=of_all(primary),
        others=tuple(map(of_all, others)),
        groups=tuple(of_all(primary, alpha=gates.alpha / len(GROUPS), group=group) for group in groups),
        assisted=compare(assisted, primary, min_inclusion=1.0, alpha=gates.alpha) if assisted else None,
        unrepresentative=sum(not gates.represents_others(one.inclusion) for one in labelled),
        champion_calibration=_calibration([(one, one.champion) for one in counted], gates),
        challenger_calibration=_calibration([(one, one.challenger) for one in counted], gates),
        champion_operations=operations(ran.get(champion.version, Ran())),
        challenger_operations=operations(ran.get(challenger.version, Ran())),
        # After its end, the champion answers for every arm of an ab test.
        delivered=delivered(row, ran) if strategy.challengers and not strategy.has_ended(now) else None,
        reviewers=reviewers(counted, primary, gates),
    )


def reviewers(labelled: Sequence[Labelled], primary: Metric, gates: Gates) -> tuple[ReviewerShare, ...]:
    """Return what the labels of each reviewer weigh in the primary metric, and what it is without them."""
    applying = [one for one in labelled if primary.applies(one)]
    total = sum(weight(one, gates.min_inclusion) for one in applying)
    by: defaultdict[str, list[Labelled]] = defaultdict(list)
    for one in applying:
        if one.by is not None:
            by[one.by].append(one)
    found = [
        ReviewerShare(
            by=name,
            labels=len(theirs),
            share=round(sum(weight(one, gates.min_inclusion) for one in theirs) / total, 6),
            without=difference((one for one in applying if one.by != name), primary, min_inclusion=gates.min_inclusion),
        )
        for name, theirs in by.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.share, each.by)))


def _calibration(answers: list[tuple[Labelled, Answer | None]], gates: Gates) -> Calibration:
    return calibration(
        (answer.confidence, answer.label == one.truth, gates.min_inclusion / (one.inclusion or gates.min_inclusion))
        for one, answer in answers
        if answer is not None
    )


def operations(ran: Ran) -> Operations:
    times = sorted(prediction.milliseconds for prediction in ran.predictions)
    labels = Counter(prediction.label for prediction in ran.predictions)
    return Operations(
        predictions=len(times),
        failures=ran.failures,
        throttled=ran.throttled,
        p95_ms=times[ceil(0.95 * len(times)) - 1] if times else None,
        commonest_share=max(labels.values()) / len(times) if times else None,
    )


def delivered(row: ModelStrategy, ran: Mapping[str, Ran]) -> Delivered:
    """Compare the buckets that each arm answered with its share, over the time for which all predictions were read.

    Complaints that were assigned by an earlier version of the strategy do not count.
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
    stood_in = sum(found[arm.name].failures + found[arm.name].throttled for arm in strategy.challengers)
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
