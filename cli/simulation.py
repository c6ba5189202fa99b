"""What a strategy, or another threshold, would have done to past complaints, before anybody commits to it.

Nothing is predicted anew: what an arm would have said is known where its version predicted, in answer or in shadow.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from triage.contracts import Contract
from triage.promotion.comparison import compare, metrics
from triage.promotion.evidence import Answer, Comparison, Labelled
from triage.promotion.gates import Gates
from triage.statistics import wilson
from triage.strategies.strategy import Arm, Strategy, bucket_of, owner_of

DAYS_A_YEAR = 365
"""Complaints come in on every day."""


class Past(Contract):
    """A complaint that was answered. answers: by version, of all that predicted. truth: its label, if anybody gave one.

    dealt: experiment, salt and bucket that it was dealt by. subject: that another experiment would deal by, where it
    was looked up. counts: the label, by the gates. inclusion: see `Labelled`. positive: by version, the probability of
    the label that the task looks for, where it is recorded.
    """

    complaint_id: str
    dealt: tuple[str, str, int] | None
    answers: Mapping[str, Answer]
    positive: Mapping[str, float] = {}
    subject: str | None = None
    truth: str | None = None
    counts: bool = True
    inclusion: float | None = None

    def needs_subject(self, strategy: Strategy) -> bool:
        """Only where several arms answer, and the recorded bucket is of another deal."""
        return len(strategy.arms) > 1 and (self.dealt is None or self.dealt[:2] != _deal(strategy))


class Assumed(Contract):
    """volume: complaints a day. minutes, pence: of a person, for one review and for one minute."""

    volume: int = 3_000
    minutes: float = 1.0
    pence: float = 30.0


class Expected(Contract):
    """unknown: complaints of an arm whose model has not predicted them, in all and by arm; nothing else counts those.

    accuracy and its 95 % interval (Wilson): on labels that count, each standing for as many as it was drawn from;
    automatic_accuracy likewise, on answers that no person would see. other_labels: that do not count.
    reviewed: share below the threshold of this task; other tasks may ask for a person too.
    recall, precision, flagged: of a task that looks for one label, in place of the above. It asks nobody to review: who
    is flagged takes another journey. flagged: share of all that are known.
    """

    complaints: int
    unknown: int
    arms: dict[str, int]
    unknown_by_arm: dict[str, int]
    labels: int
    other_labels: int
    accuracy: float | None = None
    interval: tuple[float, float] | None = None
    automatic_labels: int = 0
    automatic_accuracy: float | None = None
    automatic_interval: tuple[float, float] | None = None
    reviewed: float | None = None
    reviews_a_day: float | None = None
    pounds_a_year: float | None = None
    recall: float | None = None
    recall_labels: int = 0
    recall_interval: tuple[float, float] | None = None
    precision: float | None = None
    precision_labels: int = 0
    precision_interval: tuple[float, float] | None = None
    flagged: float | None = None


class Rule(Contract):
    """Who answers, and what becomes of the answer.

    threshold: instead of the one that travels with each model; for a task that looks for one label, the probability
    from which that label is given. ended: the champion answers for every arm.
    """

    strategy: Strategy
    threshold: float | None = None
    positive_label: str | None = None
    ended: bool = False

    @classmethod
    def of(
        cls, strategy: Strategy, now: datetime, *, threshold: float | None = None, positive_label: str | None = None
    ) -> "Rule":
        ended = strategy.has_ended(now)
        return cls(strategy=strategy, threshold=threshold, positive_label=positive_label, ended=ended)

    def arm(self, one: Past) -> Arm:
        """Under the same experiment and salt a complaint keeps its bucket; another one deals anew."""
        strategy = self.strategy
        if self.ended or len(strategy.arms) == 1:
            return strategy.champion_arm
        if one.dealt is not None and one.dealt[:2] == _deal(strategy):
            return owner_of(strategy, one.dealt[2])
        subject = one.subject or one.complaint_id
        return owner_of(strategy, bucket_of(strategy.experiment, strategy.salt, subject))

    def answer(self, one: Past) -> Answer | None:
        """None where the arm's version has not predicted, or the probability that is asked for is not recorded."""
        version = self.arm(one).version
        answer = one.answers.get(version)
        if answer is None or self.threshold is None:
            return answer
        if self.positive_label is None:
            return answer.model_copy(update={"automatic": answer.confidence >= self.threshold})
        probability = one.positive.get(version)
        if probability is None:
            return None
        if probability >= self.threshold:
            return answer.model_copy(update={"label": self.positive_label, "confidence": probability})
        other = answer.label if answer.label != self.positive_label else f"not {self.positive_label}"
        return answer.model_copy(update={"label": other, "confidence": 1 - probability})


