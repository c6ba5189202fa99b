"""How good decisions are, estimated from the audit sample: complaints that were drawn at random and reviewed blind.

A complaint weighs as many complaints as it stands for, the inverse of the probability with which it was drawn (Horvitz
and Thompson, 1952; the weights are normalized, as Hájek proposed). Intervals are Wilson's with Kish's effective number
of complaints, so that unequal weights widen them. Only what the system recorded at the allocation says how a complaint
was drawn; what feedback claims of itself changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from triage.allocation import MANUAL_TEAM
from triage.contracts import Contract, Day, TaskName
from triage.promotion.weighing import statements
from triage.statistics import calibration, wilson
from triage.story import AllocationEntry, Decision, FeedbackEntry
from triage.tasks import PRODUCT, TASKS, VULNERABLE, Task
from triage.taxonomy import load_taxonomy


class Quality(Contract):
    """One figure about the decisions of a period.

    metric: `accuracy` of the answers of models; `accuracy, automatic` of those that were sure enough to act alone;
        `coverage`, the share of these; `accuracy of TEAM`; `recall` of vulnerable customers by all sources together,
        and `precision` of what they flag; `calibration error`; `agreement, assisted`, the share of statements of people
        who saw the answer that repeat it. The difference between that and `accuracy` is how much seeing it biases.
    estimate: None without a complaint. low, high: 95 % interval, None where there is none. n: complaints. weighted: the
        number of complaints that they stand for.
    since, until: the first and the last day on which they were reviewed.
    """

    task: TaskName
    metric: str
    estimate: float | None
    low: float | None = None
    high: float | None = None
    n: int
    weighted: float
    since: Day
    until: Day


@dataclass(frozen=True)
class Reviewed:
    """One answer of the system, and what a person says is true.

    team: that the models chose. weight: how many complaints it stands for. confidence, automatic: of the
    model; None and False where no model answered.
    """

    at: datetime
    team: str
    task: TaskName
    truth: str
    label: str | None
    confidence: float | None
    automatic: bool
    weight: float
    blind: bool

    @property
    def is_right(self) -> bool:
        return self.truth == self.label


def reviewed(entries: Iterable[FeedbackEntry], allocations: Mapping[str, AllocationEntry]) -> Iterator[Reviewed]:
    """Yield what was drawn and labelled, and every statement of people who saw the answer.

    entries: applied feedback. allocations: the current ones, by complaint; `decisions` and `stated` are the first's.
    """
    entries = list(entries)
    for task in TASKS.values():
        for complaint_id, entry in statements(task.name, entries).items():
            allocation = allocations.get(complaint_id)
            if allocation is None:
                continue
            blind = entry.feedback.mode == "blind"
            if blind and allocation.drawn is None:
                continue
            decision = next((one for one in allocation.decisions if one.task == task.name), None)
            yield Reviewed(
                at=datetime.fromisoformat(entry.applied_at).astimezone(UTC),
                team=_first_team(allocation),
                task=task.name,
                truth=entry.labels[task.name],
                label=_label(task, allocation, decision),
                confidence=decision.confidence if decision else None,
                automatic=_is_automatic(decision),
                weight=1 / allocation.drawn.inclusion if blind and allocation.drawn else 1.0,
                blind=blind,
            )


def quality(found: Iterable[Reviewed], *, since: date, until: date) -> list[Quality]:
    """Return the figures of each task over the whole period, and its accuracy week by week. until: the last day."""
    all_of_them = [one for one in found if since <= one.at.date() <= until]
    figures: list[Quality] = []
    for task in TASKS.values():
        of_task = [one for one in all_of_them if one.task == task.name]
        figures += _of_task(task.name, of_task, since, until)
        blind = [one for one in of_task if one.blind]
        weeks = list(_weeks(since, until))
        # Of a period within one week, the figures of the whole period say everything.
        for first, last in weeks if len(weeks) > 1 else ():
            of_week = [one for one in blind if first <= one.at.date() <= last]
            if of_week:
                figures.append(_share(task.name, "accuracy", of_week, _right, first, last))
    return figures


def _of_task(task: TaskName, found: Sequence[Reviewed], since: date, until: date) -> Iterator[Quality]:
    blind = [one for one in found if one.blind]
    period = (since, until)
    yield _share(task, "accuracy", blind, _right, *period)
    if task == VULNERABLE.name:
        yield _share(task, "recall", [one for one in blind if one.truth == VULNERABLE.positive], _right, *period)
        yield _share(task, "precision", [one for one in blind if one.label == VULNERABLE.positive], _right, *period)
    else:
        yield _share(task, "coverage", blind, lambda one: one.automatic, *period)
        yield _share(task, "accuracy, automatic", [one for one in blind if one.automatic], _right, *period)
        for team in sorted({one.team for one in blind}):
            yield _share(task, f"accuracy of {team}", [one for one in blind if one.team == team], _right, *period)
    answers = [(one.confidence, one.is_right, one.weight) for one in blind if one.confidence is not None]
    yield Quality(
        task=task,
        metric="calibration error",
        estimate=calibration(answers).error,
        n=len(answers),
        weighted=round(sum(weight for _, _, weight in answers), 1),
        since=since.isoformat(),
        until=until.isoformat(),
    )
    yield _share(task, "agreement, assisted", [one for one in found if not one.blind], _right, *period)


def _share(
    task: TaskName, metric: str, found: Sequence[Reviewed], is_so: Callable[[Reviewed], bool], since: date, until: date
) -> Quality:
    """Return the weighted share of those for which something is so, with its interval."""
    total = sum(one.weight for one in found)
    estimate = low = high = None
    if found:
        estimate = sum(one.weight for one in found if is_so(one)) / total
        effective = total**2 / sum(one.weight**2 for one in found)
        low, high = wilson(estimate, effective)
    return Quality(
        task=task,
        metric=metric,
        estimate=estimate,
        low=low,
        high=high,
        n=len(found),
        weighted=round(total, 1),
        since=since.isoformat(),
        until=until.isoformat(),
    )


def _weeks(since: date, until: date) -> Iterator[tuple[date, date]]:
    """Yield the weeks from Monday to Sunday that touch the period, cut to it."""
    first = since
    while first <= until:
        last = min(until, first + timedelta(days=6 - first.weekday()))
        yield first, last
        first = last + timedelta(days=1)


def _first_team(allocation: AllocationEntry) -> str:
    """Return the team that the models chose. People may have moved the complaint since."""
    taxonomy, products = load_taxonomy(), [one.label for one in allocation.decisions if one.task == PRODUCT.name]
    return taxonomy.team_of(products[0]) if products and taxonomy.has_product(products[0]) else MANUAL_TEAM


def _right(one: Reviewed) -> bool:
    return one.is_right


def _label(task: Task, allocation: AllocationEntry, decision: Decision | None) -> str | None:
    """Return what was answered first. Vulnerability is what all sources together say: one of them is enough."""
    if task is VULNERABLE:
        return task.label(True if allocation.stated else decision.positive if decision else None)
    return decision.label if decision else None


def _is_automatic(decision: Decision | None) -> bool:
    threshold = decision.auto_threshold if decision else None
    return decision is not None and threshold is not None and decision.confidence >= threshold
