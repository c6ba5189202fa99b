"""What a strategy, or another threshold, would have done to past complaints, before anybody commits to it."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import NormalDist

from triage.contracts import Contract
from triage.promotion.evidence import Answer
from triage.strategy import Arm, Strategy, bucket_of, owner_of

Z = NormalDist().inv_cdf(0.975)
DAYS_A_YEAR = 365


class Past(Contract):
    """A complaint that was answered. answers: by version, of all that predicted. truth: its label, if anybody gave one.

    dealt: experiment, salt and bucket that it was dealt by. inclusion: see `Labelled`.
    """

    complaint_id: str
    dealt: tuple[str, str, int] | None
    answers: Mapping[str, Answer]
    truth: str | None = None
    inclusion: float | None = None


class Assumed(Contract):
    """volume: complaints a day. minutes, pence: of a person, for one review and for one minute."""

    volume: int = 3_000
    minutes: float = 1.0
    pence: float = 30.0


class Expected(Contract):
    """unknown: complaints of an arm whose model has not predicted them; nothing else counts those.

    accuracy and its 95 % interval (Wilson): on labels drawn at random, each standing for as many as it was drawn from.
    reviewed: share below the threshold of this task; other tasks may ask for a person too.
    """

    complaints: int
    unknown: int
    arms: dict[str, int]
    labels: int
    accuracy: float | None
    interval: tuple[float, float] | None
    automatic_accuracy: float | None
    reviewed: float | None
    reviews_a_day: float | None
    pounds_a_year: float | None


def expect(past: Iterable[Past], strategy: Strategy, assumed: Assumed, *, threshold: float | None = None) -> Expected:
    """threshold: instead of the one that travels with each model."""
    complaints = list(past)
    arms = [_arm(one, strategy) for one in complaints]
    known = [
        (one, _with(one.answers[arm.version], threshold))
        for one, arm in zip(complaints, arms, strict=True)
        if arm.version in one.answers
    ]
    labelled = [(one, answer) for one, answer in known if one.truth is not None and one.inclusion is not None]
    accuracy, effective = _accuracy(labelled)
    automatic, _ = _accuracy([(one, answer) for one, answer in labelled if answer.automatic])
    reviewed = sum(not answer.automatic for _, answer in known) / len(known) if known else None
    reviews = None if reviewed is None else reviewed * assumed.volume
    return Expected(
        complaints=len(complaints),
        unknown=len(complaints) - len(known),
        arms=dict(Counter(arm.name for arm in arms)),
        labels=len(labelled),
        accuracy=accuracy,
        interval=None if accuracy is None else wilson(accuracy, effective),
        automatic_accuracy=automatic,
        reviewed=reviewed,
        reviews_a_day=reviews,
        pounds_a_year=None if reviews is None else reviews * DAYS_A_YEAR * assumed.minutes * assumed.pence / 100,
    )


def wilson(share: float, n: float) -> tuple[float, float]:
    """95 % interval of a share of n observations (Wilson, 1927)."""
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def _arm(one: Past, strategy: Strategy) -> Arm:
    """Under the same experiment and salt a complaint keeps its bucket; another one deals by the complaint."""
    if one.dealt is not None and one.dealt[:2] == (strategy.experiment, strategy.salt):
        return owner_of(strategy, one.dealt[2])
    return owner_of(strategy, bucket_of(strategy.experiment, strategy.salt, one.complaint_id))


def _with(answer: Answer, threshold: float | None) -> Answer:
    return answer if threshold is None else answer.model_copy(update={"automatic": answer.confidence >= threshold})


def _accuracy(labelled: list[tuple[Past, Answer]]) -> tuple[float | None, float]:
    """And how many equally weighted labels say as much (Kish, 1965)."""
    weights = [1 / (one.inclusion or 1.0) for one, _ in labelled]
    total = sum(weights)
    if not total:
        return None, 0.0
    right = sum(w for w, (one, answer) in zip(weights, labelled, strict=True) if answer.label == one.truth)
    return right / total, total * total / sum(w * w for w in weights)
