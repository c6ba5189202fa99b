"""Estimates what a strategy or a threshold would have done to past complaints.

No model predicts again: the answer of an arm is known if its version predicted then, as the answer or as a shadow.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from triage.contracts import Contract
from triage.promotion.comparison import compare, metrics
from triage.promotion.evidence import Answer, Comparison, Labelled
from triage.promotion.gates import Gates
from triage.statistics import wilson
from triage.strategies.strategy import Arm, Strategy, bucket_of, owner_of

DAYS_A_YEAR = 365
"""Days with new complaints in a year: all of them."""


class Past(Contract):
    """A past complaint. answers: of each version that predicted. truth: the label that a person gave.

    dealt: experiment, salt and bucket of its assignment. subject: decides its bucket in another experiment; looked up
    only if needed. counts: whether the gates count the label. inclusion: see `Labelled`. positive: by version, the
    probability of the label that the task looks for, if recorded.
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
        """Whether the complaint must be assigned again: several arms, and a bucket of another experiment or salt."""
        return len(strategy.arms) > 1 and (self.dealt is None or self.dealt[:2] != _deal(strategy))

    @property
    def has_label(self) -> bool:
        """Whether it has a label that counts."""
        return self.truth is not None and self.inclusion is not None and self.counts


class Assumed(Contract):
    """volume: complaints a day. minutes: time of a person for one review. pence: cost of such a minute."""

    volume: int = 3_000
    minutes: float = 1.0
    pence: float = 30.0


class Expected(Contract):
    """unknown: complaints whose arm's model has not predicted them. All other figures leave them out.

    accuracy and its 95 % interval (Wilson): on labels that count, each weighted by the complaints it stands for.
    automatic_accuracy: likewise, on answers that no person reviews. other_labels: labels that do not count.
    reviewed: share below the threshold of this task; other tasks may send further complaints to people.
    recall, precision, flagged: instead of the above, for a task that looks for one label. Nobody reviews its answers;
    flagged complaints take another journey. flagged: share of the known complaints.
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
    """How a complaint is answered: by which arm, and at which threshold.

    threshold: replaces the one of each model; for a task that looks for one label, the probability from which that
    label is given. ended: the champion answers for every arm.
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

    def arm(self, complaint: Past) -> Arm:
        """Return the arm of a complaint: by its recorded bucket or, for another experiment or salt, by a new one."""
        strategy = self.strategy
        if self.ended or len(strategy.arms) == 1:
            return strategy.champion_arm
        if complaint.dealt is not None and complaint.dealt[:2] == _deal(strategy):
            return owner_of(strategy, complaint.dealt[2])
        subject = complaint.subject or complaint.complaint_id
        return owner_of(strategy, bucket_of(strategy.experiment, strategy.salt, subject))

    def answer(self, complaint: Past) -> Answer | None:
        """Return the answer of the complaint's arm; None if it has not predicted, or not recorded the probability."""
        version = self.arm(complaint).version
        answer = complaint.answers.get(version)
        if answer is None or self.threshold is None:
            return answer
        if self.positive_label is None:
            return answer.model_copy(update={"automatic": answer.confidence >= self.threshold})
        probability = complaint.positive.get(version)
        if probability is None:
            return None
        if probability >= self.threshold:
            return answer.model_copy(update={"label": self.positive_label, "confidence": probability})
        other = answer.label if answer.label != self.positive_label else f"not {self.positive_label}"
        return answer.model_copy(update={"label": other, "confidence": 1 - probability})


def expect(past: Iterable[Past], rule: Rule, assumed: Assumed) -> Expected:
    """Return the figures that a rule would have given for past complaints."""
    complaints = list(past)
    answers = [rule.answer(complaint) for complaint in complaints]
    arms = [rule.arm(complaint).name for complaint in complaints]
    known = [(complaint, answer) for complaint, answer in zip(complaints, answers, strict=True) if answer is not None]
    labelled = [(complaint, answer) for complaint, answer in known if complaint.has_label]
    figures: dict[str, object] = {
        "complaints": len(complaints),
        "unknown": len(complaints) - len(known),
        "arms": dict(Counter(arms)),
        "unknown_by_arm": dict(Counter(arm for arm, answer in zip(arms, answers, strict=True) if answer is None)),
        "labels": len(labelled),
        "other_labels": sum(complaint.truth is not None and not complaint.has_label for complaint in complaints),
    }
    positive = rule.positive_label
    if positive is None:
        automatic = [(complaint, answer) for complaint, answer in labelled if answer.automatic]
        figures["accuracy"], figures["interval"] = _share_right(labelled)
        figures["automatic_labels"] = len(automatic)
        figures["automatic_accuracy"], figures["automatic_interval"] = _share_right(automatic)
        if known:
            reviewed = sum(not answer.automatic for _, answer in known) / len(known)
            a_day = reviewed * assumed.volume
            cost = a_day * DAYS_A_YEAR * assumed.minutes * assumed.pence / 100
            figures |= {"reviewed": reviewed, "reviews_a_day": a_day, "pounds_a_year": cost}
    else:
        true = [(complaint, answer) for complaint, answer in labelled if complaint.truth == positive]
        given = [(complaint, answer) for complaint, answer in labelled if answer.label == positive]
        for name, part in (("recall", true), ("precision", given)):
            figures[name], figures[f"{name}_interval"] = _share_right(part)
            figures[f"{name}_labels"] = len(part)
        if known:
            figures["flagged"] = sum(answer.label == positive for _, answer in known) / len(known)
    return Expected.model_validate(figures)


def _share_right(labelled: list[tuple[Past, Answer]]) -> tuple[float | None, tuple[float, float] | None]:
    """Return the weighted share of right answers, and its interval for the effective sample size (Kish, 1965)."""
    weights = [1 / (complaint.inclusion or 1.0) for complaint, _ in labelled]
    total = sum(weights)
    if not total:
        return None, None
    right = sum(w for w, (complaint, answer) in zip(weights, labelled, strict=True) if answer.label == complaint.truth)
    return right / total, wilson(right / total, total * total / sum(w * w for w in weights))


def difference(past: Iterable[Past], present: Rule, proposed: Rule, gates: Gates) -> Comparison:
    """Compare accuracy, or recall, on labels that count, where the answers of both rules are known.

    The present answer is the champion's side, the proposed one the challenger's. Their difference on the same
    complaints is more precise than two intervals.
    """
    metric, *_ = metrics(present.positive_label, gates.human_accuracy)
    pairs = [(each, present.answer(each), proposed.answer(each)) for each in past if each.has_label]
    labelled = [
        Labelled(
            complaint_id=each.complaint_id,
            at="",
            truth=each.truth or "",
            blind=True,
            inclusion=each.inclusion,
            stratum="",
            groups=(),
            champion=before,
            challenger=after,
        )
        for each, before, after in pairs
        if before is not None and after is not None
    ]
    return compare(labelled, metric, min_inclusion=gates.min_inclusion, alpha=gates.alpha)


def _deal(strategy: Strategy) -> tuple[str, str]:
    return strategy.experiment, strategy.salt
