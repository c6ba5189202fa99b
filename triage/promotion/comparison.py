"""Compares champion and challenger on labelled complaints: which metrics, on which groups, with which differences."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from triage.promotion.evidence import Answer, Comparison, Labelled
from triage.promotion.sequential import Differences, Weighted, bounds, mean
from triage.statistics import FixedTest, mcnemar, two_proportions

Value = Callable[[Labelled, Answer], float]


@dataclass(frozen=True)
class Metric:
    """value: of one answer, from 0 to 1, larger where better. applies: to which complaints.

    graded: some values lie between 0 and 1, so that tests of right and wrong answers do not fit.
    """

    name: str
    value: Value
    applies: Callable[[Labelled], bool] = lambda labelled: True
    graded: bool = False


def metrics(positive_label: str | None, human_accuracy: float) -> tuple[Metric, ...]:
    """Return the metrics of a task, the primary one first.

    positive_label: the one label that the task looks for; None for a task that chooses among labels.
    """
    if positive_label is None:
        return (
            Metric("accuracy", _right),
            Metric("coverage", lambda _, answer: float(answer.automatic)),
            Metric("outcome", lambda one, answer: _outcome(one, answer, human_accuracy), graded=True),
            Metric("calibration", _brier, graded=True),
        )
    return (
        Metric("recall", _right, lambda labelled: labelled.truth == positive_label),
        Metric("specificity", _right, lambda labelled: labelled.truth != positive_label),
        Metric("calibration", _brier, graded=True),
    )


def _right(labelled: Labelled, answer: Answer) -> float:
    return float(answer.label == labelled.truth)


def _outcome(labelled: Labelled, answer: Answer, human_accuracy: float) -> float:
    """Return the accuracy after triage: of the answer if it is automatic, else of the person who reviews it."""
    return _right(labelled, answer) if answer.automatic else human_accuracy


def _brier(labelled: Labelled, answer: Answer) -> float:
    """Return one minus the squared error of the confidence (Brier, 1950). Unlike the expected calibration error, its
    mean over complaints has valid bounds."""
    return 1.0 - (answer.confidence - _right(labelled, answer)) ** 2


Valued = tuple[float, float]
"""The metric's value of an answer, and the weight of its complaint."""


@dataclass
class _Seen:
    """champion, challenger: all answers. champion_alone, challenger_alone: where the other side did not answer."""

    differences: Differences = field(default_factory=Counter)
    paired: int = 0
    better: int = 0
    worse: int = 0
    champion: list[Valued] = field(default_factory=list)
    challenger: list[Valued] = field(default_factory=list)
    champion_alone: list[Valued] = field(default_factory=list)
    challenger_alone: list[Valued] = field(default_factory=list)


def compare(
    labelled: Iterable[Labelled], metric: Metric, *, min_inclusion: float, alpha: float, group: str | None = None
) -> Comparison:
    """Compare on representative labels, in any order. A complaint weighs as much as all the complaints it represents.

    An answer of the challenger alone is compared with the mean of the champion's answers since the challenger's last
    one, because these are independent of it and of the same time.
    """
    fits = (one for one in labelled if metric.applies(one) and (group is None or group in one.groups))
    seen = _differences(sorted(fits, key=lambda one: (one.at, one.complaint_id)), metric, min_inclusion)
    lower, upper = bounds(seen.differences, alpha)
    return Comparison(
        metric=metric.name,
        group=group,
        n=seen.differences.total(),
        paired=seen.paired,
        champion=_mean(seen.champion),
        challenger=_mean(seen.challenger),
        difference=mean(seen.differences),
        lower=lower,
        upper=upper,
        fixed=_fixed_test(seen, metric),
    )


def difference(labelled: Iterable[Labelled], metric: Metric, *, min_inclusion: float) -> float | None:
    """Return the weighted mean difference, as `compare` does, without its bounds; None without differences."""
    fits = sorted(filter(metric.applies, labelled), key=lambda one: (one.at, one.complaint_id))
    return mean(_differences(fits, metric, min_inclusion).differences)


def weight(one: Labelled, min_inclusion: float) -> float:
    """Return how many complaints a label stands for, as a part of the most that one may stand for."""
    return min_inclusion / (one.inclusion or min_inclusion)


def _differences(labelled: Sequence[Labelled], metric: Metric, min_inclusion: float) -> _Seen:
    seen = _Seen()
    block: list[Valued] = []
    waiting: list[Valued] = []
    for one in labelled:
        heft = weight(one, min_inclusion)
        champion = metric.value(one, one.champion) if one.champion else None
        challenger = metric.value(one, one.challenger) if one.challenger else None
        if champion is not None:
            seen.champion.append((champion, heft))
        if challenger is not None:
            seen.challenger.append((challenger, heft))
        if champion is not None and challenger is not None:
            seen.differences[_rounded(challenger - champion, heft)] += 1
            seen.paired += 1
            seen.better += challenger > champion
            seen.worse += challenger < champion
        elif champion is not None:
            seen.champion_alone.append((champion, heft))
            block.append((champion, heft))
        elif challenger is not None:
            seen.challenger_alone.append((challenger, heft))
            waiting.append((challenger, heft))
        if waiting and block:
            seen.differences[_against(waiting.pop(0), block)] += 1
            block = []
    return seen


def _mean(answers: list[Valued]) -> float | None:
    total = sum(weight for _, weight in answers)
    return sum(value * weight for value, weight in answers) / total if total else None


def _against(one: Valued, block: list[Valued]) -> Weighted:
    """Compare an answer with the mean of a block of the champion's. Its weight is the product of the answer's weight
    and the block's mean weight, because the complaints were drawn independently."""
    value, weight = one
    total = sum(w for _, w in block)
    partner = sum(v * w for v, w in block) / total
    return _rounded(value - partner, weight * total / len(block))


def _rounded(difference: float, weight: float) -> Weighted:
    """Round, because bounds are computed faster from few distinct values. A millionth changes no verdict."""
    return Weighted(round(difference, 6), round(weight, 12))


def _fixed_test(seen: _Seen, metric: Metric) -> FixedTest | None:
    if metric.graded:
        return None
    if seen.paired:
        return mcnemar(seen.better, seen.worse)
    one, other = ([value for value, _ in side] for side in (seen.challenger_alone, seen.champion_alone))
    return two_proportions(one.count(1.0), len(one), other.count(1.0), len(other)) if one and other else None
