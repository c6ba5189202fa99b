"""From labelled complaints to comparisons: of which metrics, on which groups, with which differences."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from triage.promotion.evidence import Answer, Comparison, Labelled
from triage.promotion.sequential import Differences, Weighted, bounds, mean
from triage.statistics import FixedTest, mcnemar, two_proportions

Value = Callable[[Labelled, Answer], float]


@dataclass(frozen=True)
class Metric:
    """value: of one answer, in [0, 1] and larger where better. applies: to which complaints.

    graded: there are values between 0 and 1, so that no test of right and wrong fits.
    """

    name: str
    value: Value
    applies: Callable[[Labelled], bool] = lambda labelled: True
    graded: bool = False


def metrics(positive_label: str | None, human_accuracy: float) -> tuple[Metric, ...]:
    """The primary one first. positive_label: of a task that looks for one label."""
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
    """What leaves triage: an automatic answer as it is, and a reviewed one as right as people are."""
    return _right(labelled, answer) if answer.automatic else human_accuracy


def _brier(labelled: Labelled, answer: Answer) -> float:
    """One minus the squared distance of confidence and outcome (Brier, 1950): a mean, as the error by bins is not."""
    return 1.0 - (answer.confidence - _right(labelled, answer)) ** 2


@dataclass
class _Side:
    total: float = 0.0
    weight: float = 0.0
    n: int = 0
    right: int = 0

    def add(self, value: float, weight: float) -> None:
        self.total += value * weight
        self.weight += weight
        self.n += 1
        self.right += value == 1.0

    @property
    def mean(self) -> float | None:
        return self.total / self.weight if self.weight else None


@dataclass
class _Seen:
    """champion, challenger: of all answers. alone: of those on complaints that the other side did not answer."""

    differences: Differences = field(default_factory=Counter)
    paired: int = 0
    better: int = 0
    worse: int = 0
    champion: _Side = field(default_factory=_Side)
    challenger: _Side = field(default_factory=_Side)
    champion_alone: _Side = field(default_factory=_Side)
    challenger_alone: _Side = field(default_factory=_Side)


def compare(
    labelled: Iterable[Labelled], metric: Metric, *, min_inclusion: float, alpha: float, group: str | None = None
) -> Comparison:
    """Of representative labels, in any order.

    Where only the challenger answered, its partner is the mean of the champion's answers since the challenger's last
    one: independent of it, and of the same time. Complaints weigh as many others as they stand for.
    """
    fits = (one for one in labelled if metric.applies(one) and (group is None or group in one.groups))
    seen = _differences(sorted(fits, key=lambda one: (one.at, one.complaint_id)), metric, min_inclusion)
    lower, upper = bounds(seen.differences, alpha)
    return Comparison(
        metric=metric.name,
        group=group,
        n=seen.differences.total(),
        paired=seen.paired,
        champion=seen.champion.mean,
        challenger=seen.challenger.mean,
        difference=mean(seen.differences),
        lower=lower,
        upper=upper,
        fixed=_fixed(seen, metric),
    )


def _differences(labelled: Sequence[Labelled], metric: Metric, min_inclusion: float) -> _Seen:
    seen = _Seen()
    block: list[tuple[float, float]] = []
    waiting: list[tuple[float, float]] = []
    for one in labelled:
        weight = min_inclusion / (one.inclusion or min_inclusion)
        champion = metric.value(one, one.champion) if one.champion else None
        challenger = metric.value(one, one.challenger) if one.challenger else None
        if champion is not None:
            seen.champion.add(champion, weight)
        if challenger is not None:
            seen.challenger.add(challenger, weight)
        if champion is not None and challenger is not None:
            seen.differences[_rounded(challenger - champion, weight)] += 1
            seen.paired += 1
            seen.better += challenger > champion
            seen.worse += challenger < champion
        elif champion is not None:
            seen.champion_alone.add(champion, weight)
            block.append((champion, weight))
        elif challenger is not None:
            seen.challenger_alone.add(challenger, weight)
            waiting.append((challenger, weight))
        if waiting and block:
            seen.differences[_against(waiting.pop(0), block)] += 1
            block = []
    return seen


def _against(one: tuple[float, float], block: list[tuple[float, float]]) -> Weighted:
    """Two complaints drawn apart stand for as many pairs as the product of what each stands for."""
    value, weight = one
    total = sum(w for _, w in block)
    partner = sum(v * w for v, w in block) / total
    return _rounded(value - partner, weight * total / len(block))


def _rounded(difference: float, weight: float) -> Weighted:
    """Few distinct values make a look cheap; a millionth changes no verdict. No weight may vanish."""
    return Weighted(round(difference, 6), round(weight, 12))


def _fixed(seen: _Seen, metric: Metric) -> FixedTest | None:
    if metric.graded:
        return None
    if seen.paired:
        return mcnemar(seen.better, seen.worse)
    one, other = seen.challenger_alone, seen.champion_alone
    return two_proportions(one.right, one.n, other.right, other.n) if one.n and other.n else None