def expect(past: Iterable[Past], rule: Rule, assumed: Assumed) -> Expected:
    complaints = list(past)
    answers = [rule.answer(one) for one in complaints]
    arms = [rule.arm(one).name for one in complaints]
    known = [(one, answer) for one, answer in zip(complaints, answers, strict=True) if answer is not None]
    labelled = [(one, answer) for one, answer in known if _counts(one)]
    shared = {
        "complaints": len(complaints),
        "unknown": len(complaints) - len(known),
        "arms": dict(Counter(arms)),
        "unknown_by_arm": dict(Counter(arm for arm, answer in zip(arms, answers, strict=True) if answer is None)),
        "labels": len(labelled),
        "other_labels": sum(one.truth is not None and not _counts(one) for one in complaints),
    }
    if rule.positive_label is not None:
        return Expected(**shared, **_found(known, labelled, rule.positive_label))
    right, interval = _right(labelled)
    automatic = [(one, answer) for one, answer in labelled if answer.automatic]
    automatic_right, automatic_interval = _right(automatic)
    reviewed = sum(not answer.automatic for _, answer in known) / len(known) if known else None
    reviews = None if reviewed is None else reviewed * assumed.volume
    return Expected(
        **shared,
        accuracy=right,
        interval=interval,
        automatic_labels=len(automatic),
        automatic_accuracy=automatic_right,
        automatic_interval=automatic_interval,
        reviewed=reviewed,
        reviews_a_day=reviews,
        pounds_a_year=None if reviews is None else reviews * DAYS_A_YEAR * assumed.minutes * assumed.pence / 100,
    )


def difference(past: Iterable[Past], present: Rule, proposed: Rule, gates: Gates) -> Comparison:
    """Of accuracy, or recall, on labels that count and of which both answers are known.

    Its champion is the present answer and its challenger the proposed one; it is sharper than two intervals apart.
    """
    metric, *_ = metrics(present.positive_label, gates.human_accuracy)
    pairs = [(one, present.answer(one), proposed.answer(one)) for one in past if _counts(one)]
    labelled = [
        Labelled(
            complaint_id=one.complaint_id,
            at="",
            truth=one.truth or "",
            blind=True,
            inclusion=one.inclusion,
            stratum="",
            groups=(),
            champion=before,
            challenger=after,
        )
        for one, before, after in pairs
        if before is not None and after is not None
    ]
    return compare(labelled, metric, min_inclusion=gates.min_inclusion, alpha=gates.alpha)


Judged = list[tuple[Past, Answer]]


def _found(known: Judged, labelled: Judged, positive: str) -> dict[str, object]:
    def part(applies: Callable[[Past, Answer], bool]) -> Judged:
        return [(one, answer) for one, answer in labelled if applies(one, answer)]

    true, given = part(lambda one, _: one.truth == positive), part(lambda _, answer: answer.label == positive)
    recall, recall_interval = _right(true)
    precision, precision_interval = _right(given)
    return {
        "recall": recall,
        "recall_labels": len(true),
        "recall_interval": recall_interval,
        "precision": precision,
        "precision_labels": len(given),
        "precision_interval": precision_interval,
        "flagged": sum(answer.label == positive for _, answer in known) / len(known) if known else None,
    }


def _counts(one: Past) -> bool:
    return one.truth is not None and one.inclusion is not None and one.counts


def _deal(strategy: Strategy) -> tuple[str, str]:
    return strategy.experiment, strategy.salt


def _right(labelled: Judged) -> tuple[float | None, tuple[float, float] | None]:
    """The interval is of as many equally weighted labels as say as much (Kish, 1965)."""
    weights = [1 / (one.inclusion or 1.0) for one, _ in labelled]
    total = sum(weights)
    if not total:
        return None, None
    right = sum(w for w, (one, answer) in zip(weights, labelled, strict=True) if answer.label == one.truth)
    return right / total, wilson(right / total, total * total / sum(w * w for w in weights))
